"""Event streams for asyncio."""

from __future__ import annotations

from . import _native
from ._errors import ClosedError
from ._events import Event, EventStreamBase
from ._log import Drain
from ._options import seconds
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import abc

else:
    from ._later import abc


class AsyncEventStream(EventStreamBase):
    """What happens on the server, event by event. Made by `AsyncClient.events`.

    Iterating ends when the stream or its client is closed. Belongs to one event loop.
    """

    def __init__(self, native: _native.EventStream, drain: Drain | None, waker: Waker) -> None:
        super().__init__(native, drain)
        self._waker = waker
        self._mark = native.mark()
        self._waiting = 0
        waker.add(self._mark, self)

    def _take(self) -> bool:
        return self._native.is_ready()

    def poll(self) -> Event | None:
        """The next event when one is there. Never blocks. Raises what `next` raises."""
        return self._look(self._waiting)

    def _poll_beside_others(self) -> Event | None:
        return self._look(self._waiting - 1)

    async def next(self, timeout: float | None = None) -> Event | None:
        """The next event, waiting at most `timeout` seconds; None when none came in time.

        Raises what `EventStream.next` raises.
        """
        if (event := self._held()) is not None:
            return event
        self._waiting += 1
        try:
            return await self._waker.taken(self._mark, self._poll_beside_others, None, self._take, seconds("timeout", timeout))
        finally:
            self._waiting -= 1

    async def __aiter__(self) -> abc.AsyncIterator[Event]:
        while True:
            try:
                event = await self.next()
            except ClosedError:
                return
            while event is not None:
                yield event
                event = self._held()

    def close(self) -> None:
        """Ends the stream; who waits for an event is woken."""
        self._native.close()
        self._waker.look((self._mark,))

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
