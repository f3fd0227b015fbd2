"""Terminals for asyncio."""

from __future__ import annotations

from . import _native
from ._async_call import AsyncCall, settled
from ._call import Call
from ._log import Drain
from ._options import seconds
from ._pty import PtyBase
from ._waker import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import abc

else:
    from ._later import abc


class AsyncPty(PtyBase):
    """`Pty` for asyncio. Made by `await client.pty(...)` and `client.pty_connect(id)`."""

    def __init__(self, native: _native.Pty, drain: Drain | None, waker: Waker) -> None:
        super().__init__(native)
        self._drain = drain
        self._waker = waker
        self._mark = native.mark()
        waker.add(self._mark, self)

    def _take(self) -> bool:
        return self._native.is_ready()

    def _now(self) -> str | None:
        return self._native.read(0)

    async def read(self, timeout: float | None = None) -> str | None:
        """Takes what the program printed: "" when nothing came in time, None at the end."""
        return await self._waker.taken(self._mark, self._now, "", self._take, seconds("timeout", timeout))

    async def __aiter__(self) -> abc.AsyncIterator[str]:
        while (text := await self.read()) is not None:
            yield text

    async def kill(self) -> None:
        """Ends the program and makes the server forget the terminal."""
        call: Call[None] = Call(self._native.start_kill(), "pty.kill", False, self._drain)
        await settled(AsyncCall(call, self._waker))

    async def close(self) -> None:
        """Closes the connection. The program goes on."""
        self._native.begin_close()
        # Who reads is told that nothing more will come.
        self._waker.look((self._mark,))

    async def __aenter__(self) -> AsyncPty:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
