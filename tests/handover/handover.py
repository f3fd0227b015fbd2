"""Starts a run and leaves it, or picks one up: `handover.py start PROMPT`, `handover.py resume SESSION MESSAGE`."""

import sys

import libopencode

with libopencode.Client() as client:
    if sys.argv[1] == "start":
        ids = client.run(sys.argv[2]).detach()
        print(ids.sessionID, ids.messageID)
    else:
        print(client.resume(sys.argv[2], sys.argv[3]).result(60).text)
