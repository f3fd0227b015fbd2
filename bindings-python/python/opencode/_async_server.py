"""Servers that the program starts itself, for asyncio."""

from __future__ import annotations

import asyncio

from ._async import AsyncClient
from ._server import ServerBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self

    from ._server import State


class AsyncServer(ServerBase):
    """`Server` for asyncio: a server that this program has started.

    async with await opencode.AsyncServer.start() as server:
        reply = await server.client().ask("Say pong")
    """

    @classmethod
    async def start(cls, **given: Any) -> Self:
        """Starts a server and waits until it answers. Cancelling the task ends it. Raises as `Server.start`."""
        server = cls(**given)
        try:
            await server.wait()
            error = server.error
        except BaseException:
            await asyncio.shield(server.close())
            raise
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
        state = await asyncio.to_thread(self._native.wait, timeout)
        return state  # type: ignore[return-value]

    def client(self, **given: Any) -> AsyncClient:
        """A client of this server; takes the options of `AsyncClient`. Touches no network."""
        return AsyncClient(**(given | self._native.settings()))

    async def close(self) -> None:
        """Ends the server with everything that it has started, and waits for that: usually a second."""
        await asyncio.to_thread(self._native.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
