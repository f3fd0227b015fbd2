"""Clients: handles to one server."""

from __future__ import annotations

import atexit
import sys
import warnings

from . import _native
from ._call import Call, RawResponse
from ._drift import Drift
from ._errors import InvalidArgumentError
from ._events import EventStream
from ._log import Drain, configured
from ._options import call_options, options, seconds
from ._pages import Pages
from ._run import Reply, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from typing import Any, Literal

    from ._call_types import Starter
    from ._discover import Diagnosis, ServerInfo
    from ._operations import Operations
    from ._pty import Pty
    from ._pty_types import PtyOpener
    from .types import GlobalSession
    from .types import SessionMessagesAnswerItem as MessageWithParts
    from ._tui import TuiControl
    from ._usage import Usage

    PermissionPolicy = Literal["reject", "once", "always", "ask"] | Sequence[Mapping[str, str]]
    Prompt = str | Sequence[str | Mapping[str, Any]]
else:
    Operations = object

    class Starter:
        """What type checkers know of `start` stands in a stub."""


class _Null:
    """The type of NULL."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "libopencode.NULL"

    def __bool__(self) -> bool:
        return False

    # There is one: a copy of it is itself, in another process too.
    def __reduce__(self) -> str:
        return "NULL"


NULL: Any = _Null()
"""Sends null where None would mean that nothing was given."""


class _Node(dict):  # type: ignore[type-arg]
    """Names of namespaces and operations, as they are nested."""


def _tree() -> _Node:
    root = _Node()
    for path, operation in _native.OPERATIONS.items():
        *namespaces, last = path.split(".")
        node = root
        for name in namespaces:
            node = node.setdefault(name, _Node())
        node[last] = operation
    return root


_TREE = _tree()


class Namespace:
    """A group of operations, such as `client.session`."""

    def __init__(self, client: Any, node: _Node, path: str) -> None:
        self._client = client
        self._node = node
        self._path = path

    def __getattr__(self, name: str) -> Any:
        # Who copies an object asks one that has no attributes yet.
        found = None if name.startswith("_") else self._node.get(name)
        if found is None:
            path = self.__dict__.get("_path", "")
            # With name and object, Python itself says what was probably meant.
            raise AttributeError(f"there is no operation '{path}.{name}'", name=name, obj=self)
        if isinstance(found, _Node):
            value: Any = Namespace(self._client, found, f"{self._path}.{name}")
        else:
            value = self._client._operation(*found)
        # Found once, it is an ordinary attribute.
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._node})

    def __repr__(self) -> str:
        return f"<libopencode namespace {self._path}>"


def arguments_of(
    name: str, positional: tuple[str, ...], args: tuple[Any, ...], given: dict[str, Any]
) -> dict[str, Any]:
    """The flat arguments of an operation, from positions and names."""
    if len(args) > len(positional):
        raise InvalidArgumentError(
            f"{name}: takes {len(positional)} arguments by position; give the others by name"
        )
    made = {}
    for key, value in zip(positional, args):
        if key in given:
            raise InvalidArgumentError(f"{name}: the argument '{key}' is given twice")
        made[key] = value
    for key, value in given.items():
        if value is not None:
            made[key] = None if value is NULL else value
    return made


def function_of(client: Any, run: Any, name: str, positional: tuple[str, ...], doc: str) -> Any:
    """Gives the function of an operation what `help` shows and `start` looks for."""
    run.__name__ = name.rpartition(".")[2]
    run.__qualname__ = name
    run.__doc__ = f"{doc}\n\n{_native.signature(name)}"
    run.operation = (client, name, positional)
    return run


class ClientBase:
    """What blocking and asyncio clients share: options, namespaces, closing."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        dialect: Literal["auto", 1, 2] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        max_retries: int | None = None,
        max_body_bytes: int | None = None,
        stall_timeout: float | None = None,
        events: bool | None = None,
        permission: PermissionPolicy | None = None,
        question: Literal["reject", "first", "ask"] | None = None,
        log: Literal["error", "warn", "info", "debug"] | None = None,
        ca_file: str | PathLike[str] | None = None,
        record: str | PathLike[str] | None = None,
    ) -> None:
        given = {
            "base_url": base_url,
            "username": username,
            "password": password,
            "directory": directory,
            "workspace": workspace,
            "dialect": dialect,
            "headers": dict(headers) if headers else None,
            "timeout": timeout,
            "connect_timeout": connect_timeout,
            "max_retries": max_retries,
            "max_body_bytes": max_body_bytes,
            "stall_timeout": stall_timeout,
            "events": events,
            "permission": list(permission)
            if permission is not None and not isinstance(permission, str)
            else permission,
            "question": question,
            # What the program's logging is set up for, unless it is said here.
            "log": configured() if log is None else log,
            "ca_file": None if ca_file is None else str(ca_file),
            "record": None if record is None else str(record),
        }
        self._open(options(given))

    def _open(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._native = _native.Client(settings)
        tell_losses()
        self._drain = Drain(self._native) if "log" in settings else None

    def _flush(self) -> None:
        if self._drain is not None:
            self._drain()

    def _start(
        self, operation: Any, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[_native.Call, str, bool]:
        """The call, its name, and whether its raw answer is wanted."""
        if not callable(operation):
            return self._start_named(operation, *args, **given)
        client, name, positional = getattr(operation, "operation", (None, "", ()))
        if client is not self:
            raise InvalidArgumentError("start: give a function of this client, such as client.session.get")
        settings = {key: given.pop(key, None) for key in ("timeout", "max_retries", "extra_headers")}
        arguments = arguments_of(name, positional, args, given)
        return self._native.start(name, arguments, call_options(**settings)), name, False

    def _start_named(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        raw: bool = False,
    ) -> tuple[_native.Call, str, bool]:
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace)
        return self._native.start(operation, dict(arguments or {}), settings), operation, raw

    # Handles cannot be pickled, settings can: another process gets a client of its own.
    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["settings"])

    def __getattr__(self, name: str) -> Any:
        node = _TREE.get(name)
        if node is None:
            text = f"{type(self).__name__} has no attribute '{name}'"
            raise AttributeError(text, name=name, obj=self)
        if name == "pty":
            from ._pty import PtyNamespace

            value: Namespace = PtyNamespace(self, node, name)
        else:
            value = Namespace(self, node, name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_TREE})

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


class Client(ClientBase, Starter, Operations):
    """A handle to one server. May be used from any thread; making one touches no network.

    Without arguments it reads OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD.
    Times are in seconds. Every operation of the server is a method in its namespace:
    `client.session.update("ses_1", title="x")`.
    """

    def call(
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
        """Does an operation by its name, such as "session.update", and gives its answer.

        Blocks without holding the interpreter; Ctrl-C ends it. Reads are repeated when they fail in a way that
        passes; nothing else is. `directory` and `workspace` take the place of the client's.
        """
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace)
        return self._call(operation, dict(arguments or {}), settings)

    def call_raw(
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
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace)
        return RawResponse(*self._call(operation, dict(arguments or {}), settings, True))

    def _call(
        self,
        operation: str,
        arguments: dict[str, Any],
        settings: dict[str, Any] | None,
        raw: bool = False,
    ) -> Any:
        try:
            return self._native.call(operation, arguments, settings, raw)
        finally:
            self._flush()

    if not TYPE_CHECKING:

        def start(self, operation, *args, **given):
            """Does an operation in the background and returns at once.

            The operation is a function of this client, such as `client.session.get`, with all that it takes; or it
            is a name, with the arguments in one dict.
            """
            return Call(*self._start(operation, args, given), self._drain)

    def request(
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
        """Sends a request that this version does not know as an operation.

        Gives the answer's JSON, text or bytes; with `raw`, a RawResponse.
        """
        settings = call_options(timeout, max_retries, extra_headers, directory, workspace)
        try:
            found = self._native.request(method, path, (pairs_of(query), body), settings, raw)
        finally:
            self._flush()
        return RawResponse(*found) if raw else found

    def drift(self, *, timeout: float | None = None) -> Drift:
        """Compares what the server says it can do with the operations that this package knows."""
        return Drift(self.call_raw("doc.get", timeout=timeout).body)

    def run(self, prompt: Prompt, **given: Any) -> Run:
        """Sends a prompt and returns at once; the agent works in the background.

        Names: files (local files to attach), session, title, agent, model ("provider/model"), system, tools,
        variant, format (a JSON schema), directory, message_id, permission, question, when_busy, deadline, max_cost, max_tokens, max_steps,
        max_retries, start_timeout, server_timeout. Times are in seconds.
        """
        return Run(self._native.run(prompt_of(prompt, given)), self._drain)

    def ask(self, prompt: Prompt, *, timeout: float | None = None, **given: Any) -> Reply:
        """Sends a prompt and blocks until its reply is there, at most `timeout` seconds.

        Takes the names of `run`; the policy "ask" is refused, as there is nothing to answer with. Raises why the run
        failed. When the time is up, or on Ctrl-C, the prompt goes on on the server.
        """
        limit = seconds("timeout", timeout)
        return Run(self._native.run(prompt_of(prompt, given), True), self._drain).result(limit)

    def resume(self, session: str, message: str, **given: Any) -> Run:
        """Picks up a run that was started elsewhere: what its `detach` gave. Returns at once."""
        return Run(self._native.resume(session, message, options(given)), self._drain)

    def events(
        self,
        *,
        scope: Literal["directory", "global"] | None = None,
        directory: str | None = None,
        max_events: int | None = None,
    ) -> EventStream:
        """What happens on the server, event by event, in one directory or in all. Returns at once.

        Without `directory` it is the client's, and without that the server's own. `max_events` (4096) are kept
        for a slow reader. All streams and runs of a client share one connection.
        """
        given = {"scope": scope, "directory": directory, "max_events": max_events}
        return EventStream(self._native.events(options(given)), self._drain)

    def messages(self, session: str, *, page: int | None = None) -> Pages[MessageWithParts]:
        """The messages of a session, newest first, fetched as they are asked for, `page` (50) per request.

        `session.messages` gives a whole session at once, oldest first.
        """
        return Pages(self._native.messages(session, options({"page": page})), self._drain)

    def sessions(
        self,
        *,
        page: int | None = None,
        scope: Literal["directory", "global"] | None = None,
        directory: str | None = None,
        search: str | None = None,
        roots: bool | None = None,
        archived: bool | None = None,
    ) -> Pages[GlobalSession]:
        """The sessions of a directory or of the whole server, the one that changed last first.

        They are fetched as they are asked for, `page` (50) per request; `session.list` stops after a hundred.
        `search` is a part of the title, `roots` leaves subagents out, `archived=False` what was put away. A session
        that changes meanwhile, before it was given, may be left out.
        """
        given = {
            "page": page,
            "scope": scope,
            "directory": directory,
            "search": search,
            "roots": roots,
            "archived": archived,
        }
        return Pages(self._native.sessions(options(given)), self._drain)

    if TYPE_CHECKING:

        @property
        def pty(self) -> PtyOpener:
            """The operations on terminals; calling it starts a program in one."""

    def _pty(self, given: dict[str, Any]) -> Pty:
        from ._pty import Pty

        return Pty(self._native.pty(given), self)

    def pty_connect(self, id: str, **given: Any) -> Pty:
        """Connects to a terminal that exists, and returns at once.

        Names: cursor (where the output begins, in UTF-16 units; negative for what comes from now on), cols and
        rows, directory, ticket, server_timeout. What is wrong shows when it is read.
        """
        from ._pty import Pty

        return Pty(self._native.pty_connect(id, options(given)), self)

    def server(self) -> ServerInfo:
        """Asks the server what it is. Blocks for one request, two with a server of 2.x."""
        from ._discover import ServerInfo

        return ServerInfo(self._native.server())

    def doctor(self) -> Diagnosis:
        """Looks what works and what does not: server, password, version, directory, model, ripgrep, events, clock.

        Each comes with what to do. Blocks, never more than five seconds; Ctrl-C ends it. No model is called.
        """
        from ._discover import Diagnosis

        return Diagnosis(self._native.doctor())

    def usage(
        self,
        session: str,
        *,
        tree: bool = True,
        messages: bool = False,
        directory: str | None = None,
    ) -> Usage:
        """Adds up what a session used, with its subagents unless `tree` is False.

        Memory does not grow with the session, unless every message is to be listed.
        """
        from ._usage import usage_of

        given = {"tree": tree, "messages": messages, "directory": directory}
        return usage_of(self._native.usage(session, options(given)))

    def tui_prompt(self, text: str) -> None:
        """Types a prompt into every attached terminal interface and submits it, in place of what stood there.

        Returning says that the server accepted it, not that anybody is attached, or ready yet.
        """
        self._native.tui_prompt(text)

    def tui_control(self) -> TuiControl:
        """The requests of a terminal interface that is controlled by programs. Touches no network."""
        from ._tui import TuiControl

        return TuiControl(self._native.tui_control(), self)

    def close(self) -> None:
        """Ends all runs, calls and streams of this side and joins all threads, within a second.

        The server goes on with prompts that were sent. Prompts that are not sent yet get a second before that; what
        is lost all the same is a RuntimeWarning.
        """
        lost = self._native.close()
        self._flush()
        tell(lost)
        tell_losses()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _operation(self, name: str, positional: tuple[str, ...], doc: str) -> Any:
        call = self._call

        def operation(
            *args: Any,
            timeout: float | None = None,
            max_retries: int | None = None,
            extra_headers: Mapping[str, str] | None = None,
            **given: Any,
        ) -> Any:
            settings = call_options(timeout, max_retries, extra_headers)
            return call(name, arguments_of(name, positional, args, given), settings)

        return function_of(self, operation, name, positional, doc)


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


def pairs_of(query: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The query of a request, as texts: what is None is left out, as in an operation."""
    given = (query or {}).items()
    return [(name, _text_of(value)) for name, value in given if value is not None]


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def prompt_of(prompt: Any, given: dict[str, Any]) -> dict[str, Any]:
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
