"""Lets coroutines wait for what only a descriptor tells."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref

from ._errors import InvalidArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from ._tools import Toolbox

    Taken = typing.TypeVar("Taken")

    class Handle(typing.Protocol):
        """What can make the descriptor readable."""

        def _take(self) -> bool: ...

    #: The coroutines that wait for one handle: the loop of each, and what it waits for.
    Waiting = dict[asyncio.Future[None], tuple[asyncio.AbstractEventLoop, abc.Callable[[], bool]]]
else:
    from ._later import abc, typing


def check_loop() -> None:
    """Refuses what is asked for where no asyncio is, before anything is sent."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        what = "AsyncClient needs a running event loop of asyncio"
        if other_loop() is not None:
            what += f", and this is {other_loop()}"
        raise InvalidArgumentError(f"{what}; use Client in a worker thread there") from None


def check_no_other_loop() -> None:
    """Refuses what another library than asyncio would await, before anything is sent."""
    if other_loop() is not None:
        check_loop()


def other_loop() -> str | None:
    """The library that runs the coroutine here, when that is another than asyncio."""
    trio = sys.modules.get("trio")
    return "trio" if trio is not None and trio.lowlevel.in_trio_run() else None


class Waker:
    """Watches a descriptor for the coroutines that wait, in each of their event loops.

    `take_new` gives the marks of the handles that have something new: only those are looked at, however many there are.
    """

    def __init__(self, fileno: abc.Callable[[], int], take_new: abc.Callable[[], abc.Sequence[int]]) -> None:
        self._fileno = fileno
        self._take_new = take_new
        # Loops of several threads may meet here.
        self._lock = threading.RLock()
        # The descriptor that each loop watches, and how many coroutines wait there.
        self._loops: dict[asyncio.AbstractEventLoop, tuple[int, int]] = {}
        self._waiting: dict[int, Waiting] = {}
        # Everything that can make the descriptor readable: what is not taken would keep it so.
        self._handles: weakref.WeakValueDictionary[int, Handle] = weakref.WeakValueDictionary()
        self._toolboxes: weakref.WeakValueDictionary[int, Toolbox] = weakref.WeakValueDictionary()
        # Nothing is noted before it is asked for.
        take_new()

    def add(self, mark: int, handle: Handle) -> None:
        """From now on what this handle has is taken when the descriptor is readable."""
        with self._lock:
            self._handles[mark] = handle

    def serve(self, mark: int, toolbox: Toolbox) -> None:
        """The same for tools. Their handlers may do anything: they run when nothing is held any more."""
        with self._lock:
            self._toolboxes[mark] = toolbox

    async def until(self, mark: int, is_met: abc.Callable[[], bool]) -> None:
        """Waits until that is so; the handle with this mark is what can make it so."""
        if is_met():
            return
        check_loop()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            self._watch(loop)
            self._waiting.setdefault(mark, {})[future] = loop, is_met
        try:
            # Between the first look and the watch something may have come.
            with self._lock:
                is_there = is_met()
            if not is_there:
                await future
        finally:
            with self._lock:
                waiting = self._waiting[mark]
                del waiting[future]
                if not waiting:
                    del self._waiting[mark]
                self._unwatch(loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        for other in [other for other in self._loops if other.is_closed()]:
            del self._loops[other]
        if loop not in self._loops:
            descriptor = self._fileno()
            loop.add_reader(descriptor, self._readable)
            self._loops[loop] = descriptor, 0
        descriptor, count = self._loops[loop]
        self._loops[loop] = descriptor, count + 1

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        descriptor, count = self._loops.get(loop, (0, 0))
        if count > 1:
            self._loops[loop] = descriptor, count - 1
        elif count == 1:
            del self._loops[loop]
            loop.remove_reader(descriptor)

    async def taken(
        self,
        mark: int,
        take: abc.Callable[[], Taken],
        nothing: Taken,
        is_ready: abc.Callable[[], bool],
        limit: float | None,
    ) -> Taken:
        """What `take` gives, once that is something; `nothing` when it is not within the limit."""
        check_loop()
        loop = asyncio.get_running_loop()
        end = None if limit is None else loop.time() + limit
        # Another reader may be faster: then the next one is waited for.
        while (found := take()) == nothing:
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait_for(self.until(mark, is_ready), left)
            except asyncio.TimeoutError:
                return take()
        return found

    def _readable(self) -> None:
        # Another loop may have taken them. When none has, a look at all of them quiets the descriptor.
        self.look(self._take_new() or None)

    def look(self, marks: abc.Iterable[int] | None = None) -> None:
        """Takes what these handles have, or all, and wakes who waited for it, in whatever loop."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        toolboxes: list[Toolbox] = []
        # One that fails must not keep the others waiting: nothing tells of them again.
        failures: list[BaseException] = []
        with self._lock:
            for mark in {*self._handles, *self._waiting, *self._toolboxes} if marks is None else marks:
                if (toolbox := self._toolboxes.get(mark)) is not None:
                    toolboxes.append(toolbox)
                try:
                    if (handle := self._handles.get(mark)) is not None:
                        handle._take()
                except BaseException as error:
                    failures.append(error)
                for future, (loop, is_met) in list(self._waiting.get(mark, {}).items()):
                    if future.done() or not is_met():
                        continue
                    if loop is here:
                        _wake(future)
                    elif not loop.is_closed():
                        loop.call_soon_threadsafe(_wake, future)
            all_toolboxes = list(self._toolboxes.values())
        for toolbox in toolboxes:
            try:
                toolbox.serve()
            except BaseException as error:
                failures.append(error)
        # Whatever came may be the end of a run whose tools are still at work.
        for toolbox in all_toolboxes:
            toolbox.leave_over()
        if failures:
            raise failures[0]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
