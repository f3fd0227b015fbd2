"""What asyncio clients do, behind the methods that take options.

The native threads do the waiting; the event loop is woken by their descriptor.
"""

from __future__ import annotations

import asyncio
import os

from . import _native
from ._async_call import AsyncCall, settled
from ._async_events import AsyncEventStream
from ._async_pages import AsyncPages
from ._async_run import AsyncRun
from ._call import Call, RawResponse
from ._client_base import ClientBase, pairs_of, prompt_of, take_format, tell, tell_losses, watch_exit
from ._drift import Drift
from ._errors import APITimeoutError
from ._namespace import arguments_of, function_of
from ._options import call_options, options, seconds
from ._run import give_up, not_finished
from ._tracing import carried, traced
from ._updates import Reply
from ._waker import Waker, check_no_other_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _async_tui as tui
    from . import _tools as tools
    from . import _discover as discover
    from . import _export as export
    from ._async_pty import AsyncPty
    from ._usage import Ready, Usage
else:
    from ._later import Later, abc, typing

    discover = Later("libopencode._discover")
    export = Later("libopencode._export")
    tools = Later("libopencode._tools")
    tui = Later("libopencode._async_tui")


class AsyncClientBase(ClientBase):
    """What an asyncio client does."""

    _pty_opener = "AsyncPtyOpener"
    _tool_opener = "AsyncToolOpener"

    def _open(self, settings: dict[str, typing.Any]) -> None:
        super()._open(settings)
        self._waker = Waker(self._native.fd, self._native.take_new)

    def _make_toolbox(self) -> tools.Toolbox:
        is_new = not self._toolboxes
        toolbox = super()._make_toolbox()
        if is_new:
            self._waker.serve(self._native.tools_mark(), toolbox)
        return toolbox

    @property
    def _here(self) -> _native.Client:
        check_no_other_loop()
        return super()._here

    async def _settle(self, native: _native.Call, name: str, raw: bool = False) -> typing.Any:
        call: Call[typing.Any] = Call(native, name, raw, self._drain)
        return await settled(AsyncCall(call, self._waker))

    async def _call_with(
        self, operation: str, arguments: abc.Mapping[str, typing.Any] | None, given: dict[str, typing.Any], raw: bool = False
    ) -> typing.Any:
        native = self._here.start(operation, dict(arguments or {}), carried(options(given) or None))
        found = await self._settle(native, operation, raw)
        return (found.status, found.headers, found.body) if raw else found

    if not TYPE_CHECKING:

        def start(self, operation, *args, **given):
            """Does an operation in the background and returns at once. Takes what `Client.start` takes."""
            return AsyncCall(Call(*self._start(operation, args, given), self._drain), self._waker)

    async def _request(
        self,
        method: str,
        path: str,
        content: tuple[abc.Mapping[str, typing.Any] | None, typing.Any],
        given: dict[str, typing.Any],
        raw: bool,
    ) -> typing.Any:
        query, body = content
        settings = carried(options(given) or None)
        native = self._here.start_request(method, path, (pairs_of(query), body), settings)
        return await self._settle(native, "request", raw)

    async def drift(self, *, timeout: float | None = None) -> Drift:
        """Compares what the server says it can do with the operations that this package knows."""
        native = self._here.start("doc.get", {}, carried(call_options(timeout)))
        answer: RawResponse = await self._settle(native, "doc.get", True)
        return Drift(answer.body)

    def _run(self, prompt: typing.Any, given: dict[str, typing.Any]) -> AsyncRun[typing.Any]:
        watch_exit()
        read = take_format(given)
        return self._begin(AsyncRun, prompt_of(prompt, given), False, self._waker, read)

    async def _ask(
        self, prompt: typing.Any, timeout: typing.Any, leave: bool, show: bool, given: dict[str, typing.Any]
    ) -> Reply[typing.Any]:
        limit = seconds("timeout", timeout)
        read = take_format(given)
        run = self._begin(AsyncRun, prompt_of(prompt, given), True, self._waker, read)
        try:
            return await asyncio.wait_for(run.display() if show else run.result(), limit)
        except asyncio.TimeoutError as error:
            # A run may fail in this way by itself.
            if isinstance(error, APITimeoutError):
                raise
            late = not_finished(run, limit)
            late.run = give_up(run)
            raise late from None
        except asyncio.CancelledError:
            if not leave:
                # It only asks for it: who is cancelled waits no longer.
                run._native.cancel(0)
            raise

    def _resume(self, session: str, message: str, given: dict[str, typing.Any]) -> AsyncRun[typing.Any]:
        read = take_format(given)
        return self._pick_up(AsyncRun, session, message, options(given), self._waker, read)

    def _compact(self, session: str, given: dict[str, typing.Any]) -> AsyncRun[typing.Any]:
        return self._summarize(AsyncRun, session, options(given), self._waker, None)

    def _events(self, given: dict[str, typing.Any]) -> AsyncEventStream:
        return AsyncEventStream(self._here.events(options(given)), self._drain, self._waker)

    def _messages(self, session: str, given: dict[str, typing.Any]) -> AsyncPages[typing.Any]:
        return AsyncPages(self._here.messages(session, traced(options(given))), self._drain, self._waker)

    def _sessions(self, given: dict[str, typing.Any]) -> AsyncPages[typing.Any]:
        return AsyncPages(self._here.sessions(traced(options(given))), self._drain, self._waker)

    async def _pty(self, command: str | None, args: typing.Any, given: dict[str, typing.Any]) -> AsyncPty:
        from ._async_pty import AsyncPty
        from ._pty import started

        opening = self._here.start_pty(traced(started(command, args, given)))
        call: AsyncCall[None] = AsyncCall(Call(opening.call(), "pty", False, self._drain), self._waker)
        try:
            await call.result()
        except asyncio.CancelledError:
            made = opening.cancel()
            if made is not None:
                made.start_kill()
            raise
        taken = opening.take()
        assert taken is not None
        return AsyncPty(taken, self._drain, self._waker)

    def _pty_connect(self, id: str, given: dict[str, typing.Any]) -> AsyncPty:
        from ._async_pty import AsyncPty

        return AsyncPty(self._here.pty_connect(id, traced(options(given))), self._drain, self._waker)

    async def _ready(self, given: dict[str, typing.Any]) -> Ready:
        from ._usage import Ready

        native = self._here.start("wait_until_ready", options(given), carried(None))
        return Ready(await self._settle(native, "wait_until_ready"))

    async def _usage(self, session: str | None, given: dict[str, typing.Any]) -> Usage:
        from ._usage import asked, usage_of

        name, arguments = asked(session, given)
        return usage_of(await self._settle(self._here.start(name, arguments, carried(None)), name))

    def _export(self, session: str, given: dict[str, typing.Any]) -> AsyncPages[str]:
        return AsyncPages(self._here.export(session, traced(options(given))), self._drain, self._waker)

    async def _export_to(self, session: str, path: typing.Any, given: dict[str, typing.Any]) -> export.Exported:
        from ._export import Exported

        arguments = {"sessionID": session, "path": os.fspath(path), **options(given)}
        return Exported(await self._settle(self._here.start("export", arguments, carried(None)), "export"))

    async def tui_prompt(self, text: str) -> None:
        """Types a prompt into every attached terminal interface and submits it."""
        await self._settle(self._here.start_tui_prompt(text), "tui_prompt")

    def tui_control(self) -> tui.AsyncTuiControl:
        """The requests of a terminal interface that is controlled by programs."""
        from ._async_tui import AsyncTuiControl

        return AsyncTuiControl(self._here, self._drain, self._waker)

    async def server(self) -> discover.ServerInfo:
        """Asks the server what it is, as `Client.server`."""
        from ._discover import ServerInfo

        return ServerInfo(await self._settle(self._here.start_server(), "server"))

    async def doctor(self) -> discover.Diagnosis:
        """Looks what works and what does not, as `Client.doctor`; never more than five seconds."""
        from ._discover import Diagnosis

        return Diagnosis(await self._settle(self._here.start_doctor(), "doctor"))

    async def close(self) -> None:
        """Ends all runs, calls and streams of this side and joins all threads, within a second.

        Prompts that are not sent yet get a second before that; what is lost all the same is a RuntimeWarning. Who is
        cancelled waits no longer; the client is closed all the same.
        """
        closing: Call[str | None] = Call(self._native.start_close(), "close", False)
        if self._toolboxes and not self._is_derived:
            self._toolboxes[0].close()
        try:
            lost = await AsyncCall(closing, self._waker).result()
        finally:
            # Who waits for what will not come any more is told.
            self._waker.look()
            self._flush()
        tell(lost)
        tell_losses()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _operation(self, name: str, positional: tuple[str, ...], doc: str) -> typing.Any:
        async def operation(
            *args: typing.Any,
            timeout: float | None = None,
            max_retries: int | None = None,
            extra_headers: abc.Mapping[str, str] | None = None,
            **given: typing.Any,
        ) -> typing.Any:
            arguments = arguments_of(name, positional, args, given)
            settings = carried(call_options(timeout, max_retries, extra_headers))
            return await self._settle(self._here.start(name, arguments, settings), name)

        return function_of(self, operation, name, positional, doc)
