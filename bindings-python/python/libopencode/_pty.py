"""Terminals: programs on the server's machine."""

from __future__ import annotations

from . import _native
from ._options import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

else:
    from ._later import abc, typing


def started(command: str | None, args: abc.Sequence[str], given: abc.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The options of a new terminal, by the core's names."""
    made = options(given)
    if command is not None:
        made["command"] = command
    if args:
        made["args"] = list(args)
    return made


class PtyBase:
    """What terminals of blocking and asyncio clients share. None of it blocks."""

    def __init__(self, native: _native.Pty) -> None:
        self._native = native

    def write(self, text: str) -> None:
        """Types a text. Returns at once: it is sent in the background, in order with what else was typed.

        Raises ClosedError when the terminal is over, RunLimitError when a megabyte waits to be sent.
        """
        self._native.write(text)

    def resize(self, cols: int, rows: int) -> None:
        """Gives the terminal another size. Returns at once."""
        self._native.resize(cols, rows)

    @property
    def id(self) -> str:
        """The id of the terminal, for `Client.pty_connect`."""
        return self._native.id

    @property
    def cursor(self) -> int:
        """Where the next read begins, in UTF-16 units since the terminal was made."""
        return self._native.cursor

    @property
    def exit_code(self) -> int | None:
        """The exit code of the program, once it ended and if the server tells it."""
        return self._native.exit_code

    @property
    def is_over(self) -> bool:
        """Whether the terminal is over, and everything that it printed was read."""
        return self._native.is_over()

    @property
    def is_complete(self) -> bool:
        """Whether everything came through that was asked for.

        False when a reader was slower than the two megabytes that the server keeps, or the program ended while
        the connection was down.
        """
        return self._native.is_complete()

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {self.id}>"


class Pty(PtyBase):
    """A program in a terminal on the server's machine. Made by `client.pty(...)` and `client.pty_connect(id)`.

    A lost connection is made again by itself, from the character at which it broke. Text that was on its way to
    the program at that moment may be lost; it is never typed twice. May be used from any thread.
    """

    def read(self, timeout: float | None = None) -> str | None:
        """Takes what the program printed, waiting at most `timeout` seconds.

        Gives "" when nothing came in time, and None when the terminal is over and all was read. `read(0)` never
        blocks. Raises NotFoundError for a terminal that does not exist, APIConnectionError when the server was
        out of reach for too long.
        """
        return self._native.read(timeout)

    def __iter__(self) -> abc.Iterator[str]:
        """What the program prints, until the end."""
        while (text := self.read()) is not None:
            yield text

    def kill(self) -> None:
        """Ends the program and makes the server forget the terminal. Blocks for one request."""
        self._native.kill()

    def close(self) -> None:
        """Closes the connection, within a second. The program goes on."""
        self._native.close()

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
