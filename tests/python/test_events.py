import asyncio
import os
import select
import subprocess
import sys
import threading
import time

import pytest

import libopencode


def connected(stream):
    event = stream.next(60)
    assert event.type == "stream.connected", event


def test_a_stream_tells_what_happens(client):
    with client.events() as stream:
        connected(stream)
        client.session.create(title="seen by python")
        for event in stream:
            if event.type == "session.created":
                break
        info = event.properties["info"]
        assert info["title"] == "seen by python"
        assert event.directory == info["directory"]
        assert event.id.startswith("evt_")
    with pytest.raises(libopencode.ClosedError):
        stream.next(0)
    assert list(stream) == []


def test_types_are_chosen(client):
    with client.events(types=["session.created", "message.*"]) as stream:
        connected(stream)
        made = client.session.create(title="chosen")
        client.session.update(made["id"], title="changed")
        client.ask("Say pong", session=made["id"])
        assert stream.next(60).type == "session.created"
        assert stream.next(60).type.startswith("message.")
    with pytest.raises(ValueError, match="types must be a list of texts"):
        client.events(types="session.created")


def test_another_directory_is_silent(client):
    stream, everything = client.events(directory="/tmp"), client.events(scope="global")
    connected(stream)
    connected(everything)
    client.session.create(title="not here")
    client.session.create(title="here", directory="/tmp")

    def created(stream):
        return (e.properties["info"]["title"] for e in stream if e.type == "session.created")

    assert next(created(stream)) == "here"
    titles = created(everything)
    assert [next(titles), next(titles)] == ["not here", "here"]


def test_the_descriptor_tells_of_events(client):
    stream = client.events()
    connected(stream)
    while stream.poll():
        pass
    assert select.select([client], [], [], 0)[0] == []
    client.session.create()
    assert select.select([client], [], [], 60)[0] == [client]
    while stream.poll():
        pass


def test_closing_wakes_a_thread_that_waits(client):
    stream = client.events()
    connected(stream)
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(stream))
    thread.start()
    stream.close()
    thread.join(60)
    assert not thread.is_alive()
    assert stream.is_over


def test_a_server_that_is_away_is_a_gap_and_a_wrong_password_an_error():
    with libopencode.Client("http://127.0.0.1:9") as client:
        gap = client.events().next(60)
        assert gap.type == "stream.gap" and gap.properties["kind"] == "connection"
    with libopencode.Client(password="wrong") as client:
        with pytest.raises(libopencode.AuthenticationError):
            list(client.events())


def test_wrong_options_of_a_stream(client):
    with pytest.raises(ValueError, match="directory, global"):
        client.events(scope="all")
    with pytest.raises(ValueError, match="takes no directory"):
        client.events(scope="global", directory="/tmp")


def test_asyncio_iterates_and_ends_on_close():
    async def main():
        async with libopencode.AsyncClient() as client:
            stream = client.events()
            assert (await stream.next(60)).type == "stream.connected"
            await client.session.create(title="async")
            titles = []
            async for event in stream:
                if event.type == "session.created":
                    titles.append(event.properties["info"]["title"])
                    break
            assert titles == ["async"]

            async def rest():
                return [event async for event in stream]

            # Closed by itself, and with its client: who waits goes on.
            waiting = asyncio.create_task(rest())
            await asyncio.sleep(0)
            stream.close()
            await asyncio.wait_for(waiting, 60)
            other = client.events()

            async def others():
                return [event async for event in other]

            waiting = asyncio.create_task(others())
            await asyncio.sleep(0)
            await client.close()
            await asyncio.wait_for(waiting, 60)

    asyncio.run(main())


def test_asyncio_polls_beside_one_that_waits(client):
    async def main():
        async with libopencode.AsyncClient() as asynchronous, asynchronous.events(types=["session.created"]) as stream:
            assert (await stream.next(30)).type == "stream.connected"
            waiting = asyncio.ensure_future(stream.next(30))
            await asyncio.sleep(0)
            made = [client.session.create(title=title)["id"] for title in ("one", "two")]
            # The loop rests meanwhile: both are there when the first one is polled.
            time.sleep(0.5)
            polled = stream.poll()
            begun = time.monotonic()
            waited = await waiting
            assert [event.properties["info"]["id"] for event in (polled, waited)] == made
            assert time.monotonic() - begun < 5

    asyncio.run(main())


def test_asyncio_is_not_kept_busy_by_a_stream_that_nobody_reads():
    async def main():
        async with libopencode.AsyncClient() as client:
            unread = client.events(scope="global")
            looks = 0
            look = client._waker.look

            def counting(*marks):
                nonlocal looks
                looks += 1
                look(*marks)

            client._waker.look = counting
            reply = await client.ask("Say pong")
            assert reply.text
            await client.session.create()
            assert looks < 1000, looks
            assert unread.poll() is not None

    asyncio.run(main())


def test_ctrl_c_ends_the_waiting_for_an_event():
    program = """
import libopencode, os, signal, threading
stream = libopencode.Client().events(directory="/nonexistent-and-silent")
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    for event in stream: pass
except KeyboardInterrupt:
    print("interrupted")
"""
    env = {**os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=env
    )
    assert done.stdout == "interrupted\n", done.stderr


def test_a_stream_and_a_fork_and_an_end_with_everything_open():
    program = """
import libopencode, os, threading
client = libopencode.Client()
stream = client.events()
assert stream.next(60).type == "stream.connected"
pid = os.fork()
if pid == 0:
    try:
        stream.next()
    except libopencode.ClosedError:
        pass
    mine = client.events()
    ok = mine.next(60).type == "stream.connected"
    os._exit(0 if ok else 1)
_, status = os.waitpid(pid, 0)
assert status == 0
client.session.create(title="parent")
assert stream.next(60).type
threading.Thread(target=lambda: list(client.events(directory="/")), daemon=True).start()
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.returncode) == ("end\n", 0), done.stderr
