"""Servers that the program starts itself."""

from __future__ import annotations

import os
import weakref

from . import _native
from ._client import Client
from ._options import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from typing_extensions import Self

    from ._errors import OpencodeError

    State = Literal["starting", "ready", "failed", "closed"]


class ServerBase:
    """What blocking and asyncio servers share."""

    def __init__(
        self,
        *,
        binary: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        port: int | None = None,
        hostname: str | None = None,
        username: str | None = None,
        password: str | None = None,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str | None] | None = None,
        arguments: Sequence[str] | None = None,
        log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"] | None = None,
        start_timeout: float | None = None,
    ) -> None:
        given = {
            "binary": None if binary is None else os.fspath(binary),
            "directory": None if directory is None else os.fspath(directory),
            "port": port,
            "hostname": hostname,
            "username": username,
            "password": password,
            "config": None if config is None else dict(config),
            "environment": None if environment is None else dict(environment),
            "arguments": None if arguments is None else list(arguments),
            "log_level": log_level,
            "start_timeout": start_timeout,
        }
        self._native = _native.Server(options(given))
        _servers.add(self)

    def poll(self) -> State:
        """How far it is: `starting`, `ready`, `failed` or `closed`. Never blocks."""
        return self._native.poll()  # type: ignore[return-value]

    @property
    def error(self) -> OpencodeError | None:
        """Why it failed: ServerStartError. None while it starts or runs."""
        return self._native.error()

    @property
    def url(self) -> str | None:
        """The address, once it is ready."""
        return self._native.url

    @property
    def pid(self) -> int | None:
        """The process, once there is one. With the launcher script of npm, the server is a child of it."""
        return self._native.pid

    def output(self) -> str:
        """The end of what it printed, at most 64 KiB."""
        return self._native.output()

    def environment(self) -> dict[str, str]:
        """The variables with which another program finds the server, its password included."""
        return self._native.environment()

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {self.url or self.poll()}>"


class Server(ServerBase):
    """A server that this program has started: `opencode serve` on a free port, with a password of its own.

    It ends with everything that it has started when it is closed or garbage collected, when this process exits,
    and when this process is killed. The constructor returns at once, like `launch`; `start` waits until the
    server answers. May be used from any thread. A forked child leaves it to its parent.

        with libopencode.Server.start() as server:
            print(server.client().ask("Say pong").text)

    Options: `binary` (else OPENCODE_BIN, else `opencode` on the PATH), `directory` (else the current one), `port`
    (else a free one), `hostname`, `username`, `password` (else a random one), `config` (laid over the user's),
    `environment` (None takes a variable away), `arguments`, `log_level`, `start_timeout` (30 s).
    """

    @classmethod
    def start(cls, **given: Any) -> Self:
        """Starts a server and blocks until it answers; Ctrl-C ends that.

        Raises ServerStartError when it cannot be started: `code` is missing, exited, timeout, port, hostname or platform,
        and `body` the end of what it printed.
        """
        server = cls(**given)
        try:
            server.wait()
            error = server.error
        except BaseException:
            server.close()
            raise
        if error is not None:
            server.close()
            raise error
        return server

    @classmethod
    def launch(cls, **given: Any) -> Self:
        """Starts a server and returns at once; `poll` tells when it is ready. Takes the options of `start`."""
        return cls(**given)

    def wait(self, timeout: float | None = None) -> State:
        """Blocks while it is starting, at most `timeout` seconds; gives how far it is then."""
        return self._native.wait(timeout)  # type: ignore[return-value]

    def client(self, **given: Any) -> Client:
        """A client of this server; takes the options of `Client`. Touches no network.

        Raises ServerStartError while it is not ready and when it failed, ClosedError when it was closed.
        """
        return Client(**(given | self._native.settings()))

    def close(self) -> None:
        """Ends the server with everything that it has started, and waits for that: usually a second.

        What is running in its sessions is stopped first, so that it is stored as aborted.
        """
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_servers: weakref.WeakSet[ServerBase] = weakref.WeakSet()


def _after_fork() -> None:
    # The child must not keep the parent's servers alive when the parent is killed.
    for server in list(_servers):
        server._native.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
