"""Long lists, page by page, newest first."""

from __future__ import annotations

from . import _native
from ._generic import Generic, Item
from ._log import Drain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import abc

else:
    from ._later import abc


class Pages(Generic[Item]):
    """An iterator over a long list that is fetched page by page. Made by `Client.messages` and `Client.sessions`.

    It holds one page at a time, and fetches none that nobody asked for. An error ends it.
    """

    __slots__ = ("_drain", "_native", "_page")

    def __init__(self, native: _native.Pages, drain: Drain | None) -> None:
        self._native = native
        self._drain = drain
        self._page: abc.Iterator[Item] = iter(())

    def __iter__(self) -> Pages[Item]:
        return self

    def __next__(self) -> Item:
        for item in self._page:
            return item
        try:
            page = self._native.next_page()
        finally:
            if self._drain is not None:
                self._drain()
        if page is None:
            raise StopIteration
        self._page = iter(page)
        return next(self._page)

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out so far.

        The server cannot give the first message of a session when that was a prompt with a `format`.
        """
        return self._native.is_complete()
