"""Who leaves a run before its end: whether the agent stops or goes on, and how the run is found again."""

import asyncio
import time

import pytest

import libopencode
from conftest import scripted

SLOW = '[{"text": "one two three four five six seven eight nine ten", "delay_ms": 2000}]'
#: Stays in the middle of its text for longer than any test waits: only an abort ends it sooner.
ENDLESS = '[{"text": "one two ten", "stall": {"after": 2, "ms": 180000}}]'


def is_idle(client, session):
    status = client.session.status().get(session)
    return status is None or status["type"] == "idle"


def stops(client, session, within=60.0):
    """Whether the server's agent stops soon, and not only when the model is through."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if is_idle(client, session):
            last = client.session.messages(session)[-1]["info"]
            # An abort that comes before the answer leaves none. A busy server writes down why after it rests.
            if last["role"] == "user" or last.get("error", {}).get("name") == "MessageAbortedError":
                return True
        time.sleep(0.1)
    return False


def began(run):
    for update in run:
        if update.type == "text":
            return run.sessionID


async def began_async(run):
    async for update in run:
        if update.type == "text":
            return run.sessionID


def test_a_block_cancels_its_run_unless_it_is_over(client):
    with client.run(scripted("block", SLOW)) as run:
        session = began(run)
    assert run.state == "failed" and isinstance(run.error, libopencode.CancelledError)
    assert stops(client, session)

    with pytest.raises(ZeroDivisionError), client.run(scripted("raise", SLOW)) as run:
        session = began(run)
        raise ZeroDivisionError
    assert stops(client, session)

    with client.run("hello") as run:
        text = run.result().text
    assert run.state == "done" and run.reply.text == text

    with client.run(scripted("left", '[{"text": "all of it", "delay_ms": 100}]')) as run:
        left = run.detach()
    assert client.resume(left.sessionID, left.messageID).result().text == "all of it"


def test_an_asyncio_block_cancels_its_run_unless_it_is_over(client):
    async def main():
        async with libopencode.AsyncClient() as other:
            async with other.run(scripted("block", SLOW)) as run:
                session = await began_async(run)
            assert run.state == "failed" and isinstance(run.error, libopencode.CancelledError)
            async with other.run("hello") as run:
                await run
            assert run.state == "done"
            return session

    assert stops(client, asyncio.run(main()))


async def session_of(client, title):
    while True:
        for session in await client.session.list(search=title):
            if (await client.session.status()).get(session["id"], {}).get("type") == "busy":
                return session["id"]
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("leave", [False, True])
def test_a_cancelled_task_cancels_what_it_asked_unless_it_is_told_to_leave_it(client, leave):
    title = f"asked and left: {leave} {time.time_ns()}"
    words = '[{"text": "a b c d e", "delay_ms": 800}]' if leave else SLOW

    async def main():
        async with libopencode.AsyncClient() as other:
            task = asyncio.ensure_future(other.ask(scripted("task", words), title=title, leave=leave))
            session = await session_of(other, title)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if not leave:
                # The client goes on for as long as it takes to tell the server.
                until = time.monotonic() + 60
                while (await other.session.status()).get(session, {}).get("type") == "busy":
                    assert time.monotonic() < until
                    await asyncio.sleep(0.05)
            return session

    session = asyncio.run(main())
    if not leave:
        assert stops(client, session)
        return
    until = time.monotonic() + 60
    while not is_idle(client, session):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert client.session.messages(session)[-1]["parts"][1]["text"] == "a b c d e"


def test_an_error_that_leaves_a_run_behind_says_which(client):
    with pytest.raises(libopencode.APITimeoutError) as caught:
        client.ask(scripted("slow", '[{"text": "a b c", "delay_ms": 1500}]'), timeout=2)
    left = caught.value.run
    assert client.resume(left.sessionID, left.messageID).result().text == "a b c"

    run = client.run(scripted("slow", SLOW))
    session = began(run)
    with pytest.raises(libopencode.APITimeoutError) as caught:
        run.result(0)
    assert caught.value.run == libopencode.Detached(session, run.messageID)
    run.cancel()

    # What is over, or never reached the server, goes on nowhere.
    with pytest.raises(libopencode.CancelledError) as caught:
        run.result()
    assert caught.value.run is None
    with pytest.raises(libopencode.APIConnectionError) as caught:
        libopencode.Client("http://127.0.0.1:9").ask("x", server_timeout=0.1)
    assert caught.value.run is None

    # A client that is closed leaves its runs to the server.
    other = libopencode.Client()
    run = other.run(scripted("closed", SLOW))
    session = began(run)
    other.close()
    assert isinstance(run.error, libopencode.ClosedError)
    assert run.error.run.sessionID == session
    client.resume(session, run.error.run.messageID).cancel()

    async def main():
        async with libopencode.AsyncClient() as other:
            with pytest.raises(libopencode.APITimeoutError) as caught:
                await other.ask(scripted("slow", '[{"text": "a b c", "delay_ms": 1500}]'), timeout=2)
            left = caught.value.run
            return (await other.resume(left.sessionID, left.messageID)).text

    assert asyncio.run(main()) == "a b c"


def test_a_handler_that_streams_stops_the_agent_when_the_browser_leaves(client):
    """Fifty browsers, as a web framework serves them: a task each, cancelled when its browser leaves."""
    count = 50
    title = f"browser {time.time_ns()}"

    async def handler(other, number, chunks):
        async with other.run(scripted("stream", ENDLESS), title=f"{title} {number}") as run:
            async for update in run:
                if update.type == "text":
                    yield update.delta
                    chunks.set()

    async def serve(other, number):
        chunks = asyncio.Event()

        async def respond():
            async for _ in handler(other, number, chunks):
                pass

        task = asyncio.ensure_future(respond())
        # Some leave while it prepares, some in the middle of the text.
        if number % 5:
            # Events that came while the stream was not up yet are lost until the part is whole: not all wait for text.
            await asyncio.wait([asyncio.ensure_future(chunks.wait())], timeout=10)
        task.cancel()
        await asyncio.wait([task])

    async def main():
        # Ten at a time: a server that is busier begins a prompt later than a cancel waits for that.
        places = asyncio.Semaphore(10)

        async def visit(other, number):
            async with places:
                await serve(other, number)

        async with libopencode.AsyncClient() as other:
            await asyncio.gather(*(visit(other, number) for number in range(count)))

    asyncio.run(main())
    sessions = [session["id"] for session in client.session.list(search=title, limit=100)]
    assert len(sessions) >= count * 4 // 5
    until = time.monotonic() + 90
    while not all(is_idle(client, session) for session in sessions):
        left = [session for session in sessions if not is_idle(client, session)]
        assert time.monotonic() < until, f"agents go on whose browsers have left: {left}"
        time.sleep(0.2)
    finished = [s for s in sessions if " ten" in str(client.session.messages(s)[-1:])]
    assert finished == []
