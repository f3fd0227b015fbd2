"""`libopencode serve [OPTION]...`: starts a server of its own, until Ctrl-C.

  --port N            a free one by default
  --hostname ADDRESS  127.0.0.1 by default; with any other one, others can reach it
  --directory DIR     where it works
  --binary FILE       the program; OPENCODE_BIN, else opencode on the PATH, by default
  --json              what a client needs as one object

What a client needs is printed as lines for a shell: its address, user and password. The server ends with this command, also
when that is killed. Ctrl-C ends it with 0; the other exit codes are those of `libopencode ask`.
"""

from __future__ import annotations

import json

from ._command import DONE, Arguments, told
from ._server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _serve(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("serve", "libopencode serve [OPTION]...")
    options.add_argument("--port", type=int)
    options.add_argument("--hostname")
    options.add_argument("--directory")
    options.add_argument("--binary")
    options.add_argument("--json", action="store_true")
    return options.read(arguments)


def _serve(given: typing.Any) -> int:
    from select import select
    from shlex import quote

    try:
        with Server.start(
            binary=given.binary, directory=given.directory, port=given.port, hostname=given.hostname
        ) as server:
            needed = server.environment()
            if given.json:
                print(json.dumps(needed), flush=True)
            else:
                print("\n".join(f"export {name}={quote(value)}" for name, value in needed.items()), flush=True)
            # A wait ends at once where the server is ready: its descriptor tells of the end.
            news = server._native.fd()
            while server.poll() not in ("failed", "closed"):
                select([news], [], [])
            if server.error is not None:
                raise server.error
    except KeyboardInterrupt:
        pass
    return DONE
