"""What happens on the server, event by event: makes a session and sees it come. `python events.py`"""

import sys

import libopencode

try:
    with libopencode.Client() as client:
        for event in client.events():
            print(event.type, flush=True)
            # From here on nothing is missed; a gap would be told.
            if event.type == "stream.connected":
                client.session.create(title="seen")
            if event.type == "session.created" and event.properties["info"]["title"] == "seen":
                break
except libopencode.OpencodeError as error:
    sys.exit(str(error))
