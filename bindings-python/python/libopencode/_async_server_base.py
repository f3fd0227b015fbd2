"""What servers for asyncio do, behind the methods that take options."""

from __future__ import annotations

import asyncio

from ._async_call import AsyncCall
from ._call import Call
from ._options import milliseconds
from ._server_base import ServerBase
from ._waker import Waker, check_no_other_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import _shapes as shapes
else:
    from ._later import shapes, typing


class AsyncServerBase(ServerBase):
    """What a server for asyncio does."""

    def _setup(self, given: dict[str, typing.Any]) -> None:
        check_no_other_loop()
        super()._setup(given)
        # It is the only one that its descriptor tells of.
        self._waker = Waker(self._native.fd, lambda: ())
        self._waker.add(0, self)

    def _take(self) -> bool:
        return self._native.poll() != "starting"

    async def _ready(self) -> None:
        try:
            await self.wait()
        except BaseException:
            self._native.start_close()
            raise
        error = self.error
        if error is not None:
            await self.close()
            raise error

    async def wait(self, timeout: float | None = None) -> shapes.ServerState:
        """Waits while it is starting, at most `timeout` seconds; gives how far it is then."""
        if timeout is not None:
            timeout = milliseconds("timeout", timeout) / 1000
        try:
            await asyncio.wait_for(self._waker.until(0, self._take), timeout)
        except asyncio.TimeoutError:
            pass
        return self.poll()

    async def close(self) -> None:
        """Ends the server with everything that it has started, and waits for that: usually a second.

        Who is cancelled waits no longer; the server ends all the same.
        """
        call: Call[None] = Call(self._native.start_close(), "server.close", False)
        await AsyncCall(call, self._waker).result()

    async def __aexit__(self, *_: object) -> None:
        await self.close()
