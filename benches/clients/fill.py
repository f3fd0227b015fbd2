"""Makes the history of a session of the server long: `fill.py DATABASE SESSION MESSAGES`

The server itself takes a minute for a thousand messages. What stands there is repeated, before it, with ids and times of
its own.
"""

import json
import sqlite3
import sys

database, session, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = sqlite3.connect(database, timeout=60)
messages = connection.execute(
    "select id, time_created, data from message where session_id = ? order by id", (session,)
).fetchall()
parts = connection.execute("select id, message_id, data from part where session_id = ? order by id", (session,)).fetchall()
if not messages:
    sys.exit("the session has no message")


def before(name, steps):
    """An id as the server makes them, so much older."""
    kind, rest = name.split("_", 1)
    return f"{kind}_{int(rest[:12], 16) - steps:012x}{rest[12:]}"


with connection:
    made = 0
    # An id counts milliseconds, 4096 a piece.
    while made < wanted:
        ids = {}
        for name, created, data in messages:
            steps = (wanted - made) * 4096
            ids[name] = before(name, steps)
            data = json.loads(data)
            if data.get("parentID") in ids:
                data["parentID"] = ids[data["parentID"]]
            created -= wanted - made
            row = (ids[name], session, created, created, json.dumps(data))
            connection.execute("insert into message values (?, ?, ?, ?, ?)", row)
            for part, message, stored in parts:
                if message == name:
                    row = (before(part, steps), ids[name], session, created, created, stored)
                    connection.execute("insert into part values (?, ?, ?, ?, ?, ?)", row)
        made += len(messages)
