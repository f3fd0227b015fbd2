"""`libopencode sessions [OPTION]...`: lists the sessions, the one that changed last first.

  --limit N      how many; 20 by default, 0 for all
  --search TEXT  those with this in their title
  --all          those of all directories
  --subagents    those of subagents too
  --json         an object a line, as the server has it
  --url URL, --directory DIR

A line holds the id, the time of the last change, and the title. The exit codes are those of `libopencode ask`.
"""

from __future__ import annotations

import json

from ._command import DONE, Arguments, client_of, moment, one_line, table, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _list(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("sessions", "libopencode sessions [OPTION]...")
    options.place()
    options.add_argument("--limit", type=int, default=20)
    options.add_argument("--search")
    options.add_argument("--all", action="store_true")
    options.add_argument("--subagents", action="store_true")
    options.add_argument("--json", action="store_true")
    given = options.read(arguments)
    if given.limit < 0:
        options.error("--limit is 0 or more")
    if given.all and given.directory:
        options.error("give --all or --directory")
    return given


def _list(given: typing.Any) -> int:
    rows = []
    with client_of(given) as client:
        found = client.sessions(
            scope="global" if given.all else "directory", search=given.search, roots=not given.subagents
        )
        for number, session in enumerate(found):
            if given.limit and number >= given.limit:
                break
            if given.json:
                print(json.dumps(session, ensure_ascii=False))
                continue
            where = [one_line(session["directory"])] if given.all else []
            rows.append([session["id"], moment(session["time"]["updated"]), *where, one_line(session.get("title") or "")])
    if rows:
        print(table(rows))
    return DONE
