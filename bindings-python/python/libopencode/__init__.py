"""Drive an OpenCode server: blocking or asyncio, typed, without dependencies.

    import libopencode

    with libopencode.Client() as client:
        reply = client.ask("Fix the login bug in auth.ts")
        print(reply.text, reply.cost)

A client without arguments reads OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD.
"""

from __future__ import annotations

from . import _errors
from ._attach import attach, attach_bytes
from ._call import Call, RawResponse
from ._client import Client
from ._detached import Detached
from ._drift import Drift
from ._errors import *  # noqa: F403
from ._events import Event, EventStream
from ._namespace import NULL
from ._native import __version__
from ._pages import Pages
from ._run import Run
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import types as types
    from ._async import AsyncClient
    from ._async_run import AsyncRun
    from ._async_call import AsyncCall
    from ._async_discover import discover_async
    from ._async_events import AsyncEventStream
    from ._async_pages import AsyncPages
    from ._async_pty import AsyncPty
    from ._async_server import AsyncServer
    from ._async_tui import AsyncTuiControl
    from ._discover import Check, Diagnosis, Found, ServerInfo, discover
    from ._pty import Pty
    from ._replay import Replay
    from ._server import Server
    from ._shapes import PermissionRule
    from ._tui import TuiControl
    from ._usage import Share, Usage
else:
    from ._later import typing

# Who does not use them does not wait for them: asyncio takes longer to import than all of this package.
_LATER = {
    "AsyncCall": "._async_call",
    "AsyncClient": "._async",
    "AsyncEventStream": "._async_events",
    "AsyncPages": "._async_pages",
    "AsyncPty": "._async_pty",
    "AsyncRun": "._async_run",
    "AsyncServer": "._async_server",
    "AsyncTuiControl": "._async_tui",
    "Check": "._discover",
    "Diagnosis": "._discover",
    "Found": "._discover",
    "PermissionRule": "._shapes",
    "Pty": "._pty",
    "Replay": "._replay",
    "Server": "._server",
    "ServerInfo": "._discover",
    "Share": "._usage",
    "TuiControl": "._tui",
    "Usage": "._usage",
    "discover": "._discover",
    "discover_async": "._async_discover",
}

__all__ = [
    "AsyncCall",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncPages",
    "AsyncPty",
    "AsyncRun",
    "AsyncServer",
    "AsyncTuiControl",
    "Call",
    "Check",
    "Client",
    "Detached",
    "Diagnosis",
    "DiffUpdate",
    "DoneUpdate",
    "Drift",
    "Event",
    "EventStream",
    "FailedUpdate",
    "Found",
    "MessageUpdate",
    "NULL",
    "Pages",
    "PermissionRule",
    "PermissionUpdate",
    "Pty",
    "QuestionUpdate",
    "RawResponse",
    "ReasoningUpdate",
    "Replay",
    "Reply",
    "RetryUpdate",
    "Run",
    "Server",
    "ServerInfo",
    "Share",
    "StatusUpdate",
    "TextUpdate",
    "TodoUpdate",
    "ToolUpdate",
    "TuiControl",
    "Update",
    "Usage",
    "__version__",
    "attach",
    "attach_bytes",
    "discover",
    "discover_async",
    "types",
    *_errors.__all__,
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
