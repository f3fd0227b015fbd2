"""Event streams: what happens on the server."""

from __future__ import annotations

from . import _native
from ._errors import ClosedError
from ._log import Drain
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

else:
    from ._later import abc, typing


class Event(Record):
    """One event. Field names and types are the server's, also of events that this version does not know.

    Types of the stream itself: `stream.connected` (from here on nothing is missed), `stream.gap` (the connection
    is lost, or cannot be made, and is tried again; `properties` has `reason` and `kind`), `stream.lagged`
    (`properties["count"]` events were dropped because nobody took them). After each of them, what happened
    before is to be read from the server.
    """

    __slots__ = ()

    # Known fields are found at once, where those of other records are looked for first.
    @property
    def id(self) -> str:
        """The server's id of the event; empty for the few that have none."""
        found: str = self["id"]
        return found

    @property
    def type(self) -> str:
        """Such as `message.part.updated`."""
        found: str = self["type"]
        return found

    @property
    def properties(self) -> dict[str, typing.Any]:
        """What it tells, as the server has it."""
        found: dict[str, typing.Any] = self["properties"]
        return found

    @property
    def directory(self) -> str | None:
        """The directory of the project it belongs to, if any."""
        return self.get("directory")

    def __repr__(self) -> str:
        return f"<libopencode.Event {self.type} {str(self.properties)[:100]}>"


#: Events of one native call. What is not given yet waits in the stream, and is the next reader's.
_BATCH = 256


class EventStreamBase:
    """What streams of blocking and asyncio clients share. None of it blocks."""

    __slots__ = ("_drain", "_native", "_taken")

    def __init__(self, native: _native.EventStream, drain: Drain | None = None) -> None:
        self._native = native
        self._drain = drain
        # The next one is the last.
        self._taken: list[Event] = []

    def _flush(self) -> None:
        if self._drain is not None:
            self._drain()

    def _held(self) -> Event | None:
        """The next of the events that were taken."""
        if not self._taken:
            return None
        if self._native.is_spent:
            # Closed: nobody gets any more.
            self._taken.clear()
        try:
            return self._taken.pop()
        except IndexError:
            # Another thread was faster.
            return None

    def _keep(self, found: list[Event]) -> Event | None:
        if not found:
            return None
        found.reverse()
        first = found.pop()
        # Behind what another thread has put there meanwhile.
        self._taken[:0] = found
        return first

    def poll(self) -> Event | None:
        """The next event when one is there. Never blocks. Raises what `next` raises."""
        return self._look(0)

    def _look(self, others: int) -> Event | None:
        """The next event, beside so many that wait: they would not see what the stream keeps."""
        if (event := self._held()) is not None:
            return event
        self._flush()
        return self._keep(self._native.poll_many(Event, 1 if others else _BATCH))

    @property
    def is_over(self) -> bool:
        """Whether the stream was closed or has failed."""
        return self._native.is_over

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {'over' if self.is_over else 'open'}>"


class EventStream(EventStreamBase):
    """What happens on the server, event by event. Made by `Client.events`.

    Iterating blocks between the events, and ends when the stream or its client is closed; Ctrl-C ends it too.
    May be used from several threads: each event goes to one of them.
    """

    __slots__ = ()

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event, waiting at most `timeout` seconds; None when none came in time.

        Raises ClosedError after `close`, and AuthenticationError, PermissionDeniedError or
        UnsupportedError when the server will never give its events.
        """
        if (event := self._held()) is not None:
            return event
        try:
            return self._keep(self._native.take_many(Event, timeout, _BATCH))
        finally:
            self._flush()

    def __iter__(self) -> abc.Iterator[Event]:
        while True:
            try:
                event = self.next()
            except ClosedError:
                return
            while event is not None:
                yield event
                # As `_held` does, without a call for each event.
                if self._taken and not self._native.is_spent:
                    try:
                        event = self._taken.pop()
                    except IndexError:
                        event = None
                else:
                    event = self._held()

    def close(self) -> None:
        """Ends the stream; who waits for an event is woken. Never blocks."""
        self._native.close()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
