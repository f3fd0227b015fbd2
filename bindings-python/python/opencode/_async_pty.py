"""Terminals for asyncio."""

from __future__ import annotations

import asyncio

from ._pty import PtyBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from . import _native


class AsyncPty(PtyBase):
    """`Pty` for asyncio. Made by `await client.pty(...)` and `client.pty_connect(id)`."""

    def __init__(self, native: _native.Pty, client: Any) -> None:
        super().__init__(native, client)
        client._waker.add(self)

    def _take(self) -> bool:
        return self._native.is_ready()

    async def read(self, timeout: float | None = None) -> str | None:
        """Takes what the program printed: "" when nothing came in time, None at the end."""
        try:
            await asyncio.wait_for(self._client._waker.until(self._take), timeout)
        except asyncio.TimeoutError:
            pass
        return self._native.read(0)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self.read()) is not None:
            yield text

    async def kill(self) -> None:
        """Ends the program and makes the server forget the terminal."""
        await asyncio.to_thread(self._native.kill)

    async def close(self) -> None:
        """Closes the connection, within a second. The program goes on."""
        await asyncio.to_thread(self._native.close)

    async def __aenter__(self) -> AsyncPty:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
