"""`libopencode COMMAND`, or `python -m libopencode COMMAND`: what one does once, by hand."""

from __future__ import annotations

import sys
from importlib import import_module

# The module of a command has a function `run` that takes the other arguments and gives the exit code. Its first line of
# documentation says how the command is written, and what it does.
COMMANDS = {
    "ask": "._talk",
    "sessions": "._browse",
    "export": "._write",
    "usage": "._count",
    "events": "._follow",
    "serve": "._host",
    "discover": "._find",
    "doctor": "._examine",
    "replay": "._play",
}

USAGE = "usage: libopencode COMMAND [ARGUMENT]"

AFTER = """\
  --help     this text; behind a command, what that does
  --version  the version of this package

The server is named by OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD."""


def _doc(command: str) -> str:
    return import_module(COMMANDS[command], "libopencode").__doc__ or ""


def _help() -> str:
    lines = [_doc(command).partition("\n")[0].replace("`", "") for command in COMMANDS]
    return "\n".join([USAGE, "", *(f"  {line}" for line in lines), "", AFTER])


def main() -> int:
    """Does the command of the command line, and gives the exit code: 2 when it is none."""
    try:
        code = _main()
        # A short output leaves the buffer here and not at the end of the program, where nobody is told.
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Who read the output has gone; what is left in the buffer goes nowhere.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _main() -> int:
    command, *arguments = sys.argv[1:] or [""]
    if command in ("--help", "-h", "help"):
        print(_help())
        return 0
    if command == "--version":
        from . import __version__

        print(f"libopencode {__version__}")
        return 0
    module = COMMANDS.get(command)
    if module is None:
        wrong = f"libopencode: there is no command '{command}'\n" if command else ""
        if command.startswith("-"):
            wrong = f"libopencode: '{command}' stands behind a command, as in `libopencode ask {command} ...`\n"
        print(f"{wrong}{_help()}", file=sys.stderr)
        return 2
    if any(argument in ("--help", "-h") for argument in arguments):
        print(_doc(command).replace("`", "").strip())
        return 0
    code: int = import_module(module, "libopencode").run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
