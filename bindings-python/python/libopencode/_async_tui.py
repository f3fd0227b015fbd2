"""The terminal interface of the server, for asyncio."""

from __future__ import annotations

import asyncio

from ._options import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from ._async import AsyncClient
    from ._async_call import AsyncCall


class AsyncTuiControl:
    """`TuiControl` for asyncio. Made by `AsyncClient.tui_control`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        # Stays open between two calls of `next`: the server gives a request to one taker only.
        self._question: AsyncCall[Any] | None = None

    async def next(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Waits for the next request, `{"path": ..., "body": ...}`, at most `timeout` seconds; None in vain."""
        limit = seconds("timeout", timeout)
        question = self._question = self._question or self._client.start("tui.control.next")
        try:
            await asyncio.wait_for(self._client._waker.until(question._take), limit)
        except asyncio.TimeoutError:
            pass
        if question.poll() == "pending":
            return None
        if self._question is question:
            self._question = None
        # What came, at the last moment too: the server gives it to nobody else.
        found: dict[str, Any] = await question.result()
        return found

    async def respond(self, value: Any) -> None:
        """Answers the request that `next` gave, with any JSON value."""
        await self._client.call("tui.control.response", {"body": value})

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while (request := await self.next()) is not None:
            yield request

    def close(self) -> None:
        """Ends the waiting."""
        if self._question is not None:
            self._question.cancel()
            self._question = None
