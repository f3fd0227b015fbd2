"""Servers that the program starts itself, for asyncio."""

from __future__ import annotations

import asyncio

from ._async import AsyncClient
from ._async_call import AsyncCall
from ._call import Call
from ._options import milliseconds
from ._server import ServerBase
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from ._server import State


class AsyncServer(ServerBase):
    """`Server` for asyncio: a server that this program has started.

    async with await libopencode.AsyncServer.start() as server:
        reply = await server.client().ask("Say pong")
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._waker = Waker(self._native.fd)
        self._waker.add(self)

    def _take(self) -> bool:
        return self._native.poll() != "starting"

    @classmethod
    async def start(cls, **given: Any) -> Self:
        """Starts a server and waits until it answers. Raises as `Server.start`.

        Cancelling the task ends the server, in the background.
        """
        server = cls(**given)
        try:
            await server.wait()
        except BaseException:
            server._native.start_close()
            raise
        error = server.error
        if error is not None:
            await server.close()
            raise error
        return server

    @classmethod
    def launch(cls, **given: Any) -> Self:
        """Starts a server and returns at once; `poll` tells when it is ready. Takes the options of `start`."""
        return cls(**given)

    async def wait(self, timeout: float | None = None) -> State:
        """Waits while it is starting, at most `timeout` seconds; gives how far it is then."""
        if timeout is not None:
            timeout = milliseconds("timeout", timeout) / 1000
        try:
            await asyncio.wait_for(self._waker.until(self._take), timeout)
        except asyncio.TimeoutError:
            pass
        return self.poll()

    def client(self, **given: Any) -> AsyncClient:
        """A client of this server; takes the options of `AsyncClient`. Touches no network."""
        return AsyncClient(**(given | self._native.settings()))

    async def close(self) -> None:
        """Ends the server with everything that it has started, and waits for that: usually a second.

        Who is cancelled waits no longer; the server ends all the same.
        """
        call: Call[None] = Call(self._native.start_close(), "server.close", False)
        await AsyncCall(call, self._waker).result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
