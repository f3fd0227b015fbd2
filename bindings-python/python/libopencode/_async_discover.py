"""Which servers there are, for asyncio."""

from __future__ import annotations

from . import _native
from ._async_call import AsyncCall, settled
from ._call import Call
from ._discover import Found
from ._options import milliseconds
from ._waker import Waker, check_no_other_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


async def discover_async(timeout: float = 2.0) -> list[Found]:
    """`discover` for asyncio. Cancelling the task ends it at once."""
    check_no_other_loop()
    native = _native.start_discover(milliseconds("timeout", timeout) / 1000)
    call: Call[list[dict[str, typing.Any]]] = Call(native, "discover", False)
    return [Found(found) for found in await settled(AsyncCall(call, Waker(native.fd, lambda: ())))]
