"""Lets coroutines wait for what only a descriptor tells."""

from __future__ import annotations

import asyncio
import threading
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    Taken = typing.TypeVar("Taken")

    class Handle(typing.Protocol):
        """What can make the descriptor readable."""

        def _take(self) -> bool: ...
else:
    from ._later import abc, typing


class Waker:
    """Watches a descriptor for the coroutines that wait, in each of their event loops."""

    def __init__(self, fileno: abc.Callable[[], int]) -> None:
        self._fileno = fileno
        # Loops of several threads may meet here.
        self._lock = threading.RLock()
        # The descriptor that each loop watches, and who waits there for what.
        self._loops: dict[
            asyncio.AbstractEventLoop, tuple[int, dict[asyncio.Future[None], abc.Callable[[], bool]]]
        ] = {}
        # Everything that can make the descriptor readable: what is not taken would keep it so.
        self._handles: weakref.WeakSet[Handle] = weakref.WeakSet()

    def add(self, handle: Handle) -> None:
        """From now on what this handle has is taken when the descriptor is readable."""
        with self._lock:
            self._handles.add(handle)

    async def until(self, is_met: abc.Callable[[], bool]) -> None:
        """Waits until that is so."""
        if is_met():
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            if loop not in self._loops:
                descriptor = self._fileno()
                loop.add_reader(descriptor, self.look)
                self._loops[loop] = descriptor, {}
            descriptor, waiting = self._loops[loop]
            waiting[future] = is_met
        try:
            # Between the first look and the watch something may have come.
            with self._lock:
                is_there = is_met()
            if not is_there:
                await future
        finally:
            with self._lock:
                waiting.pop(future, None)
                if not waiting and self._loops.get(loop, (0, None))[1] is waiting:
                    del self._loops[loop]
                    loop.remove_reader(descriptor)

    async def taken(
        self,
        take: abc.Callable[[], Taken],
        nothing: Taken,
        is_ready: abc.Callable[[], bool],
        limit: float | None,
    ) -> Taken:
        """What `take` gives, once that is something; `nothing` when it is not within the limit."""
        loop = asyncio.get_running_loop()
        end = None if limit is None else loop.time() + limit
        # Another reader may be faster: then the next one is waited for.
        while (found := take()) == nothing:
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait_for(self.until(is_ready), left)
            except asyncio.TimeoutError:
                return take()
        return found

    def look(self) -> None:
        """Takes what is there, and wakes who waited for it, in whatever loop."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        with self._lock:
            for handle in list(self._handles):
                handle._take()
            for loop, (_, waiting) in list(self._loops.items()):
                met = [future for future, is_met in waiting.items() if not future.done() and is_met()]
                if loop is here:
                    _wake(met)
                elif met and not loop.is_closed():
                    loop.call_soon_threadsafe(_wake, met)


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
