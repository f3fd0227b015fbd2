"""asyncio: whatever is awaited can be cancelled at once, and leaves no thread behind."""

import asyncio
import inspect
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from serving import serving

import libopencode

# What is cancelled is over in milliseconds; a loaded machine may need longer to say so.
SOON = 5.0


class Silent:
    """A server that takes requests and never answers."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._listener.close()


@pytest.fixture
def silent():
    with Silent() as server:
        yield server.url


def test_nothing_is_given_to_a_pool_of_threads():
    package = pathlib.Path(libopencode.__file__).parent
    files = list(package.glob("*.py"))
    assert len(files) > 20
    for file in files:
        # The type of an executor that the user hands over is named, and none is made.
        text = file.read_text()
        for named in ("from concurrent.futures import Executor\n", 'Executor = Later("concurrent.futures")\n'):
            text = text.replace(named, "")
        for word in ("to_thread", "run_in_executor", "ThreadPool", "concurrent.futures"):
            assert word not in text, f"{file.name}: {word}"


async def first(pages):
    async for item in pages:
        return item


def awaited(client):
    """Everything of a client that waits for a server."""
    session = "ses_1"
    return {
        "call": lambda: client.call("global.health"),
        "call_raw": lambda: client.call_raw("doc.get"),
        "operation": lambda: client.session.list(),
        "request": lambda: client.request("GET", "/x"),
        "start": lambda: client.start("global.health").result(),
        "start.wait": lambda: client.start("global.health").wait(),
        "drift": lambda: client.drift(),
        "ask": lambda: client.ask("x", server_timeout=600),
        "result": lambda: client.run("x", server_timeout=600).result(),
        "display": lambda: client.run("x", server_timeout=600).display(),
        "detach": lambda: client.run("x", server_timeout=600).detach(),
        "cancel": lambda: client.run("x", server_timeout=600).cancel(600),
        "events": lambda: client.events().next(),
        "messages": lambda: first(client.messages(session)),
        "sessions": lambda: first(client.sessions()),
        "usage": lambda: client.usage(session),
        "export_to": lambda: client.export_to(session, pathlib.Path(tempfile.gettempdir(), "never.json")),
        "wait_until_ready": lambda: client.wait_until_ready(timeout=600),
        "pty": lambda: client.pty("sh"),
        "pty.read": lambda: client.pty_connect("pty_1", server_timeout=600).read(),
        "pty.kill": lambda: client.pty_connect("pty_1", server_timeout=600).kill(),
        "tui_prompt": lambda: client.tui_prompt("x"),
        "tui_control.next": lambda: client.tui_control().next(),
        "tui_control.respond": lambda: client.tui_control().respond(1),
        "server": lambda: client.server(),
        "doctor": lambda: client.doctor(),
    }


def test_every_awaited_method_is_tried():
    tried = {name.partition(".")[0] for name in awaited(None)}
    methods = {
        name
        for cls in (libopencode.AsyncClient, libopencode.AsyncRun)
        for name, function in inspect.getmembers(cls)
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    }
    # `close` ends within a second by itself.
    assert methods - tried == {"close"}


def test_every_method_is_cancelled_at_once_and_close_needs_no_pool(silent):
    async def main():
        client = libopencode.AsyncClient(silent)
        before = set(threading.enumerate())
        waits = awaited(client)
        # More than the threads that any pool of the loop has.
        tasks = {
            f"{name} {number}": asyncio.ensure_future(wait()) for name, wait in waits.items() for number in range(6)
        }
        await asyncio.sleep(0.5)
        assert not {name for name, task in tasks.items() if task.done() and not name.startswith("cancel")}
        began = time.monotonic()
        for task in tasks.values():
            task.cancel()
        done, pending = await asyncio.wait(tasks.values(), timeout=SOON)
        assert not pending, [name for name, task in tasks.items() if task in pending]
        assert time.monotonic() - began < SOON
        assert set(threading.enumerate()) <= before, "no thread of Python was needed"
        assert not client._waker._loops
        # A pool of the program is free for the program.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), SOON) == "free"
        await asyncio.wait_for(client.close(), 2 * SOON)

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads in /proc")
def test_what_is_cancelled_leaves_no_thread_behind(silent):
    program = f"""
import asyncio, libopencode, sys, time
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import process
from test_cancel import SOON, awaited
def threads():
    return sorted(name for name in process.threads() if name != "python" and not name.startswith("python3"))
async def none_left(name):
    until = time.monotonic() + 4 * SOON
    while threads():
        assert time.monotonic() < until, (name, threads())
        await asyncio.sleep(0.05)
async def main():
    for name in awaited(None):
        client = libopencode.AsyncClient({silent!r})
        task = asyncio.ensure_future(awaited(client)[name]())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task], timeout=SOON)
        await client.close()
        await none_left(name)
    search = asyncio.ensure_future(libopencode.discover_async(60))
    await asyncio.sleep(0.3)
    assert threads()
    search.cancel()
    await none_left("discover")
asyncio.run(main())
print("none")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert done.stdout == "none\n", done.stderr


def test_what_is_cancelled_ends_its_request():
    def ended(connection):
        with connection:
            # A request that nobody ended has a minute.
            connection.settimeout(30)
            while connection.recv(4096):
                pass

    async def main(listener):
        async with libopencode.AsyncClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            for name in ("call", "operation", "request", "usage", "messages", "pty", "tui_prompt"):
                task = asyncio.ensure_future(awaited(client)[name]())
                connection, _ = await asyncio.to_thread(listener.accept)
                task.cancel()
                # The client goes on, and so would the request.
                await asyncio.to_thread(ended, connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        asyncio.run(main(listener))


def test_a_program_ends_although_its_loop_is_left_with_requests(silent):
    program = f"""
import asyncio, libopencode
async def main():
    client = libopencode.AsyncClient({silent!r})
    async def walk():
        async for _ in client.messages("ses_1"):
            pass
    tasks = [asyncio.ensure_future(walk()) for _ in range(40)]
    tasks += [asyncio.ensure_future(client.usage("ses_1")) for _ in range(40)]
    await asyncio.sleep(0.3)
asyncio.run(main())
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("ended\n", ""), done.stderr


def pages_of(numbers, size):
    """A server with the messages of a session, newest first in pages, as the real one gives them."""
    import json

    def answer(method, path, body):
        time.sleep(0.002)
        at = int(path.partition("before=")[2].partition("&")[0] or 0)
        page = [{"info": {"id": str(n)}, "parts": []} for n in reversed(numbers[at : at + size])]
        more = at + size < len(numbers)
        return "application/json", json.dumps(page).encode(), {"x-next-cursor": str(at + size)} if more else {}

    return serving(answer)


def test_no_page_is_lost_or_doubled_when_a_cancel_meets_its_coming():
    numbers = list(range(100))

    async def main(url):
        async with libopencode.AsyncClient(url) as client:
            cancelled = 0
            for delay in range(0, 24, 2):
                pages = client.messages("ses_1", page=10)
                seen = []
                while True:
                    task = asyncio.ensure_future(pages.__anext__())
                    # Around the time at which a page comes.
                    await asyncio.sleep(delay * 0.0005)
                    task.cancel()
                    try:
                        seen.append(await task)
                    except asyncio.CancelledError:
                        cancelled += 1
                        try:
                            seen.append(await pages.__anext__())
                        except StopAsyncIteration:
                            break
                    except StopAsyncIteration:
                        break
                assert [int(message["info"]["id"]) for message in seen] == numbers
            assert cancelled

    with pages_of(numbers, 10) as url:
        asyncio.run(main(url))


def test_two_tasks_share_a_list_and_each_item_comes_once():
    numbers = list(range(100))

    async def main(url):
        async with libopencode.AsyncClient(url) as client:
            pages = client.messages("ses_1", page=7)
            seen = []

            async def walk():
                async for message in pages:
                    seen.append(int(message["info"]["id"]))
                    await asyncio.sleep(0)

            walkers = [asyncio.ensure_future(walk()) for _ in range(4)]
            await asyncio.sleep(0.01)
            walkers[0].cancel()
            await asyncio.gather(*walkers, return_exceptions=True)
            assert sorted(seen) == numbers

    with pages_of(numbers, 7) as url:
        asyncio.run(main(url))


def test_a_terminal_that_nobody_waits_for_is_not_left_behind(client):
    async def main():
        async with libopencode.AsyncClient() as other:
            for delay in (0, 0.001, 0.003, 0.01, 0.02, 0.05):
                task = asyncio.ensure_future(other.pty("cat", title="left behind"))
                await asyncio.sleep(delay)
                if not task.cancel():
                    await (await task).kill()
                    continue
                with pytest.raises(asyncio.CancelledError):
                    await task
            # One that is made, of which its task does not know yet: the loop has not run since.
            task = asyncio.ensure_future(other.pty("cat", title="made"))
            await asyncio.sleep(0)
            until = time.monotonic() + 60
            while not any(one["title"] == "made" for one in client.v2.pty.list()["data"]):
                assert time.monotonic() < until
            time.sleep(0.5)
            assert task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            for _ in range(200):
                # They are made there; `pty.list` has others.
                listed = (await other.v2.pty.list())["data"]
                left = [one for one in listed if one["title"] in ("left behind", "made")]
                if not left:
                    return
                await asyncio.sleep(0.05)
            assert not left

    asyncio.run(main())


def test_a_server_that_nobody_waits_for_ends():
    async def main():
        task = asyncio.ensure_future(libopencode.AsyncServer.start())
        await asyncio.sleep(0.3)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < SOON

    asyncio.run(main())


def test_one_client_serves_the_loops_of_several_threads():
    program = """
import asyncio, libopencode, threading
client = libopencode.AsyncClient()
ended = []
def work():
    async def main():
        for _ in range(25):
            await asyncio.wait_for(client.global_.health(), 60)
        assert (await asyncio.wait_for(client.ask("Say pong"), 60)).text
        return [message async for message in client.messages((await client.session.create())["id"])]
    ended.append(asyncio.run(main(), debug=True))
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join(120) for thread in threads]
print(ended)
asyncio.run(client.close())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert done.stdout == "[[], [], []]\n", done.stderr
