"""`libopencode usage [OPTION]... [SESSION]`: says what sessions cost: all of the directory, or SESSION and its subagents.

  --since DAY    from this day on, such as 2026-11-29, or 2026-11-29T19:03:00Z; days are those of UTC
  --until DAY    before this day
  --all          the sessions of all directories
  --by WORD      day, model, agent or session; may be given several times; day and model by default
  --json         one object
  --url URL, --directory DIR

The exit codes are those of `libopencode ask`.
"""

from __future__ import annotations

import json

from ._command import DONE, Arguments, client_of, money, one_line, table, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _usage(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("usage", "libopencode usage [OPTION]... [SESSION]")
    options.place()
    options.add_argument("session", nargs="?")
    options.add_argument("--since")
    options.add_argument("--until")
    options.add_argument("--all", action="store_true")
    options.add_argument("--by", action="append", choices=["day", "model", "agent", "session"])
    options.add_argument("--json", action="store_true")
    given = options.read(arguments)
    if given.all and (given.directory or given.session):
        options.error("give --all, --directory or SESSION")
    return given


def _usage(given: typing.Any) -> int:
    scope: typing.Any = "global" if given.all else None
    with client_of(given) as client:
        usage = client.usage(given.session, since=given.since, until=given.until, scope=scope)
    if given.json:
        print(json.dumps(usage, ensure_ascii=False))
        return DONE
    rows = [["", "cost", "tokens", "answers"]]
    for word in given.by or ["day", "model"]:
        rows += [_row(f"{word} {one_line(share.name)}", share) for share in usage[f"{word}s"]]
    rows.append(_row("all", usage))
    print(table(rows, right=(1, 2, 3)))
    return DONE


def _row(name: str, share: typing.Any) -> list[str]:
    return [name, money(share.cost), str(share.tokens["total"]), str(share.count)]
