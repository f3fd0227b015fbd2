"""`libopencode doctor [URL]`: says what works with a server and what does not, and what to do.

It looks at address, password, version, directory, model, ripgrep, events and clock, and calls no model. URL may hold
`user:password@`; without it, OPENCODE_BASE_URL is asked. The exit code is 1 when something fails.
"""

from __future__ import annotations

import sys

from ._client import Client
from ._errors import OpencodeError


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print("usage: libopencode doctor [URL]", file=sys.stderr)
        return 2
    try:
        with Client(*arguments) as client:
            found = client.doctor()
    except OpencodeError as error:
        print(error, file=sys.stderr)
        return 1
    print(found)
    return 0 if found.ok else 1
