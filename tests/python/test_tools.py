"""Attachments, usage, and the terminal interface."""

import asyncio
import datetime

import libopencode
import pytest


def test_a_local_file_is_a_part_of_a_prompt(client, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("first\nsecond\nthird\n")
    part = libopencode.attach(path, lines="2-3", name="notes")
    assert (part["filename"], part["mime"]) == ("notes:2-3", "text/plain")
    reply = client.ask(['look @@[{"text":"seen"}]', part], files=[str(path)])
    messages = client.session.messages(reply.sessionID)
    everything = "\n".join(p.get("text", "") for m in messages for p in m["parts"])
    assert "second\nthird" in everything and "first\nsecond\nthird" in everything
    assert libopencode.attach_bytes("x", b"\0\1")["mime"] == "application/octet-stream"


def test_a_file_that_cannot_be_attached(client, tmp_path):
    with pytest.raises(libopencode.NotFoundError, match="/no/such/file"):
        libopencode.attach("/no/such/file")
    with pytest.raises(libopencode.InvalidArgumentError, match="is a directory"):
        libopencode.attach(tmp_path)
    with pytest.raises(libopencode.InvalidArgumentError, match="more than 3 bytes"):
        libopencode.attach_bytes("x", b"12345", max_bytes=3)
    with pytest.raises(libopencode.NotFoundError):
        client.run("x", files=["/no/such/file"])


def test_what_a_session_cost(client):
    steps = '[{"text":"x","usage":{"input":100,"output":20,"reasoning":0,"cached":0}}]'
    reply = client.ask(f"spend @@{steps}")
    usage = client.usage(reply.sessionID, messages=True)
    assert (usage.tokens["input"], usage.count) == (100, 1)
    assert usage.models[0].tokens["output"] == 20
    assert usage.messages[0].cost == usage.cost
    assert usage.cost == pytest.approx(client.session.get(reply.sessionID)["cost"])
    with pytest.raises(libopencode.NotFoundError):
        client.usage("ses_none")


def test_prompts_for_the_terminal_interface(client):
    assert client.tui_prompt("hello") is None
    with pytest.raises(libopencode.InvalidArgumentError, match="empty"):
        client.tui_prompt(" ")
    with client.tui_control() as control:
        assert control.next(0) is None
        assert control.next(0.02) is None
        control.respond({"ok": True})


def test_the_same_in_asyncio():
    async def main():
        async with libopencode.AsyncClient() as client:
            reply = await client.ask("Say pong")
            assert (await client.usage(reply.sessionID)).count == 1
            await client.tui_prompt("hello")
            control = client.tui_control()
            assert await control.next(0.02) is None
            assert await control.next(0.02) is None
            await control.respond({"ok": True})
            control.close()
            # A failure is not repeated for ever.
            gone = libopencode.AsyncClient("http://127.0.0.1:9", max_retries=0)
            control = gone.tui_control()
            for _ in range(2):
                asked = control._question
                with pytest.raises(libopencode.APIConnectionError):
                    await control.next(30)
                assert control._question is None and asked is None
            await gone.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_usage_of_all_sessions_takes_dates(tmp_path):
    with libopencode.Client(directory=str(tmp_path)) as client:
        reply = client.ask("Say pong")
        tomorrow = datetime.datetime.now() + datetime.timedelta(days=1)
        usage = client.usage(since=datetime.date(2020, 1, 1), until=tomorrow)
        assert (usage.sessionID, usage.count, usage.sessions[0].name) == (None, 1, reply.sessionID)
        assert usage.days[0].name.startswith("20") and usage.days[0].cost == usage.cost
        assert client.usage(since=tomorrow).count == 0 and client.usage().count == 1
        with pytest.raises(libopencode.InvalidArgumentError, match="since must be a day"):
            client.usage(since="yesterday")
