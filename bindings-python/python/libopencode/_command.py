"""What the commands share: options, the client of a command, and how mistakes and failures are told."""

from __future__ import annotations

import argparse
import sys

from ._client import Client
from ._errors import OpencodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing

#: What a command ends with.
DONE, FAILED, WRONG, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

_AWAY = frozenset({"connection", "start"})


class Wrong(Exception):
    """The command line asks for nothing that can be done."""


class Arguments(argparse.ArgumentParser):
    """The options of one command. Whatever is wrong is one line."""

    def __init__(self, command: str, usage: str) -> None:
        super().__init__(prog=f"libopencode {command}", usage=usage, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> typing.NoReturn:
        usage = (self.usage or "").strip()
        raise Wrong(f"{self.prog}: {message}; usage: {usage}")

    def place(self) -> None:
        """Which server, and which project."""
        self.add_argument("--url")
        self.add_argument("--directory")

    def read(self, arguments: list[str]) -> typing.Any:
        """The options as attributes."""
        return self.parse_intermixed_args(arguments)


def client_of(given: typing.Any, **more: typing.Any) -> Client:
    """The client of a command that has `place`."""
    from os.path import abspath

    # The server would begin at its own directory.
    directory = given.directory and abspath(given.directory)
    return Client(given.url, directory=directory, **more)


def told(work: typing.Callable[[], int]) -> int:
    """Does the work of a command; what fails is one line on standard error, and the exit code says what kind it was."""
    try:
        return work()
    except Wrong as error:
        return tell(str(error), WRONG)
    except OpencodeError as error:
        return tell(f"libopencode: {error}", code_of(error))
    except KeyboardInterrupt:
        return tell("libopencode: interrupted", INTERRUPTED)


def code_of(error: OpencodeError) -> int:
    """What a command ends with that fails in this way."""
    if error.kind == "invalid_argument":
        return WRONG
    return UNREACHABLE if error.kind in _AWAY else FAILED


def tell(line: str, code: int) -> int:
    """One line on standard error, and the exit code."""
    print(" ".join(line.split()), file=sys.stderr)
    return code


def newest_session(client: Client) -> str:
    """The session of the directory that changed last."""
    for session in client.sessions(roots=True, page=1):
        return session["id"]
    raise Wrong("libopencode: there is no session in this directory yet")


def moment(ms: float) -> str:
    """Milliseconds since 1970 as a minute of this machine."""
    from datetime import datetime

    return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M")


def money(cost: float) -> str:
    """What something cost, without digits that say nothing."""
    return f"{cost:.4f}" if cost else "0"


def table(rows: list[list[str]], right: tuple[int, ...] = ()) -> str:
    """Rows in columns, two spaces apart; those of `right` end at the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(w) if at in right else cell.ljust(w) for at, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def one_line(text: str) -> str:
    """A text that may hold anything, for a column."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
