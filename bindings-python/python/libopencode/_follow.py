"""`libopencode events [OPTION]...`: shows what happens on the server, event by event, until Ctrl-C.

  --all        the events of all directories
  --type TYPE  those whose type begins so, such as session. or message.part; may be given several times
  --json       an object a line, as the server has it
  --url URL, --directory DIR

A line holds the time, the type, the session, and the beginning of the rest. Ctrl-C ends it with 0; the other exit codes are
those of `libopencode ask`.
"""

from __future__ import annotations

import json

from ._command import DONE, Arguments, client_of, one_line, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _events(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("events", "libopencode events [OPTION]...")
    options.place()
    options.add_argument("--all", action="store_true")
    options.add_argument("--type", action="append", default=[], dest="types")
    options.add_argument("--json", action="store_true")
    given = options.read(arguments)
    if given.all and given.directory:
        options.error("give --all or --directory")
    return given


def _events(given: typing.Any) -> int:
    scope: typing.Any = "global" if given.all else "directory"
    with client_of(given) as client, client.events(scope=scope) as stream:
        try:
            for event in stream:
                if given.types and not event.type.startswith(tuple(given.types)):
                    continue
                print(json.dumps(event, ensure_ascii=False) if given.json else _line(event), flush=True)
        except KeyboardInterrupt:
            pass
    return DONE


def _line(event: typing.Any) -> str:
    from time import strftime

    properties = dict(event.properties)
    session = properties.pop("sessionID", None) or ""
    rest = one_line(json.dumps(properties, ensure_ascii=False)) if properties else ""
    return " ".join(part for part in (strftime("%H:%M:%S"), event.type, session, rest[:120]) if part)
