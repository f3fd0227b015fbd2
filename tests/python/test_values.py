"""Replies, updates and events as values of the program."""

import asyncio
import copy
import json
import logging
import os
import pickle
import subprocess
import sys

import libopencode


def run(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_reply_is_a_dict_for_whoever_wants_one(client):
    reply = client.ask("Say pong")
    plain = dict(reply)
    assert type(plain) is dict and plain == reply == reply.to_dict()
    assert plain["text"] == reply.text == reply["text"] == str(reply)
    assert list(reply) == list(reply.keys()) and ("cost", reply.cost) in reply.items()
    assert reply.get("none", 7) == 7 and "text" in reply and len(reply) == len(plain)
    # Web frameworks write what they are given with the `json` of Python.
    assert json.loads(json.dumps(reply)) == plain
    assert {**reply} == plain
    match reply:
        case {"sessionID": session, "tokens": {"total": total}}:
            assert session == reply.sessionID and total == reply.tokens["total"]
    for twin in (pickle.loads(pickle.dumps(reply)), copy.copy(reply), copy.deepcopy(reply)):
        assert type(twin) is libopencode.Reply and twin == reply and twin.text == reply.text
    assert client.session.create(metadata={"from": reply})["metadata"]["from"]["text"] == reply.text


def test_updates_events_and_the_rest_are_dicts_too(client):
    for update in client.run("Say pong"):
        assert json.loads(json.dumps(update))["type"] == update.type
    with client.events() as stream:
        event = stream.next(30)
        assert json.loads(json.dumps(event))["type"] == event.type
    for value in (client.doctor(), client.usage(client.session.create()["id"]), *libopencode.discover(2)):
        assert json.loads(json.dumps(value)) == dict(value) == value.to_dict()


async def asked(app, path, body=None):
    """Status and body of what an ASGI application answers."""
    scope = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_a_handler_of_fastapi_returns_and_takes_a_reply(client):
    import fastapi

    reply = client.ask("Say pong")
    app = fastapi.FastAPI()

    @app.get("/plain")
    def plain():
        return reply

    @app.get("/typed")
    async def typed() -> libopencode.Reply:
        return reply

    @app.post("/taken")
    async def taken(given: libopencode.Reply) -> str:
        return given.text

    async def main():
        for path in ("/plain", "/typed"):
            status, body = await asked(app, path)
            assert status == 200 and json.loads(body) == reply
        assert await asked(app, "/taken", json.dumps(reply).encode()) == (200, json.dumps(reply.text).encode())
        assert (await asked(app, "/openapi.json"))[0] == 200

    asyncio.run(main())


def test_a_log_handler_that_raises_loses_nothing():
    program = """
import asyncio, logging, libopencode
class Bad(logging.Handler):
    def emit(self, record):
        raise ValueError("the handler fails")
logger = logging.getLogger("libopencode")
logger.addHandler(Bad())
logger.setLevel(logging.DEBUG)
with libopencode.Client() as client:
    assert client.ask("Say pong").text
    assert client.session.list() is not None
    assert client.start("global.health").result()["healthy"]
    assert [update.type for update in client.run("Say pong")][-1] == "done"
    assert list(client.messages(client.session.create()["id"])) == []
    assert client.events().next(30).type == "stream.connected"
async def main():
    async with libopencode.AsyncClient() as client:
        assert (await client.ask("Say pong")).text
        assert (await client.global_.health())["healthy"]
        assert [m async for m in client.messages((await client.session.create())["id"])] == []
asyncio.run(main())
print("all there")
"""
    done = run(program)
    assert done.stdout == "all there\n"
    assert "the handler fails" in done.stderr and "Logging error" in done.stderr
    quiet = run("import logging\nlogging.raiseExceptions = False\n" + program)
    assert (quiet.stdout, quiet.stderr) == ("all there\n", "")


def test_a_log_handler_that_ends_the_program_ends_it():
    program = """
import asyncio, logging, libopencode
class Last(logging.Handler):
    def emit(self, record):
        raise %s
logger = logging.getLogger("libopencode")
logger.addHandler(Last())
logger.setLevel(logging.DEBUG)
def reached(work):
    try:
        work()
    except %s:
        return True
async def ask():
    async with libopencode.AsyncClient() as client:
        await client.global_.health()
client = libopencode.Client()
ways = client.global_.health, lambda: client.ask("Say pong"), lambda: asyncio.run(ask())
print(*[reached(way) for way in ways])
"""
    for raised in ("SystemExit(3)", "KeyboardInterrupt"):
        assert run(program % (raised, raised.split("(")[0])).stdout == "True True True\n"


def test_what_happens_at_exit_works_or_fails_with_a_kind_and_prints_nothing():
    program = """
import atexit, os, libopencode, sys
def at_exit():
    for work in (client.global_.health, lambda: client.ask("Say pong").text, client.doctor,
                 lambda: list(client.messages(session)), lambda: client.usage(session),
                 lambda: libopencode.Client().global_.health(), lambda: client.start("global.health").result(),
                 lambda: client.events().next(30), client.close, client.global_.health):
        try:
            work()
            said.append("done")
        except libopencode.OpencodeError as error:
            said.append(error.kind)
    sys.stdout.write(" ".join(said))
said = []
client = libopencode.Client()
atexit.register(at_exit)
session = client.session.create()["id"]
class Late:
    def __del__(self):
        try:
            client.global_.health()
        except libopencode.OpencodeError:
            pass
late = Late()
"""
    done = run(program)
    assert (done.stdout, done.stderr) == ("done " * 9 + "closed", "")


def test_a_call_when_the_interpreter_is_nearly_gone_prints_nothing():
    program = """
import libopencode, sys
client = libopencode.Client()
client.global_.health()
class Late:
    # Kept by a module that is taken down late: what it calls may be gone.
    def __init__(self, call, kinds):
        self.call, self.kinds = call, kinds
    def __del__(self):
        try:
            self.call("global.health")
        except self.kinds:
            pass
sys.late = Late(client.call, (libopencode.OpencodeError,))
"""
    done = run(program)
    assert (done.stdout, done.stderr) == ("", "")


def test_threads_that_stay_behind_print_nothing_at_exit():
    program = """
import libopencode, threading
client = libopencode.Client()
stream = client.events()
run = client.run("Say pong")
for work in (lambda: list(stream), lambda: client.call("tui.control.next"), lambda: list(run), lambda: run.result()):
    threading.Thread(target=work, daemon=True).start()
print("end")
"""
    for _ in range(3):
        done = run(program)
        assert (done.stdout, done.stderr) == ("end\n", "")


def test_logging_in_asyncio_is_handed_over(caplog):
    async def main():
        async with libopencode.AsyncClient() as client:
            await client.global_.health()

    with caplog.at_level(logging.DEBUG, logger="libopencode"):
        asyncio.run(main())
    assert "GET /global/health" in caplog.text
