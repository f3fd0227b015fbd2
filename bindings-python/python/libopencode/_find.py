"""`libopencode discover`: lists the servers that answer.

They come from OPENCODE_BASE_URL, the default port of this machine, the background service of OpenCode 2.x, and mDNS. One
line for each: address, version, where it was found, and whether it wants a password. It takes two seconds.
"""

from __future__ import annotations

import sys

from ._discover import discover


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    if arguments:
        print("usage: libopencode discover", file=sys.stderr)
        return 2
    for server in discover():
        wants = "  wants a password" if server.needs_password else ""
        print(f"{server.url}  {server.version or 'unknown version'}  {server.source}{wants}")
    return 0
