"""The same for asyncio. The native threads do the waiting; the event loop is woken by their descriptor."""

from __future__ import annotations

import asyncio
import weakref

from ._async_events import AsyncEventStream
from ._async_pages import AsyncPages
from ._call import Call, RawResponse
from ._client import ClientBase, arguments_of, function_of, pairs_of, prompt_of, tell
from ._drift import Drift
from ._errors import APITimeoutError
from ._generic import Answer, Generic
from ._options import call_options, options
from ._events import EventStream
from ._pages import Pages
from ._run import Detached, Reply, Run, Update, not_finished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Mapping
    from typing import Any, Literal

    from ._async_pty import AsyncPty
    from ._call_types import AsyncStarter
    from ._client import Prompt
    from ._discover import Diagnosis
    from ._errors import OpencodeError
    from ._operations import AsyncOperations
    from ._pty_types import AsyncPtyOpener
    from ._async_tui import AsyncTuiControl
    from ._usage import Usage
    from ._run import State
    from .types import GlobalSession
    from .types import SessionMessagesAnswerItem as MessageWithParts
else:
    AsyncOperations = object

    class AsyncStarter:
        """What type checkers know of `start` stands in a stub."""


class _Waker:
    """Lets coroutines wait for what only the client's descriptor tells."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}
        # Everything that can make the descriptor readable: what is not taken would keep it so.
        self._handles: weakref.WeakSet[AsyncCall[Any] | AsyncRun | AsyncEventStream | AsyncPty] = (
            weakref.WeakSet()
        )

    def add(self, handle: AsyncCall[Any] | AsyncRun | AsyncEventStream | AsyncPty) -> None:
        self._handles.add(handle)

    async def until(self, is_met: Callable[[], bool]) -> None:
        if is_met():
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting[future] = is_met
        if self._loop is not loop:
            self.unwatch()
            loop.add_reader(self._client.fileno(), self.look)
            self._loop = loop
        try:
            # Between the first look and the watch something may have come.
            if not is_met():
                await future
        finally:
            self._waiting.pop(future, None)
            if not self._waiting:
                self.unwatch()

    def look(self) -> None:
        """Takes what is there, and wakes who waited for it."""
        for handle in list(self._handles):
            handle._take()
        for future, is_met in list(self._waiting.items()):
            if not future.done() and is_met():
                future.set_result(None)

    def unwatch(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._client.fileno())
        self._loop = None


class AsyncCall(Generic[Answer]):
    """An operation in the background. Made by `AsyncClient.start`; awaiting it gives its answer."""

    def __init__(self, call: Call[Answer], client: AsyncClient) -> None:
        self._call = call
        self._client = client
        self._is_taken = False
        client._waker.add(self)

    def _take(self) -> bool:
        # Once: every look would read the whole answer again.
        if not self._is_taken and self._call.poll() == "done":
            self._is_taken = self._call.wait(0)
        return self._is_taken

    async def result(self) -> Answer:
        """The answer of the operation; raises what it raised."""
        await self._client._waker.until(self._take)
        return self._call.result(0)

    def __await__(self) -> Generator[Any, Any, Answer]:
        return self.result().__await__()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until the result is there, at most `timeout` seconds; whether it is."""
        try:
            await asyncio.wait_for(self._client._waker.until(self._take), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    def poll(self) -> Literal["pending", "done"]:
        """Whether the result is there. Never blocks; awaiting the call then gives it at once."""
        return self._call.poll()

    def cancel(self) -> None:
        """Ends the request, whatever it waits for."""
        self._call.cancel()


class AsyncRun:
    """One prompt on its way to its reply. Made by `AsyncClient.run`; awaiting it gives its reply."""

    def __init__(self, run: Run, client: AsyncClient) -> None:
        self._run = run
        self._client = client
        self._updates: list[Update] = []
        client._waker.add(self)

    def _take(self) -> bool:
        _, updates = self._run.poll()
        self._updates.extend(updates)
        return bool(self._updates) or self._is_over()

    def _is_over(self) -> bool:
        return self._run.state in ("done", "failed")

    async def __aiter__(self) -> AsyncIterator[Update]:
        while True:
            await self._client._waker.until(self._take)
            if not self._updates:
                return
            update = self._updates.pop(0)
            yield update
            if update.type in ("done", "failed"):
                return

    async def result(self) -> Reply:
        """The reply; raises why the run failed."""
        await self._client._waker.until(self._is_over)
        return self._run.result(0)

    def __await__(self) -> Any:
        return self.result().__await__()

    async def cancel(self, timeout: float = 10.0) -> State:
        """Ends the run: the server is told to stop, and the run is over when it did."""
        self._run.cancel(0)
        try:
            await asyncio.wait_for(self._client._waker.until(self._is_over), timeout)
        except asyncio.TimeoutError:
            pass
        return self._run.state

    def poll(self) -> tuple[State, list[Update]]:
        """The state, and everything that happened since the last poll. Never blocks."""
        self._take()
        updates, self._updates = self._updates, []
        return self._run.state, updates

    @property
    def state(self) -> State:
        """`pending`, `waiting`, `done` or `failed`."""
        return self._run.state

    @property
    def reply(self) -> Reply | None:
        """The reply once the run is over; of a failed one, as far as it came."""
        return self._run.reply

    @property
    def error(self) -> OpencodeError | None:
        """Why the run failed, once it did."""
        return self._run.error

    @property
    def text(self) -> str:
        """The text so far."""
        return self._run.text

    @property
    def sessionID(self) -> str | None:
        """The session, once it is known."""
        return self._run.sessionID

    @property
    def messageID(self) -> str | None:
        """The user message that the prompt becomes; None until the prompt is sent, unless you gave its id."""
        return self._run.messageID

    def why(self) -> str:
        """Why it is not moving, in one line."""
        return self._run.why()

    def reply_permission(self, id: str, reply: Any, message: str | None = None) -> None:
        """Answers a permission update."""
        self._run.reply_permission(id, reply, message)

    def reply_question(self, id: str, answers: Any) -> None:
        """Answers a question update. None dismisses it."""
        self._run.reply_question(id, answers)

    async def detach(self) -> Detached:
        """Leaves the run to the server, once its prompt is sent."""
        while True:
            try:
                # In slices: a thread that waits for ever would keep a loop that is over from ending.
                return await asyncio.to_thread(self._run.detach, 0.5)
            except APITimeoutError:
                if self._is_over():
                    raise


class AsyncClient(ClientBase, AsyncStarter, AsyncOperations):
    """`Client` for asyncio: operations are awaited, `run` is awaited or iterated.

    async with opencode.AsyncClient() as client:
        reply = await client.ask("Say pong")
        async for update in client.run("Now count to three"):
            ...
    """

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._waker = _Waker(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._waker = _Waker(self)

    async def call(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Does an operation by its name and gives its answer. Cancelling the task ends the request."""
        return await self._settle(
            self.start(
                operation,
                arguments,
                timeout=timeout,
                directory=directory,
                workspace=workspace,
                max_retries=max_retries,
                extra_headers=extra_headers,
            )
        )

    async def call_raw(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        """Like `call`, and gives the answer as it came: status, headers and bytes."""
        call = self.start(
            operation,
            arguments,
            timeout=timeout,
            directory=directory,
            workspace=workspace,
            max_retries=max_retries,
            extra_headers=extra_headers,
            raw=True,
        )
        return await self._settle(call)

    if not TYPE_CHECKING:

        def start(self, operation, *args, **given):
            """Does an operation in the background and returns at once. Takes what `Client.start` takes."""
            return AsyncCall(Call(*self._start(operation, args, given), self._drain), self)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        raw: bool = False,
    ) -> Any:
        """Sends a request that this version does not know as an operation. Cancelling the task ends it."""
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace)
        native = self._native.start_request(method, path, (pairs_of(query), body), settings)
        call: Call[Any] = Call(native, "request", raw, self._drain)
        return await self._settle(AsyncCall(call, self))

    async def drift(self, *, timeout: float | None = None) -> Drift:
        """Compares what the server says it can do with the operations that this package knows."""
        return Drift((await self.call_raw("doc.get", timeout=timeout)).body)

    def run(self, prompt: Prompt, **given: Any) -> AsyncRun:
        """Sends a prompt and returns at once. Takes the names of `Client.run`."""
        return AsyncRun(Run(self._native.run(prompt_of(prompt, given)), self._drain), self)

    async def ask(self, prompt: Prompt, *, timeout: float | None = None, **given: Any) -> Reply:
        """Sends a prompt and gives its reply, waiting at most `timeout` seconds for it.

        Cancelling the task leaves the prompt to the server. Raises what `Client.ask` raises.
        """
        run = self.run(prompt, **given)
        try:
            return await asyncio.wait_for(run.result(), timeout)
        except asyncio.TimeoutError as error:
            # A run may fail in this way by itself.
            if isinstance(error, APITimeoutError):
                raise
            raise not_finished(run._run, timeout) from None

    def resume(self, session: str, message: str, **given: Any) -> AsyncRun:
        """Picks up a run that was started elsewhere."""
        return AsyncRun(Run(self._native.resume(session, message, options(given)), self._drain), self)

    def events(self, **given: Any) -> AsyncEventStream:
        """What happens on the server, event by event. Takes the names of `Client.events`."""
        return AsyncEventStream(EventStream(self._native.events(options(given)), self._drain), self)

    def messages(self, session: str, *, page: int | None = None) -> AsyncPages[MessageWithParts]:
        """The messages of a session, newest first, for `async for`. See `Client.messages`."""
        native = self._native.messages(session, options({"page": page}))
        return AsyncPages(Pages(native, self._drain))

    def sessions(self, **given: Any) -> AsyncPages[GlobalSession]:
        """The sessions, the one that changed last first, for `async for`. Takes the names of `Client.sessions`."""
        return AsyncPages(Pages(self._native.sessions(options(given)), self._drain))

    if TYPE_CHECKING:

        @property
        def pty(self) -> AsyncPtyOpener:
            """The operations on terminals; awaiting a call of it starts a program in one."""

    async def _pty(self, given: dict[str, Any]) -> AsyncPty:
        from ._async_pty import AsyncPty

        return AsyncPty(await asyncio.to_thread(self._native.pty, given), self)

    def pty_connect(self, id: str, **given: Any) -> AsyncPty:
        """Connects to a terminal that exists, and returns at once. Takes the names of `Client.pty_connect`."""
        from ._async_pty import AsyncPty

        return AsyncPty(self._native.pty_connect(id, options(given)), self)

    async def usage(
        self,
        session: str,
        *,
        tree: bool = True,
        messages: bool = False,
        directory: str | None = None,
    ) -> Usage:
        """Adds up what a session used, with its subagents unless `tree` is False."""
        from ._usage import usage_of

        given = options({"tree": tree, "messages": messages, "directory": directory})
        return usage_of(await asyncio.to_thread(self._native.usage, session, given))

    async def tui_prompt(self, text: str) -> None:
        """Types a prompt into every attached terminal interface and submits it."""
        await asyncio.to_thread(self._native.tui_prompt, text)

    def tui_control(self) -> AsyncTuiControl:
        """The requests of a terminal interface that is controlled by programs."""
        from ._async_tui import AsyncTuiControl

        return AsyncTuiControl(self)

    async def doctor(self) -> Diagnosis:
        """Looks what works and what does not, as `Client.doctor`; never more than five seconds."""
        from ._discover import Diagnosis

        return Diagnosis(await asyncio.to_thread(self._native.doctor))

    async def close(self) -> None:
        """Ends all runs, calls and streams of this side and joins all threads, within a second.

        Prompts that are not sent yet get a second before that; what is lost all the same is a RuntimeWarning.
        """
        lost = await asyncio.to_thread(self._native.close)
        # Who waits for what will not come any more is told.
        self._waker.look()
        self._waker.unwatch()
        self._flush()
        tell(lost)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _settle(self, call: AsyncCall[Answer]) -> Answer:
        try:
            return await call.result()
        except asyncio.CancelledError:
            call.cancel()
            raise

    def _operation(self, name: str, positional: tuple[str, ...], doc: str) -> Any:
        async def operation(
            *args: Any,
            timeout: float | None = None,
            max_retries: int | None = None,
            extra_headers: Mapping[str, str] | None = None,
            **given: Any,
        ) -> Any:
            arguments = arguments_of(name, positional, args, given)
            return await self.call(
                name,
                arguments,
                timeout=timeout,
                max_retries=max_retries,
                extra_headers=extra_headers,
            )

        return function_of(self, operation, name, positional, doc)
