"""Drive an OpenCode server: blocking or asyncio, typed, without dependencies.

    import opencode

    with opencode.Client() as client:
        reply = client.ask("Fix the login bug in auth.ts")
        print(reply.text, reply.cost)

A client without arguments reads OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD.
"""

from __future__ import annotations

from . import _errors
from ._call import Call, RawResponse
from ._client import NULL, Client
from ._errors import *  # noqa: F403
from ._events import Event, EventStream
from ._native import __version__
from ._pages import Pages
from ._run import Detached, Reply, Run, Update

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._async import AsyncCall, AsyncClient, AsyncRun
    from ._async_pty import AsyncPty
    from ._async_server import AsyncServer
    from ._discover import Check, Diagnosis, Found, discover
    from ._pty import Pty
    from ._server import Server
    from ._async_events import AsyncEventStream
    from ._async_pages import AsyncPages

__all__ = [
    "NULL",
    "AsyncCall",
    "AsyncClient",
    "AsyncPty",
    "AsyncEventStream",
    "AsyncPages",
    "AsyncRun",
    "AsyncServer",
    "Call",
    "Check",
    "Client",
    "Detached",
    "Diagnosis",
    "Found",
    "Pty",
    "Event",
    "EventStream",
    "Pages",
    "RawResponse",
    "Reply",
    "Run",
    "Server",
    "Update",
    "__version__",
    "discover",
    *_errors.__all__,
]


def __getattr__(name: str) -> Any:
    # asyncio takes longer to import than all of this package: only who asks for it pays.
    if name in ("AsyncClient", "AsyncRun", "AsyncCall", "AsyncEventStream", "AsyncPages"):
        from . import _async

        return getattr(_async, name)
    if name == "Pty":
        from ._pty import Pty

        return Pty
    if name == "AsyncPty":
        from ._async_pty import AsyncPty

        return AsyncPty
    if name in ("discover", "Found", "Diagnosis", "Check"):
        from . import _discover

        return getattr(_discover, name)
    if name == "Server":
        from ._server import Server

        return Server
    if name == "AsyncServer":
        from ._async_server import AsyncServer

        return AsyncServer
    raise AttributeError(f"module 'opencode' has no attribute '{name}'")
