"""`libopencode export [OPTION]... [SESSION]`: writes a session with its subagents as one text.

Without SESSION it is the one of the directory that changed last.

  --format WORD      markdown or json; by the ending of FILE, else markdown
  -o, --output FILE  where to; it appears when it is complete. Without, it goes to standard output
  --data             with the content of files that stands in messages
  --alone            without the sessions of subagents
  --url URL, --directory DIR

The exit codes are those of `libopencode ask`.
"""

from __future__ import annotations

import sys

from ._command import DONE, Arguments, client_of, newest_session, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _export(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("export", "libopencode export [OPTION]... [SESSION]")
    options.place()
    options.add_argument("session", nargs="?")
    options.add_argument("--format", choices=["markdown", "json"])
    options.add_argument("-o", "--output")
    options.add_argument("--data", action="store_true")
    options.add_argument("--alone", action="store_true")
    return options.read(arguments)


def _export(given: typing.Any) -> int:
    is_json = (given.output or "").endswith(".json")
    wanted = {"format": given.format or ("json" if is_json else "markdown"), "data": given.data, "tree": not given.alone}
    with client_of(given) as client:
        session = given.session or newest_session(client)
        if given.output:
            written = client.export_to(session, given.output, **wanted)
            print(f"{written.path}: {written.sessions} sessions, {written.messages} messages, {written.bytes} bytes", file=sys.stderr)
            return DONE
        for piece in client.export(session, **wanted):
            sys.stdout.write(piece)
        sys.stdout.flush()
    return DONE
