"""`python -m opencode COMMAND`: what one does once, by hand."""

from __future__ import annotations

import sys
from importlib import import_module

# The module of a command has a function `run` that takes the other arguments and gives the exit code.
COMMANDS = {"discover": "._find", "doctor": "._examine", "replay": "._play"}


def main() -> int:
    """Does the command of the command line."""
    command, *arguments = sys.argv[1:] or [""]
    module = COMMANDS.get(command)
    if module is None:
        print(f"usage: python -m opencode {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    code: int = import_module(module, "opencode").run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
