"""Runs for asyncio."""

from __future__ import annotations

import asyncio

from . import _native
from ._async_call import AsyncCall, settled
from ._call import Call
from ._detached import Detached
from ._generic import Parsed
from ._log import Drain
from ._options import seconds
from ._run import RunBase
from ._updates import Reply, Update
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _shapes as shapes
else:
    from ._later import abc, shapes, typing


class AsyncRun(RunBase[Parsed]):
    """One prompt on its way to its reply. Made by `AsyncClient.run`; awaiting it gives its reply.

    The prompt goes its way when the object is dropped, and when a task that waits for it is cancelled. In
    `async with client.run(...) as run:` it is cancelled at the end, unless it is over: so a web handler that streams ends
    the agent when the browser leaves.
    """

    def __init__(
        self,
        native: _native.Run,
        drain: Drain | None,
        waker: Waker,
        read: abc.Callable[[typing.Any], Parsed] | None = None,
    ) -> None:
        super().__init__(native, drain, read)
        self._waker = waker
        self._mark = native.mark()
        self._updates: list[Update] = []
        waker.add(self._mark, self)

    def _take(self) -> bool:
        self._flush()
        # It only looks: what nobody iterates stays in the core, which keeps no more than there is to show.
        is_ready = self._native.is_ready()
        return is_ready or bool(self._updates) or bool(self._held) or self._native.is_drained()

    def _is_over(self) -> bool:
        return self.state in ("done", "failed")

    async def __aiter__(self) -> abc.AsyncIterator[Update]:
        while True:
            await self._waker.until(self._mark, self._take)
            if not self._updates:
                if self._native.is_drained() and not self._held:
                    return
                self._updates.extend(super().poll()[1])
                continue
            update = self._updates.pop(0)
            yield update
            if update.type in ("done", "failed"):
                return

    def text_stream(self) -> abc.AsyncIterator[str]:
        """What the run says, and nothing else, as it comes, as `Run.text_stream`: `async for text in run.text_stream()`."""
        self._native.check_text_stream()
        return self._texts()

    async def _texts(self) -> abc.AsyncIterator[str]:
        async for update in self:
            if piece := self._piece(update):
                yield piece

    async def result(self) -> Reply[Parsed]:
        """The reply; raises why the run failed."""
        await self._waker.until(self._mark, self._is_over)
        self._flush()
        return self._outcome()

    async def display(self) -> Reply[Parsed]:
        """Shows text, tools, tokens and cost while the run goes on, as `Run.display`, and gives its reply."""
        from ._show import Screen

        screen = Screen()
        async for update in self:
            screen.take(update)
        return await self.result()

    def __await__(self) -> abc.Generator[typing.Any, None, Reply[Parsed]]:
        return self.result().__await__()

    async def cancel(self, timeout: float = 10.0) -> shapes.State:
        """Ends the run: the server is told to stop, and the run is over when it did."""
        limit = seconds("timeout", timeout)
        self._native.cancel(0)
        try:
            await asyncio.wait_for(self._waker.until(self._mark, self._is_over), limit)
        except asyncio.TimeoutError:
            pass
        return self.state

    async def __aenter__(self) -> AsyncRun[Parsed]:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._is_over():
            # It is asked for before anything is awaited: who is cancelled once more has asked all the same.
            await self.cancel()

    def poll(self) -> tuple[shapes.State, list[Update]]:
        """The state, and everything that happened since the last poll. Never blocks."""
        state, updates = super().poll()
        updates, self._updates = self._updates + updates, []
        # What is taken here makes the descriptor quiet; who waits is told.
        self._waker.look((self._mark,))
        return state, updates

    async def detach(self) -> Detached:
        """Leaves the run to the server, once its prompt is sent. Raises why the run failed.

        Cancelling the task leaves the run as it is.
        """
        call: Call[typing.Any] = Call(self._native.start_detach(), "run", False, self._drain)
        detached = Detached(**await settled(AsyncCall(call, self._waker)))
        if self._span is not None:
            self._span.end(left=True)
        return detached
