import asyncio
import pickle
import subprocess
import sys
import threading
import time

import process
import pytest

import libopencode


def test_operations_are_found_in_their_namespaces(client):
    assert client.global_.health()["healthy"] is True
    session = client.session.create(title="from python")
    assert client.session.get(session["id"])["title"] == "from python"
    assert client.session.update(session["id"], title="x")["title"] == "x"
    assert client.call("session.get", {"sessionID": session["id"]})["title"] == "x"
    assert "data" in client.v2.session.list()
    assert client.session.delete(sessionID=session["id"]) is True
    assert "session" in dir(client) and "update" in dir(client.session)
    assert client.session.update.__doc__


def test_the_raw_answer_has_status_headers_and_bytes(client):
    answer = client.call_raw("global.health")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert b'"healthy":true' in answer.body
    assert client.request("GET", "/global/health")["healthy"] is True


def test_values_keep_their_types(client):
    title = 'ä €😀 "quoted" \\ back\tslash\nline'
    metadata = {"i": 2**53 + 1, "f": 0.1, "none": None, "list": [], "object": {}, "yes": True}
    session = client.session.create(title=title, metadata=metadata)
    session = client.session.get(session["id"])
    assert session["title"] == title
    # The server keeps numbers as JavaScript does: the nearest double.
    assert session["metadata"] == metadata | {"i": 2**53}
    assert isinstance(session["time"]["created"], int)
    assert isinstance(session["metadata"]["f"], float)


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**32 + 1, 2**53 - 1, 2**53, -(2**53)])
def test_whole_numbers_keep_their_digits(client, number):
    session = client.session.create(metadata={"n": number})
    raw = client.call_raw("session.get", {"sessionID": session["id"]})
    assert b'"n":%d}' % number in raw.body
    got = client.session.get(session["id"])["metadata"]["n"]
    assert (got, type(got)) == (number, int)


def test_a_session_that_was_read_is_sent_back_as_it_was(client):
    metadata = {"none": [], "deep": [{"none": []}], "object": {}}
    read = client.session.get(client.session.create(metadata=metadata)["id"])
    again = client.session.create(metadata=read["metadata"])
    assert client.session.get(again["id"])["metadata"] == metadata


def test_none_is_nothing_and_NULL_is_null(client):
    assert client.session.create(title=None)["title"].startswith("New session")
    with pytest.raises(libopencode.BadRequestError):
        client.session.create(title=libopencode.NULL)


def test_calls_in_the_background(client):
    call = client.start("session.list", {"limit": 1})
    assert isinstance(call.result(10), list)
    assert call.poll() == "done"
    failing = client.start("session.get", {"sessionID": "ses_none"})
    assert failing.wait(10)
    with pytest.raises(libopencode.NotFoundError):
        failing.result()
    endless = client.start("tui.control.next")
    with pytest.raises(libopencode.APITimeoutError):
        endless.result(0.05)
    endless.cancel()
    with pytest.raises(libopencode.CancelledError):
        endless.result(5)


def test_a_function_of_the_client_is_started_with_what_it_takes(client):
    session = client.start(client.session.create, title="started", timeout=60).result()
    assert client.start(client.session.get, session["id"]).result(60)["title"] == "started"
    failing = client.start(client.session.get, sessionID="ses_none")
    with pytest.raises(libopencode.NotFoundError):
        failing.result(60)
    with pytest.raises(libopencode.APITimeoutError):
        client.start(client.tui.control.next, timeout=0.1).result(60)
    for mistake in (
        lambda: client.start(libopencode.Client().session.get, "ses_1"),
        lambda: client.start(print, "ses_1"),
        lambda: client.start(client.session.get, "ses_1", "more"),
    ):
        with pytest.raises(libopencode.InvalidArgumentError):
            mistake()
    with pytest.raises(TypeError):
        client.start("session.get", sessionID="ses_1")

    async def main():
        async with libopencode.AsyncClient() as other:
            endless = other.start(other.tui.control.next, timeout=60)
            assert not await endless.wait(0.05) and endless.poll() == "pending"
            endless.cancel()
            assert await endless.wait(60) and endless.poll() == "done"
            with pytest.raises(libopencode.CancelledError):
                await endless
            made = await other.start(other.session.create, title="started", timeout=60)
            assert (await other.start(other.session.get, made["id"]))["title"] == "started"

    asyncio.run(main())


def threads():
    """The library's threads, by their ids: what earlier tests left behind may end at any moment."""
    return {id for id, name in process.named_threads().items() if name.startswith("opencode-")}


def test_a_thousand_calls_share_a_few_threads_and_all_finish():
    before = threads()
    with libopencode.Client() as client:
        calls = [client.start("global.health") for _ in range(1000)]
        begun = threads() - before
        assert all(call.result(60)["healthy"] for call in calls)
        assert 0 < len(begun | threads() - before) <= 8, process.named_threads()

    async def main():
        async with libopencode.AsyncClient() as other:
            every = asyncio.gather(*(other.global_.health() for _ in range(1000)))
            await asyncio.sleep(0)
            begun = threads() - before
            assert all(health["healthy"] for health in await every)
            return begun | threads() - before

    before = threads()
    assert 0 < len(asyncio.run(main())) <= 8, process.named_threads()


def test_an_answer_is_decoded_once(client, monkeypatch):
    decoded = []
    wait = libopencode.Call._wait

    def counted(call, timeout):
        if call._operation == "doc.get":
            decoded.append(call)
        return wait(call, timeout)

    monkeypatch.setattr(libopencode.Call, "_wait", counted)
    call = client.start("doc.get")
    assert call.wait(60) and call.wait(0) and call.result()
    assert len(decoded) == 1

    async def main():
        async with libopencode.AsyncClient() as other:
            await asyncio.gather(*(other.doc.get() for _ in range(3)))

    asyncio.run(main())
    assert len(decoded) == 4


def test_a_call_has_its_own_time_limit(client):
    with pytest.raises(libopencode.APITimeoutError) as caught:
        client.tui.control.next(timeout=0.1)
    assert isinstance(caught.value, TimeoutError)


def test_a_closed_client_says_so():
    client = libopencode.Client()
    client.close()
    client.close()
    with pytest.raises(libopencode.ClosedError):
        client.session.list()
    with pytest.raises(libopencode.ClosedError):
        client.run("x")


def test_settings_are_pickled(client):
    copy = pickle.loads(pickle.dumps(client))
    assert copy.base_url == client.base_url
    assert copy.global_.health()["healthy"]
    copy.close()


def test_errors_are_pickled(client):
    with pytest.raises(libopencode.NotFoundError) as caught:
        client.session.get("ses_none")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.status, str(copy)) == (libopencode.NotFoundError, 404, str(caught.value))


def test_other_threads_run_while_a_call_blocks(client):
    ticks = 0
    stop = threading.Event()

    def tick():
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    with pytest.raises(libopencode.APITimeoutError):
        client.tui.control.next(timeout=0.5)
    stop.set()
    thread.join()
    assert ticks > 50


@pytest.mark.parametrize("blocking", ["client.tui.control.next(timeout=60)", "client.ask(slow)"])
def test_ctrl_c_ends_a_wait(blocking):
    program = f"""
import libopencode, os, signal, threading
slow = 'slow @@[{{"text":"a b c d e f g h i j k l m n o p","delay_ms":4000}}]'
client = libopencode.Client()
# A program in the background of a shell begins with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    {blocking}
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "interrupted\n", done.stderr


def test_a_child_process_gets_its_own_connections(client):
    program = """
import libopencode, os
client = libopencode.Client()
first = client.session.create(title="parent")
run = client.run("Say pong")
pid = os.fork()
if pid == 0:
    ok = client.session.get(first["id"])["title"] == "parent" and client.ask("Say pong").text
    os._exit(0 if ok else 1)
_, status = os.waitpid(pid, 0)
assert status == 0
assert client.session.get(first["id"])["title"] == "parent"
assert run.result(30).text
print("both")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "both\n", done.stderr


def test_the_interpreter_may_end_with_everything_open():
    program = """
import libopencode, threading
client = libopencode.Client()
run = client.run("Say pong")
call = client.start("tui.control.next")
threading.Thread(target=lambda: client.call("tui.control.next"), daemon=True).start()
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.returncode) == ("end\n", 0), done.stderr


def test_no_dependency_and_nothing_heavy_is_imported():
    program = "import libopencode, sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    modules = done.stdout.split()
    heavy = {"asyncio", "typing", "json", "ssl", "socket", "http", "inspect", "dataclasses"}
    assert heavy.isdisjoint(modules), heavy & set(modules)
