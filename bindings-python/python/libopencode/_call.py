"""Operations in the background."""

from __future__ import annotations

from . import _native
from ._errors import APITimeoutError
from ._generic import Answer, Generic
from ._log import Drain

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

else:
    from ._later import typing


class Call(Generic[Answer]):
    """An operation in the background. Made by `Client.start`."""

    __slots__ = ("_drain", "_native", "_operation", "_raw")

    def __init__(
        self, native: _native.Call, operation: str, raw: bool, drain: Drain | None = None
    ) -> None:
        self._native = native
        self._operation = operation
        self._raw = raw
        self._drain = drain

    def _wait(self, timeout: float | None) -> tuple[typing.Any] | None:
        try:
            return self._native.wait(timeout, self._raw)
        finally:
            if self._drain is not None:
                self._drain()

    def poll(self) -> typing.Literal["pending", "done"]:
        """Whether the result is there. Never blocks; `result` then gives it at once."""
        return "done" if self._native.is_done() else "pending"

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the result is there, at most `timeout` seconds; whether it is."""
        try:
            return self._native.settle(timeout)
        finally:
            if self._drain is not None:
                self._drain()

    def result(self, timeout: float | None = None) -> Answer:
        """The answer of the operation, waiting at most `timeout` seconds for it.

        Raises what the operation raised, and APITimeoutError when it is not there in time: it goes on then.
        """
        found = self._wait(timeout)
        if found is None:
            raise APITimeoutError(
                f"{self._operation}: no answer within {timeout} s; wait again, or cancel it",
                operation=self._operation,
                sent=True,
            )
        answer: typing.Any = _raw_response(found[0]) if self._raw else found[0]
        return answer  # type: ignore[no-any-return]

    def cancel(self) -> None:
        """Ends the request, whatever it waits for. The server may have done its work all the same."""
        self._native.cancel()

    def __repr__(self) -> str:
        return f"<libopencode.Call {self._operation} {self.poll()}>"


class RawResponse:
    """An answer as it came: status, headers and bytes."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<libopencode.RawResponse {self.status}, {len(self.body)} bytes>"


def _raw_response(found: typing.Any) -> RawResponse:
    return RawResponse(*found)
