"""Asks about a file on this machine; its content travels with the prompt: `python attach.py FILE PROMPT`."""

import sys

import libopencode

if len(sys.argv) < 3:
    print("usage: python attach.py FILE PROMPT", file=sys.stderr)
    sys.exit(2)

try:
    with libopencode.Client() as client:
        part = libopencode.attach(sys.argv[1])
        print(f"[{part['filename']}, {part['mime']}]")
        print(client.ask([" ".join(sys.argv[2:]), part]).text)
except libopencode.OpencodeError as error:
    sys.exit(str(error))
