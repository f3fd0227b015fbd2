"""The terminal interface that somebody has attached to the server."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc
else:
    from ._later import abc, typing


class TuiControl:
    """The requests of a terminal interface that is controlled by programs. Made by `Client.tui_control`."""

    def __init__(self, native: _native.TuiControl, call: abc.Callable[..., typing.Any]) -> None:
        self._native = native
        self._call = call

    def next(self, timeout: float | None = None) -> dict[str, typing.Any] | None:
        """Waits for the next request, `{"path": ..., "body": ...}`, at most `timeout` seconds; None in vain.

        None is lost between two calls, whatever the timeouts.
        """
        return self._native.next(timeout)

    def respond(self, value: typing.Any) -> None:
        """Answers the request that `next` gave, with any JSON value. Blocks for one request; Ctrl-C ends it."""
        self._call("tui.control.response", {"body": value}, None)

    def __iter__(self) -> abc.Iterator[dict[str, typing.Any]]:
        """Every request in turn, for ever."""
        while (request := self.next()) is not None:
            yield request

    def close(self) -> None:
        """Ends the waiting."""
        self._native.close()

    def __enter__(self) -> TuiControl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
