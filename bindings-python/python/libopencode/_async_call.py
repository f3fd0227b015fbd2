"""Operations in the background, for asyncio."""

from __future__ import annotations

import asyncio

from ._call import Call
from ._generic import Answer, Generic
from ._options import seconds
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

else:
    from ._later import abc, typing


class AsyncCall(Generic[Answer]):
    """An operation in the background. Made by `AsyncClient.start`; awaiting it gives its answer."""

    def __init__(self, call: Call[Answer], waker: Waker) -> None:
        self._call = call
        self._waker = waker
        self._is_taken = False
        self._mark = call._native.mark()
        waker.add(self._mark, self)

    def _take(self) -> bool:
        # Once: every look would read the whole answer again.
        if not self._is_taken and self._call.poll() == "done":
            self._is_taken = self._call.wait(0)
        return self._is_taken

    async def result(self) -> Answer:
        """The answer of the operation; raises what it raised."""
        await self._waker.until(self._mark, self._take)
        return self._call.result(0)

    def __await__(self) -> abc.Generator[typing.Any, typing.Any, Answer]:
        return self.result().__await__()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until the result is there, at most `timeout` seconds; whether it is."""
        limit = seconds("timeout", timeout)
        try:
            await asyncio.wait_for(self._waker.until(self._mark, self._take), limit)
        except asyncio.TimeoutError:
            return False
        return True

    def poll(self) -> typing.Literal["pending", "done"]:
        """Whether the result is there. Never blocks; awaiting the call then gives it at once."""
        return self._call.poll()

    def cancel(self) -> None:
        """Ends the request, whatever it waits for."""
        self._call.cancel()


async def settled(call: AsyncCall[Answer]) -> Answer:
    """The answer of a call that ends with the task that waits for it."""
    try:
        return await call.result()
    except asyncio.CancelledError:
        call.cancel()
        raise
