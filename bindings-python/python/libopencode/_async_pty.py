"""Terminals for asyncio."""

from __future__ import annotations

import asyncio

from . import _native
from ._async_call import AsyncCall, settled
from ._call import Call
from ._options import seconds
from ._pty import PtyBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _async_base as base

else:
    from ._later import Later, abc, typing

    base = Later("libopencode._async_base")


class AsyncPty(PtyBase):
    """`Pty` for asyncio. Made by `await client.pty(...)` and `client.pty_connect(id)`."""

    def __init__(self, native: _native.Pty, client: typing.Any) -> None:
        super().__init__(native, client)
        client._waker.add(self)

    def _take(self) -> bool:
        return self._native.is_ready()

    async def read(self, timeout: float | None = None) -> str | None:
        """Takes what the program printed: "" when nothing came in time, None at the end."""
        limit = seconds("timeout", timeout)
        loop = asyncio.get_running_loop()
        end = None if limit is None else loop.time() + limit
        # Another reader may be faster: then more is waited for.
        while (text := self._native.read(0)) == "":
            left = None if end is None else end - loop.time()
            try:
                await asyncio.wait_for(self._client._waker.until(self._take), left)
            except asyncio.TimeoutError:
                return self._native.read(0)
        return text

    async def __aiter__(self) -> abc.AsyncIterator[str]:
        while (text := await self.read()) is not None:
            yield text

    async def kill(self) -> None:
        """Ends the program and makes the server forget the terminal."""
        native = self._client._native.start_pty_kill(self._native)
        call: Call[None] = Call(native, "pty.kill", False, self._client._drain)
        await settled(AsyncCall(call, self._client._waker))

    async def close(self) -> None:
        """Closes the connection. The program goes on."""
        self._native.begin_close()
        # Who reads is told that nothing more will come.
        self._client._waker.look()

    async def __aenter__(self) -> AsyncPty:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def opened(client: base.AsyncClientBase, given: dict[str, typing.Any]) -> AsyncPty:
    """Starts a program in a terminal. Cancelled, it leaves none behind."""
    opening = client._native.start_pty(given)
    call: AsyncCall[None] = AsyncCall(Call(opening.call(), "pty", False, client._drain), client._waker)
    try:
        await call.result()
    except asyncio.CancelledError:
        made = opening.cancel()
        if made is not None:
            client._native.start_pty_kill(made)
        raise
    taken = opening.take()
    assert taken is not None
    return AsyncPty(taken, client)
