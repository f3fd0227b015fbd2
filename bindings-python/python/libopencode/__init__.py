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
from ._client import NULL, Client
from ._drift import Drift
from ._errors import *  # noqa: F403
from ._events import Event, EventStream
from ._native import __version__
from ._pages import Pages
from ._run import Detached, Reply, Run, Update

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import types as types
    from ._async import AsyncClient, AsyncRun
    from ._async_call import AsyncCall
    from ._async_discover import discover_async
    from ._async_pty import AsyncPty
    from ._async_server import AsyncServer
    from ._discover import Check, Diagnosis, Found, ServerInfo, discover
    from ._pty import Pty
    from ._server import Server
    from ._async_events import AsyncEventStream
    from ._async_pages import AsyncPages
    from ._async_tui import AsyncTuiControl
    from ._replay import Replay
    from ._tui import TuiControl
    from ._usage import Share, Usage

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
    "Drift",
    "Event",
    "EventStream",
    "Found",
    "NULL",
    "Pages",
    "Pty",
    "RawResponse",
    "Replay",
    "Reply",
    "Run",
    "Server",
    "ServerInfo",
    "Share",
    "TuiControl",
    "Update",
    "Usage",
    "__version__",
    "attach",
    "attach_bytes",
    "discover",
    "discover_async",
    *_errors.__all__,
]


# Who does not use them does not wait for them.
_LATER = {
    "AsyncPty": "._async_pty",
    "AsyncServer": "._async_server",
    "AsyncTuiControl": "._async_tui",
    "Check": "._discover",
    "Diagnosis": "._discover",
    "Found": "._discover",
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


def __getattr__(name: str) -> Any:
    # asyncio takes longer to import than all of this package: only who asks for it pays.
    if name in ("AsyncClient", "AsyncRun", "AsyncCall", "AsyncEventStream", "AsyncPages"):
        from . import _async

        return getattr(_async, name)
    module = ".types" if name == "types" else _LATER.get(name)
    if module is not None:
        from importlib import import_module

        found = import_module(module, __name__)
        return found if name == "types" else getattr(found, name)
    raise AttributeError(f"module 'libopencode' has no attribute '{name}'")
