"""Long lists for asyncio."""

from __future__ import annotations

import asyncio

from ._generic import Generic, Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._pages import Pages


class AsyncPages(Generic[Item]):
    """`Pages` for `async for`. Pages are fetched in a thread of the event loop's own pool."""

    def __init__(self, pages: Pages[Item]) -> None:
        self._pages = pages
        self._page: Iterator[Item] = iter(())
        # Outlives a task that is cancelled while it waits: its page would be lost.
        self._fetch: asyncio.Task[list[Item] | None] | None = None

    def __aiter__(self) -> AsyncPages[Item]:
        return self

    async def __anext__(self) -> Item:
        for item in self._page:
            return item
        if self._fetch is None:
            fetch = asyncio.to_thread(self._pages._native.next_page)
            self._fetch = asyncio.ensure_future(fetch)
        fetching = self._fetch
        try:
            page = await asyncio.shield(fetching)
        finally:
            if fetching.done() and self._fetch is fetching:
                self._fetch = None
            if self._pages._drain is not None:
                self._pages._drain()
        if page is None:
            raise StopAsyncIteration
        self._page = iter(page)
        return next(self._page)

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out so far."""
        return self._pages.is_complete
