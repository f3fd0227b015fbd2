"""Drive an OpenCode server: blocking or asyncio, typed, without dependencies.

    import libopencode

    with libopencode.Client() as client:
        reply = client.ask("Fix the login bug in auth.ts")
        print(reply.text, reply.cost)

A client without arguments reads OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import types as types
    from ._async import AsyncClient
    from ._async_call import AsyncCall
    from ._async_discover import discover_async
    from ._async_events import AsyncEventStream
    from ._async_pages import AsyncPages
    from ._async_pty import AsyncPty
    from ._async_run import AsyncRun
    from ._async_server import AsyncServer
    from ._async_tui import AsyncTuiControl
    from ._attach import attach, attach_bytes
    from ._call import Call, RawResponse
    from ._client import Client
    from ._detached import Detached
    from ._discover import Check, Diagnosis, Found, ServerInfo, discover
    from ._drift import Drift
    from ._errors import (
        APIConnectionError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AgentError,
        AuthenticationError,
        BY_KIND,
        BadRequestError,
        CancelledError,
        ClosedError,
        ConflictError,
        InternalError,
        InternalServerError,
        InvalidArgumentError,
        NotFoundError,
        OpencodeError,
        PermissionDeniedError,
        ResourceExhaustedError,
        RunError,
        RunInterruptedError,
        RunLimitError,
        RunNeverStartedError,
        RunSupersededError,
        ServerStartError,
        UnsupportedError,
    )
    from ._events import Event, EventStream
    from ._export import Exported
    from ._namespace import NULL
    from ._native import __version__
    from ._pages import Pages
    from ._pty import Pty
    from ._replay import Replay
    from ._run import Run
    from ._server import Server
    from ._shapes import PermissionRule
    from ._tui import TuiControl
    from ._updates import (
        DiffUpdate,
        DoneUpdate,
        FailedUpdate,
        MessageUpdate,
        PermissionUpdate,
        QuestionUpdate,
        ReasoningUpdate,
        Reply,
        RetryUpdate,
        StatusUpdate,
        TextUpdate,
        TodoUpdate,
        ToolUpdate,
        Update,
    )
    from ._tools import ToolCall
    from ._usage import Ready, Share, Usage
else:
    from ._later import typing

# Where each name lives. What nobody asks for is not imported: a program that only may use this package starts as fast.
_LATER = {
    "APIConnectionError": "._errors",
    "APIResponseValidationError": "._errors",
    "APIStatusError": "._errors",
    "APITimeoutError": "._errors",
    "AgentError": "._errors",
    "AsyncCall": "._async_call",
    "AsyncClient": "._async",
    "AsyncEventStream": "._async_events",
    "AsyncPages": "._async_pages",
    "AsyncPty": "._async_pty",
    "AsyncRun": "._async_run",
    "AsyncServer": "._async_server",
    "AsyncTuiControl": "._async_tui",
    "AuthenticationError": "._errors",
    "BY_KIND": "._errors",
    "BadRequestError": "._errors",
    "Call": "._call",
    "CancelledError": "._errors",
    "Check": "._discover",
    "Client": "._client",
    "ClosedError": "._errors",
    "ConflictError": "._errors",
    "Detached": "._detached",
    "Diagnosis": "._discover",
    "DiffUpdate": "._updates",
    "DoneUpdate": "._updates",
    "Drift": "._drift",
    "Event": "._events",
    "EventStream": "._events",
    "Exported": "._export",
    "FailedUpdate": "._updates",
    "Found": "._discover",
    "InternalError": "._errors",
    "InternalServerError": "._errors",
    "InvalidArgumentError": "._errors",
    "MessageUpdate": "._updates",
    "NULL": "._namespace",
    "NotFoundError": "._errors",
    "OpencodeError": "._errors",
    "Pages": "._pages",
    "PermissionDeniedError": "._errors",
    "PermissionRule": "._shapes",
    "PermissionUpdate": "._updates",
    "Pty": "._pty",
    "QuestionUpdate": "._updates",
    "RawResponse": "._call",
    "Ready": "._usage",
    "ReasoningUpdate": "._updates",
    "Replay": "._replay",
    "Reply": "._updates",
    "ResourceExhaustedError": "._errors",
    "RetryUpdate": "._updates",
    "Run": "._run",
    "RunError": "._errors",
    "RunInterruptedError": "._errors",
    "RunLimitError": "._errors",
    "RunNeverStartedError": "._errors",
    "RunSupersededError": "._errors",
    "Server": "._server",
    "ServerInfo": "._discover",
    "ServerStartError": "._errors",
    "Share": "._usage",
    "StatusUpdate": "._updates",
    "TextUpdate": "._updates",
    "TodoUpdate": "._updates",
    "ToolCall": "._tools",
    "ToolUpdate": "._updates",
    "TuiControl": "._tui",
    "UnsupportedError": "._errors",
    "Update": "._updates",
    "Usage": "._usage",
    "__version__": "._native",
    "attach": "._attach",
    "attach_bytes": "._attach",
    "discover": "._discover",
    "discover_async": "._async_discover",
}

__all__ = [
    "APIConnectionError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AgentError",
    "AsyncCall",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncPages",
    "AsyncPty",
    "AsyncRun",
    "AsyncServer",
    "AsyncTuiControl",
    "AuthenticationError",
    "BY_KIND",
    "BadRequestError",
    "Call",
    "CancelledError",
    "Check",
    "Client",
    "ClosedError",
    "ConflictError",
    "Detached",
    "Diagnosis",
    "DiffUpdate",
    "DoneUpdate",
    "Drift",
    "Event",
    "EventStream",
    "Exported",
    "FailedUpdate",
    "Found",
    "InternalError",
    "InternalServerError",
    "InvalidArgumentError",
    "MessageUpdate",
    "NULL",
    "NotFoundError",
    "OpencodeError",
    "Pages",
    "PermissionDeniedError",
    "PermissionRule",
    "PermissionUpdate",
    "Pty",
    "QuestionUpdate",
    "RawResponse",
    "Ready",
    "ReasoningUpdate",
    "Replay",
    "Reply",
    "ResourceExhaustedError",
    "RetryUpdate",
    "Run",
    "RunError",
    "RunInterruptedError",
    "RunLimitError",
    "RunNeverStartedError",
    "RunSupersededError",
    "Server",
    "ServerInfo",
    "ServerStartError",
    "Share",
    "StatusUpdate",
    "TextUpdate",
    "TodoUpdate",
    "ToolCall",
    "ToolUpdate",
    "TuiControl",
    "UnsupportedError",
    "Update",
    "Usage",
    "__version__",
    "attach",
    "attach_bytes",
    "discover",
    "discover_async",
    "types",
]


def __getattr__(name: str) -> typing.Any:
    module = ".types" if name == "types" else _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'libopencode' has no attribute '{name}'")
    from importlib import import_module

    found = import_module(module, __name__)
    value = found if name == "types" else getattr(found, name)
    # Asked for once, it is an ordinary attribute.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
