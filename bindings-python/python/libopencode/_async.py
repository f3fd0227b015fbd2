"""The same for asyncio. The native threads do the waiting; the event loop is woken by their descriptor."""

from __future__ import annotations

import asyncio

from ._async_call import AsyncCall, settled
from ._async_events import AsyncEventStream
from ._async_pages import AsyncPages
from ._call import Call, RawResponse
from ._client import ClientBase, arguments_of, function_of, pairs_of, prompt_of, tell
from ._drift import Drift
from ._errors import APITimeoutError
from ._options import call_options, options, seconds
from ._events import EventStream
from ._run import Detached, Reply, Run, Update, not_finished
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from . import _native

    from ._async_pty import AsyncPty
    from ._call_types import AsyncStarter
    from ._client import Prompt
    from ._discover import Diagnosis, ServerInfo
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


class AsyncRun:
    """One prompt on its way to its reply. Made by `AsyncClient.run`; awaiting it gives its reply."""

    def __init__(self, run: Run, client: AsyncClient) -> None:
        self._run = run
        self._client = client
        self._updates: list[Update] = []
        client._waker.add(self)

    def _take(self) -> bool:
        self._run._flush()
        # It only looks: what nobody iterates stays in the core, which keeps no more than there is to show.
        is_ready = self._run._native.is_ready()
        return is_ready or bool(self._updates) or self._run._native.is_drained()

    def _is_over(self) -> bool:
        return self._run.state in ("done", "failed")

    async def __aiter__(self) -> AsyncIterator[Update]:
        while True:
            await self._client._waker.until(self._take)
            if not self._updates:
                if self._run._native.is_drained():
                    return
                self._updates.extend(self._run.poll()[1])
                continue
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
        limit = seconds("timeout", timeout)
        self._run.cancel(0)
        try:
            await asyncio.wait_for(self._client._waker.until(self._is_over), limit)
        except asyncio.TimeoutError:
            pass
        return self._run.state

    def poll(self) -> tuple[State, list[Update]]:
        """The state, and everything that happened since the last poll. Never blocks."""
        state, updates = self._run.poll()
        updates, self._updates = self._updates + updates, []
        return state, updates

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
        """Leaves the run to the server, once its prompt is sent. Raises why the run failed.

        Cancelling the task leaves the run as it is.
        """
        return Detached(**await self._client._settle(self._run._native.start_detach(), "run"))


class AsyncClient(ClientBase, AsyncStarter, AsyncOperations):
    """`Client` for asyncio: operations are awaited, `run` is awaited or iterated.

    async with libopencode.AsyncClient() as client:
        reply = await client.ask("Say pong")
        async for update in client.run("Now count to three"):
            ...
    """

    def _open(self, settings: dict[str, Any]) -> None:
        super()._open(settings)
        self._waker = Waker(self._native.fd)

    async def _settle(self, native: _native.Call, name: str, raw: bool = False) -> Any:
        call: Call[Any] = Call(native, name, raw, self._drain)
        return await settled(AsyncCall(call, self._waker))

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
        call: AsyncCall[Any] = self.start(
            operation,
            arguments,
            timeout=timeout,
            directory=directory,
            workspace=workspace,
            max_retries=max_retries,
            extra_headers=extra_headers,
        )
        return await settled(call)

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
        return await settled(call)

    if not TYPE_CHECKING:

        def start(self, operation, *args, **given):
            """Does an operation in the background and returns at once. Takes what `Client.start` takes."""
            return AsyncCall(Call(*self._start(operation, args, given), self._drain), self._waker)

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
        return await self._settle(native, "request", raw)

    async def drift(self, *, timeout: float | None = None) -> Drift:
        """Compares what the server says it can do with the operations that this package knows."""
        return Drift((await self.call_raw("doc.get", timeout=timeout)).body)

    def run(self, prompt: Prompt, **given: Any) -> AsyncRun:
        """Sends a prompt and returns at once. Takes the names of `Client.run`."""
        return AsyncRun(Run(self._native.run(prompt_of(prompt, given)), self._drain), self)

    async def ask(self, prompt: Prompt, *, timeout: float | None = None, **given: Any) -> Reply:
        """Sends a prompt and gives its reply, waiting at most `timeout` seconds for it.

        The policy "ask" is refused, as there is nothing to answer with. Cancelling the task leaves the prompt to the
        server. Raises what `Client.ask` raises.
        """
        limit = seconds("timeout", timeout)
        run = AsyncRun(Run(self._native.run(prompt_of(prompt, given), True), self._drain), self)
        try:
            return await asyncio.wait_for(run.result(), limit)
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
        return AsyncPages(native, self._drain, self._waker)

    def sessions(self, **given: Any) -> AsyncPages[GlobalSession]:
        """The sessions, the one that changed last first, for `async for`. Takes the names of `Client.sessions`."""
        return AsyncPages(self._native.sessions(options(given)), self._drain, self._waker)

    if TYPE_CHECKING:

        @property
        def pty(self) -> AsyncPtyOpener:
            """The operations on terminals; awaiting a call of it starts a program in one."""

    async def _pty(self, given: dict[str, Any]) -> AsyncPty:
        from ._async_pty import opened

        return await opened(self, given)

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
        return usage_of(await self._settle(self._native.start_usage(session, given), "usage"))

    async def tui_prompt(self, text: str) -> None:
        """Types a prompt into every attached terminal interface and submits it."""
        await self._settle(self._native.start_tui_prompt(text), "tui_prompt")

    def tui_control(self) -> AsyncTuiControl:
        """The requests of a terminal interface that is controlled by programs."""
        from ._async_tui import AsyncTuiControl

        return AsyncTuiControl(self)

    async def server(self) -> ServerInfo:
        """Asks the server what it is, as `Client.server`."""
        from ._discover import ServerInfo

        return ServerInfo(await self._settle(self._native.start_server(), "server"))

    async def doctor(self) -> Diagnosis:
        """Looks what works and what does not, as `Client.doctor`; never more than five seconds."""
        from ._discover import Diagnosis

        return Diagnosis(await self._settle(self._native.start_doctor(), "doctor"))

    async def close(self) -> None:
        """Ends all runs, calls and streams of this side and joins all threads, within a second.

        Prompts that are not sent yet get a second before that; what is lost all the same is a RuntimeWarning. Who is
        cancelled waits no longer; the client is closed all the same.
        """
        closing: Call[str | None] = Call(self._native.start_close(), "close", False)
        try:
            lost = await AsyncCall(closing, self._waker).result()
        finally:
            # Who waits for what will not come any more is told.
            self._waker.look()
            self._flush()
        tell(lost)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

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
