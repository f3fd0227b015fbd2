"""The terminal interface of the server, for asyncio."""

from __future__ import annotations

import asyncio

from . import _native
from ._async_call import AsyncCall, settled
from ._call import Call
from ._log import Drain
from ._options import seconds
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc
else:
    from ._later import abc, typing


class AsyncTuiControl:
    """`TuiControl` for asyncio. Made by `AsyncClient.tui_control`."""

    def __init__(self, client: _native.Client, drain: Drain | None, waker: Waker) -> None:
        self._client = client
        self._drain = drain
        self._waker = waker
        # Stays open between two calls of `next`: the server gives a request to one taker only.
        self._question: AsyncCall[typing.Any] | None = None

    def _start(self, operation: str, arguments: dict[str, typing.Any]) -> AsyncCall[typing.Any]:
        native = self._client.start(operation, arguments, None)
        return AsyncCall(Call(native, operation, False, self._drain), self._waker)

    async def next(self, timeout: float | None = None) -> dict[str, typing.Any] | None:
        """Waits for the next request, `{"path": ..., "body": ...}`, at most `timeout` seconds; None in vain."""
        limit = seconds("timeout", timeout)
        question = self._question = self._question or self._start("tui.control.next", {})
        try:
            await asyncio.wait_for(self._waker.until(question._mark, question._take), limit)
        except asyncio.TimeoutError:
            pass
        if question.poll() == "pending":
            return None
        if self._question is question:
            self._question = None
        # What came, at the last moment too: the server gives it to nobody else.
        found: dict[str, typing.Any] = await question.result()
        return found

    async def respond(self, value: typing.Any) -> None:
        """Answers the request that `next` gave, with any JSON value."""
        await settled(self._start("tui.control.response", {"body": value}))

    async def __aiter__(self) -> abc.AsyncIterator[dict[str, typing.Any]]:
        while (request := await self.next()) is not None:
            yield request

    def close(self) -> None:
        """Ends the waiting."""
        if self._question is not None:
            self._question.cancel()
            self._question = None
