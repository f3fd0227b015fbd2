"""Servers that the program starts itself."""

from __future__ import annotations

import os
import weakref

from . import _native
from ._options import as_dict, as_list, as_path, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import _errors as errors
    from . import _shapes as shapes

    _Server = typing.TypeVar("_Server", bound="ServerBase")
else:
    from ._later import Later, shapes, typing

    errors = Later("libopencode._errors")


class ServerBase:
    """What blocking and asyncio servers share."""

    def _setup(self, given: dict[str, typing.Any]) -> None:
        for name in ("binary", "directory"):
            given[name] = as_path(name, given[name])
        for name in ("config", "environment"):
            given[name] = as_dict(name, given[name])
        given["arguments"] = as_list("arguments", given["arguments"])
        self._native = _native.Server(options(given))
        _servers.add(self)

    @classmethod
    def _made(cls: type[_Server], given: dict[str, typing.Any]) -> _Server:
        server = cls.__new__(cls)
        server._setup(given)
        return server

    def poll(self) -> shapes.ServerState:
        """How far it is: `starting`, `ready`, `failed` or `closed`. Never blocks."""
        return self._native.poll()  # type: ignore[return-value]

    @property
    def error(self) -> errors.OpencodeError | None:
        """Why it failed: ServerStartError. None while it starts or runs."""
        return self._native.error()

    @property
    def url(self) -> str | None:
        """The address, once it is ready."""
        return self._native.url

    @property
    def pid(self) -> int | None:
        """The process while it lives: None before it is started, from its end on, as its number may be that of another process
        then, and in a forked child. With the launcher script of npm, the server is a child of it."""
        return self._native.pid

    def output(self) -> str:
        """The end of what it printed, at most 64 KiB."""
        return self._native.output()

    def environment(self) -> dict[str, str]:
        """The variables with which another program finds the server, its password included."""
        return self._native.environment()

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {self.url or self.poll()}>"


class BlockingServer(ServerBase):
    """What a blocking server does."""

    def _ready(self) -> None:
        try:
            self.wait()
            error = self.error
        except BaseException:
            self.close()
            raise
        if error is not None:
            self.close()
            raise error

    def wait(self, timeout: float | None = None) -> shapes.ServerState:
        """Blocks while it is starting, at most `timeout` seconds; gives how far it is then."""
        return self._native.wait(timeout)  # type: ignore[return-value]

    def close(self) -> None:
        """Ends the server with everything that it has started, and waits for that: usually a second.

        What is running in its sessions is stopped first, so that it is stored as aborted.
        """
        self._native.close()

    def __exit__(self, *_: object) -> None:
        self.close()


_servers: weakref.WeakSet[ServerBase] = weakref.WeakSet()


def _after_fork() -> None:
    # The child must not keep the parent's servers alive when the parent is killed.
    for server in list(_servers):
        server._native.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
