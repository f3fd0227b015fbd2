"""Polls, iterators and `async for`: whoever stops at the end has seen everything."""

import asyncio
import os
import time

import pytest
from conftest import scripted

import libopencode

# More of them with OPENCODE_LOOPS.
LOOPS = int(os.environ.get("OPENCODE_LOOPS", 1000))
# Runs at a time: each takes a while, and most of that is waiting.
BATCH = 200
ANSWER = "the whole answer"


class Loop:
    """What a host has of a run that it polls or iterates."""

    def __init__(self, run):
        self.run = run
        self.text = ""
        self.last = None

    def take(self, update):
        if update.type == "text":
            self.text = update.delta if update.replaces else self.text + update.delta
        self.last = update.type

    def turn(self):
        """One turn of the loop of the README; whether it was the last one."""
        state, updates = self.run.poll()
        for update in updates:
            self.take(update)
        return state in ("done", "failed")


@pytest.fixture(params=[False, True], ids=["without a stream", "with a stream"])
def events(request):
    return request.param


def rounds(events):
    return 1 if events else LOOPS // BATCH


def swift(cls, events):
    return cls(os.environ["OPENCODE_SWIFT_URL"], events=events)


def test_a_loop_of_polls_loses_nothing(events):
    with swift(libopencode.Client, events) as client:
        for _ in range(rounds(events)):
            loops = [Loop(client.run("x")) for _ in range(BATCH)]
            left = loops
            until = time.monotonic() + 120
            while left:
                assert time.monotonic() < until, left[0].run.why()
                left = [loop for loop in left if not loop.turn()]
            assert {(loop.text, loop.last) for loop in loops} == {(ANSWER, "done")}


def test_an_iteration_loses_nothing(events):
    with swift(libopencode.Client, events) as client:
        for _ in range(rounds(events)):
            loops = [Loop(client.run("x")) for _ in range(BATCH)]
            for loop in loops:
                for update in loop.run:
                    loop.take(update)
            assert {(loop.text, loop.last) for loop in loops} == {(ANSWER, "done")}


def test_an_async_for_loses_nothing(events):
    async def iterate(client):
        loop = Loop(client.run("x"))
        async for update in loop.run:
            loop.take(update)
        return loop.text, loop.last

    async def main():
        async with swift(libopencode.AsyncClient, events) as client:
            for _ in range(rounds(events)):
                seen = await asyncio.gather(*(iterate(client) for _ in range(BATCH)))
                assert set(seen) == {(ANSWER, "done")}

    asyncio.run(main())


class Late:
    """A run that is over as soon as anybody has looked at it: as if its thread were held up after each look."""

    def __init__(self, native):
        self._native = native

    def __getattr__(self, name):
        found = getattr(self._native, name)
        if name not in ("poll", "is_ready"):
            return found

        def look():
            seen = found()
            assert self._native.wait(60)
            return seen

        return look


def test_what_comes_between_two_looks_is_not_lost():
    async def main():
        async with swift(libopencode.AsyncClient, False) as client:
            for _ in range(5):
                run = client.run("x")
                run._native = Late(run._native)
                loop = Loop(run)
                async for update in run:
                    loop.take(update)
                assert (loop.text, loop.last) == (ANSWER, "done")
            run = client.run("x")
            run._native = Late(run._native)
            loop = Loop(run)
            while not loop.turn():
                await asyncio.sleep(0.001)
            assert (loop.text, loop.last) == (ANSWER, "done")

    asyncio.run(main())


def test_a_run_that_is_only_awaited_keeps_no_more_than_there_is_to_show():
    words = " ".join(["word"] * 300)

    async def main():
        async with libopencode.AsyncClient() as client:
            run = client.run(scripted("long", f'[{{"text": "{words}", "delay_ms": 1}}]'))
            # Another one keeps the loop looking.
            other = client.run("Say pong")
            async for _ in other:
                pass
            assert (await run).text == words
            assert not run._updates
            state, updates = run.poll()
            assert state == "done" and updates[-1].type == "done"
            assert len([update for update in updates if update.type == "text"]) < 20

    asyncio.run(main())


def test_readers_of_one_stream_or_terminal_are_not_told_that_nothing_came():
    async def main():
        async with libopencode.AsyncClient() as client:
            async with await client.pty("sh", args=["-c", "sleep 0.3; echo one; sleep 0.3; echo two; sleep 60"]) as pty:
                texts = await asyncio.gather(pty.read(), pty.read())
                assert all(texts), texts
                await pty.kill()
            async with client.events() as stream:
                async def first():
                    return await stream.next(60)

                readers = [asyncio.ensure_future(first()) for _ in range(2)]
                await asyncio.sleep(0.2)
                await client.session.create()
                await client.session.create()
                assert all(await asyncio.gather(*readers))

    asyncio.run(main())
