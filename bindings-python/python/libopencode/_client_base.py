"""What clients do, behind the methods that take options."""

from __future__ import annotations

import atexit
import os
import sys
import warnings

from . import _native
from ._call import Call, RawResponse
from ._drift import Drift
from ._errors import InvalidArgumentError
from ._events import EventStream
from ._log import Drain
from ._namespace import TREE, Namespace, arguments_of, function_of
from ._options import as_dict, as_list, as_path, call_options, options, seconds
from ._pages import Pages
from ._run import Run, give_up
from ._tracing import carried, run_span, traced
from ._updates import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _discover as discover
    from . import _export as export
    from . import _tools as tools
    from . import _tui as tui
    from ._pty import Pty
    from ._run import RunBase
    from ._usage import Ready, Usage

    _Run = typing.TypeVar("_Run", bound=RunBase)
else:
    from ._later import Later, abc, typing

    discover = Later("libopencode._discover")
    export = Later("libopencode._export")
    tools = Later("libopencode._tools")
    tui = Later("libopencode._tui")


class ClientBase:
    """What blocking and asyncio clients share: options, namespaces, closing."""

    def _setup(self, given: dict[str, typing.Any]) -> None:
        for name in ("ca_file", "record"):
            given[name] = as_path(name, given[name])
        self._open(options(_plain(given)))

    #: Whether another client's close ends this one.
    _is_derived = False
    _tool_opener = ""

    def _open(self, settings: dict[str, typing.Any]) -> None:
        #: The tools of this client and of those that were made from it, once there is one.
        self._toolboxes: list[tools.Toolbox] = []
        self._settings = settings
        self._native = _native.Client(settings)
        tell_losses()
        # What the program's logging wants at the moment, unless it is said here.
        self._drain = Drain(self._native, follows="log" not in settings)

    def _with(self, given: dict[str, typing.Any]) -> typing.Any:
        changes = options(_plain(given))
        made = object.__new__(type(self))
        # All but the namespaces, whose functions belong to this client.
        made.__dict__.update((name, value) for name, value in self.__dict__.items() if name not in TREE)
        made._native = self._native.with_options(changes)
        made._is_derived = True
        headers = {**self._settings.get("headers", {}), **changes.get("headers", {})}
        made._settings = {**self._settings, **changes, **({"headers": headers} if headers else {})}
        return made

    @property
    def _here(self) -> _native.Client:
        """The native client, for what begins now."""
        self._drain.follow()
        return self._native

    def _flush(self) -> None:
        self._drain()

    def _start(
        self, operation: typing.Any, args: tuple[typing.Any, ...], given: dict[str, typing.Any]
    ) -> tuple[_native.Call, str, bool]:
        """The call, its name, and whether its raw answer is wanted."""
        if not callable(operation):
            return self._start_named(operation, *args, **given)
        client, name, positional = getattr(operation, "operation", (None, "", ()))
        if client is not self:
            raise InvalidArgumentError("start: give a function of this client, such as client.session.get")
        settings = {key: given.pop(key, None) for key in ("timeout", "max_retries", "extra_headers")}
        arguments = arguments_of(name, positional, args, given)
        return self._here.start(name, arguments, carried(call_options(**settings))), name, False

    def _start_named(
        self,
        operation: str,
        arguments: abc.Mapping[str, typing.Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: abc.Mapping[str, str] | None = None,
        traceparent: str | None = None,
        raw: bool = False,
    ) -> tuple[_native.Call, str, bool]:
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace, traceparent)
        return self._here.start(operation, dict(arguments or {}), carried(settings)), operation, raw

    def _begin(self, make: type[_Run], prompt: dict[str, typing.Any], is_alone: bool, *more: typing.Any) -> _Run:
        """A run on its way; where a span is active it is one, too."""
        run: _Run = self._traced(make, prompt, lambda: self._here.run(prompt, is_alone), more)
        return run

    def _pick_up(
        self, make: type[_Run], session: str, message: str, given: dict[str, typing.Any], *more: typing.Any
    ) -> _Run:
        run: _Run = self._traced(make, given, lambda: self._here.resume(session, message, given), more)
        return run

    def _summarize(self, make: type[_Run], session: str, given: dict[str, typing.Any], *more: typing.Any) -> _Run:
        run: _Run = self._traced(make, given, lambda: self._here.compact(session, given), more)
        return run

    def _traced(
        self,
        make: typing.Any,
        given: dict[str, typing.Any],
        start: abc.Callable[[], _native.Run],
        more: tuple[typing.Any, ...],
    ) -> typing.Any:
        span = run_span(self, given)
        if span is None:
            return self._made(make, start(), more)
        try:
            native = start()
        except BaseException as error:
            span.refuse(error)
            raise
        span.begin(native)
        run = self._made(make, native, more)
        run._span = span
        return run

    def _made(self, make: typing.Any, native: _native.Run, more: tuple[typing.Any, ...]) -> typing.Any:
        run = make(native, self._drain, *more)
        run._toolboxes = self._toolboxes
        return run

    def _make_toolbox(self) -> tools.Toolbox:
        if not self._toolboxes:
            from ._tools import Toolbox

            self._toolboxes.append(Toolbox(self._native, self._tool_opener != "ToolOpener"))
        return self._toolboxes[0]

    def poll_tools(self) -> int:
        """Lets handlers of tools answer the calls that wait, for programs that poll no run; how many. Never blocks."""
        return self._toolboxes[0].serve() if self._toolboxes else 0

    # Handles cannot be pickled, settings can: another process gets a client of its own.
    def __getstate__(self) -> dict[str, typing.Any]:
        return {"settings": self._settings}

    def __setstate__(self, state: dict[str, typing.Any]) -> None:
        self._open(state["settings"])

    if not TYPE_CHECKING:
        # Type checkers know every namespace: what is not there is a mistake, and shown.
        def __getattr__(self, name):
            node = TREE.get(name)
            if node is None:
                text = f"{type(self).__name__} has no attribute '{name}'"
                raise AttributeError(text, name=name, obj=self)
            make = {"pty": self._pty_namespace, "tool": self._tool_namespace}.get(name, Namespace)
            value = make(self, node, name)
            setattr(self, name, value)
            return value

        def _pty_namespace(self, client, node, name):
            from . import _pty_openers

            return getattr(_pty_openers, self._pty_opener)(client, node, name)

        def _tool_namespace(self, client, node, name):
            from . import _tool_openers

            return getattr(_tool_openers, self._tool_opener)(client, node, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *TREE})

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {self._native.base_url}>"

    @property
    def base_url(self) -> str:
        """The address of the server, without user and password."""
        return self._native.base_url

    def fileno(self) -> int:
        """A descriptor that is readable while a run or call has something new; polling clears it.

        For select, selectors and event loops. It belongs to the client: watch it, and do nothing else with it.
        """
        return self._native.fd()


class BlockingClient(ClientBase):
    """What a blocking client does."""

    _pty_opener = "PtyOpener"
    _tool_opener = "ToolOpener"

    def _call(
        self,
        operation: str,
        arguments: dict[str, typing.Any],
        settings: dict[str, typing.Any] | None,
        raw: bool = False,
    ) -> typing.Any:
        try:
            return self._here.call(operation, arguments, carried(settings), raw)
        finally:
            self._flush()

    def _call_with(
        self, operation: str, arguments: abc.Mapping[str, typing.Any] | None, given: dict[str, typing.Any], raw: bool = False
    ) -> typing.Any:
        return self._call(operation, dict(arguments or {}), options(given) or None, raw)

    if not TYPE_CHECKING:

        def start(self, operation, *args, **given):
            """Does an operation in the background and returns at once.

            The operation is a function of this client, such as `client.session.get`, with all that it takes; or it
            is a name, with the arguments in one dict.
            """
            return Call(*self._start(operation, args, given), self._drain)

    def _request(
        self,
        method: str,
        path: str,
        content: tuple[abc.Mapping[str, typing.Any] | None, typing.Any],
        given: dict[str, typing.Any],
        raw: bool,
    ) -> typing.Any:
        query, body = content
        settings = carried(options(given) or None)
        try:
            found = self._here.request(method, path, (pairs_of(query), body), settings, raw)
        finally:
            self._flush()
        return RawResponse(*found) if raw else found

    def drift(self, *, timeout: float | None = None) -> Drift:
        """Compares what the server says it can do with the operations that this package knows."""
        return Drift(self._call("doc.get", {}, call_options(timeout), True)[2])

    def _run(self, prompt: typing.Any, given: dict[str, typing.Any]) -> Run[typing.Any]:
        watch_exit()
        read = take_format(given)
        return self._begin(Run, prompt_of(prompt, given), False, read)

    def _ask(
        self, prompt: typing.Any, timeout: typing.Any, show: bool, given: dict[str, typing.Any]
    ) -> Reply[typing.Any]:
        limit = seconds("timeout", timeout)
        read = take_format(given)
        run = self._begin(Run, prompt_of(prompt, given), True, read)
        try:
            return run.display(limit) if show else run.result(limit)
        except (KeyboardInterrupt, TimeoutError) as error:
            # A run may fail in this way by itself.
            if run.error is None:
                error.run = give_up(run)  # type: ignore[union-attr]
            raise

    def _resume(self, session: str, message: str, given: dict[str, typing.Any]) -> Run[typing.Any]:
        read = take_format(given)
        return self._pick_up(Run, session, message, options(given), read)

    def _compact(self, session: str, given: dict[str, typing.Any]) -> Run[typing.Any]:
        return self._summarize(Run, session, options(given), None)

    def _events(self, given: dict[str, typing.Any]) -> EventStream:
        return EventStream(self._here.events(options(given)), self._drain)

    def _messages(self, session: str, given: dict[str, typing.Any]) -> Pages[typing.Any]:
        return Pages(self._here.messages(session, traced(options(given))), self._drain)

    def _sessions(self, given: dict[str, typing.Any]) -> Pages[typing.Any]:
        return Pages(self._here.sessions(traced(options(given))), self._drain)

    def _pty(self, command: str | None, args: typing.Any, given: dict[str, typing.Any]) -> Pty:
        from ._pty import Pty, started

        return Pty(self._here.pty(traced(started(command, args, given))))

    def _pty_connect(self, id: str, given: dict[str, typing.Any]) -> Pty:
        from ._pty import Pty

        return Pty(self._here.pty_connect(id, traced(options(given))))

    def server(self) -> discover.ServerInfo:
        """Asks the server what it is. Blocks for one request, two with a server of 2.x."""
        from ._discover import ServerInfo

        return ServerInfo(self._here.server())

    def doctor(self) -> discover.Diagnosis:
        """Looks what works and what does not: server, password, version, directory, model, ripgrep, events, clock.

        Each comes with what to do. Blocks, never more than five seconds; Ctrl-C ends it. No model is called.
        """
        from ._discover import Diagnosis

        return Diagnosis(self._here.doctor())

    def _ready(self, given: dict[str, typing.Any]) -> Ready:
        from ._usage import Ready

        return Ready(self._call("wait_until_ready", options(given), None))

    def _usage(self, session: str | None, given: dict[str, typing.Any]) -> Usage:
        from ._usage import asked, usage_of

        return usage_of(self._call(*asked(session, given), None))

    def _export(self, session: str, given: dict[str, typing.Any]) -> Pages[str]:
        return Pages(self._here.export(session, traced(options(given))), self._drain)

    def _export_to(self, session: str, path: typing.Any, given: dict[str, typing.Any]) -> export.Exported:
        from ._export import Exported

        return Exported(self._call("export", {"sessionID": session, "path": os.fspath(path), **options(given)}, None))

    def tui_prompt(self, text: str) -> None:
        """Types a prompt into every attached terminal interface and submits it, in place of what stood there.

        Returning says that the server accepted it, not that anybody is attached, or ready yet.
        """
        self._here.tui_prompt(text)

    def tui_control(self) -> tui.TuiControl:
        """The requests of a terminal interface that is controlled by programs. Touches no network."""
        from ._tui import TuiControl

        return TuiControl(self._here.tui_control(), self._call)

    def close(self) -> None:
        """Ends all runs, calls and streams of this side and joins all threads, within a second.

        The server goes on with prompts that were sent. Prompts that are not sent yet get a second before that; what
        is lost all the same is a RuntimeWarning.
        """
        lost = self._native.close()
        self._flush()
        tell(lost)
        tell_losses()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _operation(self, name: str, positional: tuple[str, ...], doc: str) -> typing.Any:
        call = self._call

        def operation(
            *args: typing.Any,
            timeout: float | None = None,
            max_retries: int | None = None,
            extra_headers: abc.Mapping[str, str] | None = None,
            **given: typing.Any,
        ) -> typing.Any:
            settings = call_options(timeout, max_retries, extra_headers)
            return call(name, arguments_of(name, positional, args, given), settings)

        return function_of(self, operation, name, positional, doc)


def _plain(given: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Options of a client, with mappings as dicts and rules as lists."""
    headers, permission = given["headers"], given["permission"]
    given["headers"] = as_dict("headers", headers or None)
    if permission is not None and not isinstance(permission, str):
        given["permission"] = as_list("permission", permission)
    return given


def tell(lost: str | None) -> None:
    """Warns of prompts that were lost, at the line outside of this package that closed."""
    if lost is not None:
        frame, level = sys._getframe(1), 2
        while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
            frame, level = frame.f_back, level + 1
        warnings.warn(lost, RuntimeWarning, stacklevel=level)


def tell_losses() -> None:
    """Warns of what clients lost that were dropped. A drop waits for nothing, so it is told at the next occasion."""
    for lost in _native.take_losses():
        tell(lost)


#: The process whose end was looked at.
_watched = 0


def watch_exit() -> None:
    """Has the end of a child of `multiprocessing` wait for prompts, too: it ends without what `atexit` knows."""
    global _watched
    if _watched == os.getpid():
        return
    _watched = os.getpid()
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        # After what the host has there.
        Finalize(None, _at_exit, exitpriority=-1000)


def _at_exit() -> None:
    # A client that nobody closes is not closed here either: what else runs at the exit may need it.
    count = _native.wait_at_exit(1.0)
    told = _native.take_losses()
    if count:
        what = "1 prompt was" if count == 1 else f"{count} prompts were"
        told.append(f"{what} not sent before the program ended; wait for a run or detach it before the end")
    if told:
        warnings.warn("\n".join(told), RuntimeWarning, stacklevel=1)


atexit.register(_at_exit)


def pairs_of(query: abc.Mapping[str, typing.Any] | None) -> list[tuple[str, str]]:
    """The query of a request, as texts: what is None is left out, as in an operation; a list is one entry per item."""
    pairs = []
    for name, value in (query or {}).items():
        value = _native.plain(value)
        items = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, _text_of(name, item)) for item in items if item is not None]
    return pairs


def _text_of(name: str, value: typing.Any) -> str:
    value = _native.plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    # Decimals and UUIDs have a text of their own; that of other objects is what Python shows.
    if isinstance(value, (str, int, float)) or hasattr(value, "as_tuple") or hasattr(value, "urn"):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    kind = type(value).__name__
    raise InvalidArgumentError(f"request: query.{name}: an object of type {kind} cannot be sent in a query")


def prompt_of(prompt: typing.Any, given: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """A prompt with its options, by the core's names."""
    made = options(given)
    if not isinstance(prompt, str):
        # A dict or bytes would give a list too, and not one that anybody means.
        if not isinstance(prompt, (list, tuple)):
            kind = type(prompt).__name__
            raise InvalidArgumentError(f"the prompt must be a text or a list of texts and parts, not {kind}")
        prompt = list(prompt)
    made["prompt"] = prompt
    return made


def take_format(given: dict[str, typing.Any]) -> abc.Callable[[typing.Any], typing.Any] | None:
    """Puts the schema of a type in its place; what makes an object of the answer."""
    if given["format"] is None or isinstance(given["format"], dict):
        return None
    from ._formats import format_of

    given["format"], read = format_of(given["format"])
    return read
