"""`python -m opencode COMMAND`: what one does once, by hand."""

from __future__ import annotations

import sys

import opencode

USAGE = """usage: python -m opencode doctor [URL]     what works and what does not
       python -m opencode discover         the servers that answer
       python -m opencode replay FILE ...  plays a recording back"""


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
        case ["replay", *rest]:
            from ._play import run

            return run(rest)
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
