"""Long lists for asyncio."""

from __future__ import annotations

from . import _native
from ._async_call import AsyncCall
from ._call import Call
from ._generic import Generic, Item
from ._log import Drain
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

else:
    from ._later import abc, typing


class _Fetch:
    """A page on its way, for all who wait for it."""

    def __init__(self, call: AsyncCall[typing.Any]) -> None:
        self.call = call
        self.waiting = 0


class AsyncPages(Generic[Item]):
    """`Pages` for `async for`. Cancelling who waits for a page ends its request; no page is lost or doubled by it."""

    def __init__(self, native: _native.Pages, drain: Drain | None, waker: Waker) -> None:
        self._native = native
        self._drain = drain
        self._waker = waker
        self._page: abc.Iterator[Item] = iter(())
        self._fetch: _Fetch | None = None

    def __aiter__(self) -> AsyncPages[Item]:
        return self

    async def __anext__(self) -> Item:
        while True:
            for item in self._page:
                return item
            # A page stays where it is until it is taken, whatever happened to who waited for it.
            page = self._native.take()
            if page is not None:
                self._page = iter(page)
            elif self._native.is_over():
                raise StopAsyncIteration
            else:
                await self._fetched()

    async def _fetched(self) -> None:
        if self._fetch is None:
            native = self._native.fetch()
            self._fetch = _Fetch(AsyncCall(Call(native, "pages", False, self._drain), self._waker))
        fetch = self._fetch
        fetch.waiting += 1
        try:
            await fetch.call.result()
        finally:
            fetch.waiting -= 1
            if not fetch.waiting:
                # Nobody waits for it any more. One that is over stays as it is.
                fetch.call.cancel()
            if self._fetch is fetch and fetch.call.poll() == "done":
                self._fetch = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out so far."""
        return self._native.is_complete()
