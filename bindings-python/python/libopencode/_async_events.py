"""Event streams for asyncio."""

from __future__ import annotations

import asyncio

from ._errors import ClosedError
from ._events import Event, EventStream
from ._options import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import abc

    from . import _async_base as base

else:
    from ._later import Later, abc

    base = Later("libopencode._async_base")


class AsyncEventStream:
    """What happens on the server, event by event. Made by `AsyncClient.events`.

    Iterating ends when the stream or its client is closed. Belongs to one event loop.
    """

    def __init__(self, stream: EventStream, client: base.AsyncClientBase) -> None:
        self._stream = stream
        self._client = client
        client._waker.add(self)

    def _take(self) -> bool:
        return self._stream._native.is_ready()

    def poll(self) -> Event | None:
        """The next event when one is there."""
        return self._stream.poll()

    async def next(self, timeout: float | None = None) -> Event | None:
        """The next event, waiting at most `timeout` seconds; None when none came in time.

        Raises what `EventStream.next` raises.
        """
        limit = seconds("timeout", timeout)
        loop = asyncio.get_running_loop()
        end = None if limit is None else loop.time() + limit
        # Another reader may be faster: then the next one is waited for.
        while (event := self.poll()) is None:
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait_for(self._client._waker.until(self._take), left)
            except asyncio.TimeoutError:
                return self.poll()
        return event

    async def __aiter__(self) -> abc.AsyncIterator[Event]:
        while True:
            try:
                event = await self.next()
            except ClosedError:
                return
            if event is not None:
                yield event

    @property
    def is_over(self) -> bool:
        """Whether the stream was closed or has failed."""
        return self._stream.is_over

    def close(self) -> None:
        """Ends the stream; who waits for an event is woken."""
        self._stream.close()
        self._client._waker.look()

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
