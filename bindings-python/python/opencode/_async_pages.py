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

    def __aiter__(self) -> AsyncPages[Item]:
        return self

    async def __anext__(self) -> Item:
        for item in self._page:
            return item
        try:
            page = await asyncio.to_thread(self._pages._native.next_page)
        finally:
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
