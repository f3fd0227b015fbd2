"""`libopencode replay FILE`: plays the recording of a client back until it is interrupted.

FILE is what a client wrote with `record=FILE` or OPENCODE_RECORD. The first line printed is the address at which a client
finds what was recorded.
"""

from __future__ import annotations

import sys
import threading

from ._errors import OpencodeError
from ._replay import Replay


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: libopencode replay FILE", file=sys.stderr)
        return 2
    try:
        replay = Replay(arguments[0])
    except OpencodeError as error:
        print(error, file=sys.stderr)
        return 1
    with replay:
        print(replay.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
    return 0
