"""`python -m opencode doctor [URL]`: what works and what does not. `discover` lists the servers that answer."""

from __future__ import annotations

import sys

import opencode


def main(arguments: list[str]) -> int:
    match arguments:
        case ["doctor", *url] if len(url) <= 1:
            with opencode.Client(*url) as client:
                found = client.doctor()
            print(found)
            return 0 if found.ok else 1
        case ["discover"]:
            for server in opencode.discover():
                wants = "  wants a password" if server.needs_password else ""
                print(f"{server.url}  {server.version or 'unknown version'}  {server.source}{wants}")
            return 0
        case _:
            print("usage: python -m opencode doctor [URL]\n       python -m opencode discover", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
