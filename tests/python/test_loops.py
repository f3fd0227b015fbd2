"""asyncio in numbers, in several loops, and where it is not."""

import asyncio
import os
import socket
import time

import pytest
from serving import serving

import libopencode

IDLE = 200
BUSY = 50


def test_what_comes_costs_the_same_however_many_runs_are_idle(monkeypatch):
    looks = 0
    take = libopencode.AsyncRun._take

    def counting(run):
        nonlocal looks
        looks += 1
        return take(run)

    async def main(url):
        nonlocal looks
        async with libopencode.AsyncClient(url) as client:
            # They are sent to a server that never answers.
            idle = [asyncio.ensure_future(client.run("x", server_timeout=600).result()) for _ in range(IDLE)]
            await asyncio.sleep(0.2)
            monkeypatch.setattr(libopencode.AsyncRun, "_take", counting)
            for _ in range(BUSY):
                call = client.start("global.health")
                waiting = asyncio.ensure_future(call.result())
                await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(libopencode.CancelledError):
                    await waiting
            # Each of them may say once or twice why it does not move.
            assert looks < 4 * IDLE, looks
            assert not any(task.done() for task in idle)
            for task in idle:
                task.cancel()

    with socket.create_server(("127.0.0.1", 0), backlog=IDLE) as silent:
        asyncio.run(main(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_who_waits_is_woken_although_somebody_else_polls():
    async def main():
        async with libopencode.AsyncClient(os.environ["OPENCODE_SWIFT_URL"], events=False) as client:
            for _ in range(3):
                run = client.run("x")
                waiting = asyncio.ensure_future(run.result())
                await asyncio.sleep(0)
                until = time.monotonic() + 60
                # Without giving the loop a turn.
                while run.poll()[0] not in ("done", "failed"):
                    assert time.monotonic() < until, run.why()
                    time.sleep(0.001)
                assert (await asyncio.wait_for(waiting, 60)).text

    asyncio.run(main())


def things_of_asyncio(url):
    """What a program would await, and what begins something without being awaited."""
    client = libopencode.AsyncClient(url)
    return {
        "ask": lambda: client.ask("x"),
        "call": lambda: client.call("global.health"),
        "operation": lambda: client.session.list(),
        "request": lambda: client.request("GET", "/x"),
        "start": lambda: client.start("global.health"),
        "run": lambda: client.run("x"),
        "resume": lambda: client.resume("ses_1", "msg_1"),
        "compact": lambda: client.compact("ses_1"),
        "events": lambda: client.events(),
        "sessions": lambda: client.sessions(),
        "usage": lambda: client.usage("ses_1"),
        "pty": lambda: client.pty("sh"),
        "doctor": lambda: client.doctor(),
        "discover": lambda: libopencode.discover_async(0.1),
        "server": lambda: libopencode.AsyncServer.start(),
    }


@pytest.mark.parametrize("runner", ["trio", "anyio"])
def test_where_asyncio_is_not_one_clear_error_says_so_and_nothing_is_sent(runner):
    asked = []

    def answer(method, path, body):
        asked.append(path)
        return "application/json", b'{"healthy": true}'

    async def main():
        for name, thing in things_of_asyncio(url).items():
            with pytest.raises(libopencode.InvalidArgumentError) as caught:
                begun = thing()
                if hasattr(begun, "__await__"):
                    await begun
            said = str(caught.value)
            assert "asyncio" in said and "trio" in said and "Client in a worker thread" in said and "\n" not in said, name
        assert not asked
        # What the error advises works.
        import anyio.to_thread

        with libopencode.Client(url) as client:
            assert (await anyio.to_thread.run_sync(client.global_.health))["healthy"]

    with serving(answer) as url:
        if runner == "trio":
            import trio

            trio.run(main)
        else:
            import anyio

            anyio.run(main, backend="trio")


def test_anyio_over_asyncio_works_and_cancels_by_its_rules():
    import anyio

    async def main():
        async with libopencode.AsyncClient() as client:
            assert (await client.ask("Say pong")).text
            async with client.events() as stream:
                with anyio.move_on_after(0.2) as scope:
                    while True:
                        await stream.next()
                assert scope.cancelled_caught
            async with anyio.create_task_group() as group:
                group.start_soon(client.ask, "Say pong")
                group.start_soon(client.global_.health)

    anyio.run(main)
