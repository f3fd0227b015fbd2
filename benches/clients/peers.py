"""What users of Python would take instead. `peers.py PEER ROW URL COUNT`"""

import sys

import bench

PEER, ROW, URL, COUNT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
PATHS = {
    "get_health": "/global/health",
    "get_session": "/session/ses_1",
    "sessions": f"/session?limit={COUNT}",
    "history": f"/session/ses_{COUNT}/message",
}
PATH = PATHS.get(ROW, "/global/event")


def urllib3_with(loads):
    import urllib3

    pool = urllib3.PoolManager()

    def events(count):
        got, rest = 0, b""
        answer = pool.request("GET", URL + PATH, preload_content=False)
        while got < count:
            *lines, rest = (rest + answer.read1(65536)).split(b"\n\n")
            for line in lines:
                if loads(line[6:]):
                    got += 1
        return got, 0

    return lambda: loads(pool.request("GET", URL + PATH).data), events


def urllib3_orjson():
    import orjson

    return urllib3_with(orjson.loads)


def urllib3_json():
    import json

    return urllib3_with(json.loads)


def http_client():
    import http.client
    import json

    connection = http.client.HTTPConnection(URL.removeprefix("http://"))

    def get():
        connection.request("GET", PATH)
        return json.loads(connection.getresponse().read())

    return get, None


def lines_of(lines, count):
    import json

    got = 0
    for line in lines:
        if line.startswith((b"data:", "data:")[isinstance(line, str)]) and json.loads(line[5:]):
            got += 1
            if got >= count:
                break
    return got, 0


def requests():
    import requests

    session = requests.Session()
    events = lambda count: lines_of(session.get(URL + PATH, stream=True).iter_lines(chunk_size=65536), count)
    return lambda: session.get(URL + PATH).json(), events


def httpx():
    import httpx

    client = httpx.Client()

    def events(count):
        with client.stream("GET", URL + PATH, timeout=None) as answer:
            return lines_of(answer.iter_lines(), count)

    return lambda: client.get(URL + PATH).json(), events


def sdk():
    import opencode_ai

    client = opencode_ai.Opencode(base_url=URL)

    def events(count):
        got = 0
        for _ in client.event.list():
            got += 1
            if got >= count:
                break
        return got, 0

    if ROW == "history":
        return lambda: client.session.messages(f"ses_{COUNT}"), events
    return lambda: client.get(PATH, cast_to=object), events


get, events = globals()[PEER]()
if ROW == "history":
    bench.history(get)
elif ROW == "events":
    bench.events(events, COUNT)
else:
    bench.get(get, bench.rounds(COUNT) if ROW == "sessions" else COUNT)
