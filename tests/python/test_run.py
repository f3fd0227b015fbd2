import asyncio
import json
import re
import select
import signal
from pathlib import Path

import pytest
from conftest import scripted

import libopencode


def test_a_prompt_gets_its_answer(client):
    reply = client.ask(scripted("say", '[{"text":"pong\\n\\"ä\\""}]'))
    assert reply.text == 'pong\n"ä"' == reply.transcript == str(reply)
    assert reply.finish == "stop"
    assert reply.tokens["input"] == 10
    assert reply.cost > 0
    assert len(reply.messages) == 2
    assert client.session.get(reply.sessionID)["id"] == reply.sessionID
    with pytest.raises(AttributeError, match="nonsense"):
        reply.nonsense


def sleeps():
    """How often this thread has slept so far, as the system counts it."""
    status = Path("/proc/thread-self/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])


def test_polling_never_waits_and_sees_every_piece(client):
    run = client.run(scripted("count", '[{"text":"1 2 3 4 5 6","delay_ms":250}]'), title="tick")
    text, pieces, ticks, state = "", 0, 0, "pending"
    before = sleeps()
    while state == "pending":
        state, updates = run.poll()
        ticks += 1
        for update in updates:
            if update.type == "text":
                text += update.delta
                pieces += 1
    slept = sleeps() - before
    assert (state, text) == ("done", "1 2 3 4 5 6")
    assert run.text == text == run.reply.text
    assert pieces > 1 and ticks > 1000
    assert slept * 20 <= ticks, f"{ticks} ticks slept {slept} times"
    assert client.session.get(run.sessionID)["title"] == "tick"


def test_the_text_alone_is_iterated_and_what_fails_is_raised_in_the_end(client):
    run = client.run(scripted("count", '[{"text":"1 2 3 4 5 6","delay_ms":50}]'))
    pieces = list(run.text_stream())
    assert "".join(pieces) == "1 2 3 4 5 6" == run.result().transcript and len(pieces) > 1
    failing = client.run(scripted("fail", '[{"text":"","status":401,"body":"no"}]'))
    with pytest.raises(libopencode.OpencodeError) as told:
        list(failing.text_stream())
    assert told.value.kind == failing.error.kind
    asking = client.run("Say pong", permission="ask")
    with pytest.raises(libopencode.InvalidArgumentError, match="permission is 'ask'"):
        asking.text_stream()
    asking.result()


def test_the_text_alone_is_iterated_by_asyncio():
    async def main():
        async with libopencode.AsyncClient() as client:
            run = client.run(scripted("count", '[{"text":"1 2 3 4 5 6","delay_ms":50}]'))
            pieces = [text async for text in run.text_stream()]
            assert "".join(pieces) == "1 2 3 4 5 6" and len(pieces) > 1
            with pytest.raises(libopencode.OpencodeError):
                async for _ in client.run(scripted("fail", '[{"text":"","status":401,"body":"no"}]')).text_stream():
                    pass
            with pytest.raises(libopencode.InvalidArgumentError):
                client.run("Say pong", question="ask").text_stream()

    asyncio.run(main())


def test_updates_can_be_iterated(client):
    updates = list(client.run("Say pong"))
    assert {"text", "message", "done"} <= {update.type for update in updates}
    assert isinstance(updates[-1].reply, libopencode.Reply)


def test_a_rejected_permission_is_reported_and_the_agent_goes_on(client):
    bash = '{"name":"bash","arguments":{"command":"touch no","description":"d"}}'
    reply = client.ask(scripted("try", f'[{{"tools":[{bash}]}},{{"text":"I could not"}}]'))
    assert reply.text == "I could not"
    [decision] = reply.decisions
    assert (decision["permission"], decision["reply"], decision["by"]) == (
        "bash",
        "reject",
        "policy",
    )


def test_the_host_can_be_asked(client):
    bash = '{"name":"bash","arguments":{"command":"echo yes","description":"d"}}'
    run = client.run(
        scripted("ask", f'[{{"tools":[{bash}]}},{{"text":"done"}}]'), permission="ask"
    )
    for update in run:
        if update.type == "permission":
            assert run.state == "waiting"
            assert "bash" in run.why()
            assert update.request["patterns"] == ["echo yes"]
            run.reply_permission(update.id, "once")
    assert run.reply.decisions[0]["by"] == "host"


def test_a_run_is_cancelled_and_settles(client):
    run = client.run(scripted("slow", '[{"text":"a b c d e f g h","delay_ms":500}]'))
    for update in run:
        if update.type == "text":
            break
    assert run.cancel() == "failed"
    assert isinstance(run.error, libopencode.CancelledError)
    assert run.sessionID not in client.session.status()
    with pytest.raises(libopencode.CancelledError):
        run.result()


def test_a_run_is_handed_over_and_picked_up(client):
    run = client.run(scripted("later", '[{"text":"one two","delay_ms":200}]'))
    ids = run.detach()
    assert client.resume(ids.sessionID, ids.messageID).result(20).text == "one two"
    with pytest.raises(libopencode.NotFoundError, match="has no message"):
        client.resume(ids.sessionID, "msg_none").result(20)


def test_a_session_is_summarized_once(client):
    summary = json.dumps([{"text": "## Objective\n- all of it"}])
    session = client.ask(scripted("sum up", '[{"text":"answer"}]') + " @summary" + summary).sessionID
    run = client.compact(session, deadline=60)
    assert "all of it" in "".join(run.text_stream())
    reply = run.result(60)
    assert (reply.sessionID, reply.modelID) == (session, "test") and reply.cost > 0
    with pytest.raises(libopencode.AgentError, match="nothing was said") as caught:
        client.compact(session).result(60)
    assert caught.value.code == "compaction.unavailable"
    with pytest.raises(libopencode.NotFoundError):
        client.compact("ses_none").result(60)
    with pytest.raises(libopencode.InvalidArgumentError, match="the session"):
        client.compact("")
    with pytest.raises(libopencode.InvalidArgumentError, match="provider/model"):
        client.compact(session, model="test")


def test_a_session_is_summarized_with_asyncio():
    async def use():
        async with libopencode.AsyncClient() as client:
            reply = await client.ask(scripted("sum up", '[{"text":"answer"}]'))
            run = client.compact(reply.sessionID)
            assert "Objective" in (await run).text

    asyncio.run(use())


def test_a_wait_may_be_too_short(client):
    run = client.run(scripted("slow", '[{"text":"a b","delay_ms":300}]'))
    with pytest.raises(libopencode.APITimeoutError, match="not finished within 0.01 s"):
        run.result(0.01)
    assert run.result(20).text == "a b"


def test_the_descriptor_tells_when_there_is_something(client):
    fd = client.fileno()
    assert select.select([fd], [], [], 0)[0] == []
    run = client.run("Say pong")
    while run.poll()[0] == "pending":
        assert select.select([fd], [], [], 20)[0] == [fd]
    run.poll()
    assert select.select([fd], [], [], 0)[0] == []


def test_asyncio():
    async def main():
        async with libopencode.AsyncClient() as client:
            assert (await client.session.list(limit=1)) is not None
            prompts = [scripted(f"n{i}", f'[{{"text":"answer {i}"}}]') for i in range(5)]
            replies = await asyncio.gather(*(client.ask(prompt) for prompt in prompts))
            assert [reply.text for reply in replies] == [f"answer {i}" for i in range(5)]
            run = client.run(scripted("stream", '[{"text":"a b c","delay_ms":20}]'))
            text = "".join([u.delta async for u in run if u.type == "text"])
            assert text == "a b c" == (await run).text
            with pytest.raises(libopencode.NotFoundError):
                await client.session.get("ses_none")
            # The loop is free while something waits.
            waiting = asyncio.create_task(client.call("tui.control.next"))
            await asyncio.sleep(0.2)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            slow = client.run(scripted("slow", '[{"text":"a b c d","delay_ms":1000}]'))
            await asyncio.sleep(1.5)
            assert await slow.cancel() == "failed"

    asyncio.run(main())


def test_an_idle_event_loop_stays_idle():
    async def main():
        async with libopencode.AsyncClient() as client:
            ignored = client.run("Say pong")
            other = client.run(scripted("slow", '[{"text":"a b c","delay_ms":400}]'))
            looks = 0
            look = client._waker.look

            def count(*marks):
                nonlocal looks
                looks += 1
                look(*marks)

            client._waker.look = count
            await other
            assert ignored is not None
            # Woken by what happens, not in a circle by what nobody takes.
            assert looks < 200, looks

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers that signal")
def test_a_handler_of_a_signal_that_raises_loses_no_update(client):
    class Rung(Exception):
        pass

    def ring(*_):
        raise Rung

    def collect(run, updates):
        while True:
            try:
                for update in run:
                    updates.append(update)
                return
            except Rung:
                pass

    before = signal.signal(signal.SIGALRM, ring)
    try:
        for at in (0.17, 0.26, 0.35, 0.44):
            run = client.run(scripted("rung", '[{"text": "a b c d e f g h i j k l", "delay_ms": 40}]'))
            updates = []
            signal.setitimer(signal.ITIMER_REAL, at)
            collect(run, updates)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert updates[-1].type == "done"
            text = "".join(update.delta for update in updates if update.type == "text")
            assert text == run.result().transcript
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
