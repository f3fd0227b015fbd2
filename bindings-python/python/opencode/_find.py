"""`python -m opencode discover`: the servers that answer."""

from __future__ import annotations

import sys

from ._discover import discover


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    if arguments:
        print("usage: python -m opencode discover", file=sys.stderr)
        return 2
    for server in discover():
        wants = "  wants a password" if server.needs_password else ""
        print(f"{server.url}  {server.version or 'unknown version'}  {server.source}{wants}")
    return 0
