"""A server of 2.x in the hands of Python: what runs do there, once each. Started with `opencode-stack --server 2`."""

import libopencode
import pytest
from conftest import scripted

SLOW = scripted("slow", '[{"text":"a b c d e f","delay_ms":200}]')


def first(run, kind):
    return next(update for update in run if update.type == kind)


def test_a_prompt_is_answered_piece_by_piece_with_files_and_summed_up(client):
    assert client.server().dialect == "2.x"
    steps = '[{"text":"one two three four","delay_ms":100,"usage":{"input":1000,"output":20}}]'
    run = client.run(scripted("say", steps), files=["/etc/hostname"])
    pieces = [update.delta for update in run if update.type == "text"]
    assert "".join(pieces) == run.result(60).text == "one two three four" and len(pieces) > 1
    assert next(client.messages(run.sessionID))["parts"][0]["text"] == run.reply.text
    assert client.usage(run.sessionID).tokens["input"] == 1000


def test_the_host_is_asked_for_permissions_and_forms(client):
    rules = [{"action": "shell", "resource": "*", "effect": "ask"}]
    session = client.v2.session.create(permissions=rules)["data"]["id"]
    shell = '{"name":"shell","arguments":{"command":"echo yes"}}'
    steps = f'[{{"tools":[{shell}]}},{{"text":"done"}}]'
    run = client.run(scripted("ask", steps), session=session, permission="ask")
    asked = first(run, "permission")
    assert asked.request["patterns"] == ["echo yes"]
    run.reply_permission(asked.id, "once")
    assert run.result(60).decisions[0]["by"] == "host"
    option = '{"label":"A","description":"a"}'
    questions = f'{{"questions":[{{"question":"Which?","header":"h","options":[{option}]}}]}}'
    steps = f'[{{"tools":[{{"name":"question","arguments":{questions}}}]}},{{"text":"thanks"}}]'
    run = client.run(scripted("form", steps), question="ask")
    asked = first(run, "question")
    assert asked.request["questions"][0]["question"] == "Which?"
    run.reply_question(asked.id, [["A"]])
    assert run.result(60).text == "thanks"


def test_what_is_asked_is_asked_again_by_a_recording(tmp_path):
    tape = tmp_path / "asked.jsonl"
    shell = '{"name":"shell","arguments":{"command":"echo yes"}}'
    questions = '{"questions":[{"question":"Which?","header":"h","options":[{"label":"A","description":"a"}]}]}'
    form = f'{{"name":"question","arguments":{questions}}}'
    steps = f'[{{"tools":[{shell}]}},{{"tools":[{form}]}},{{"text":"done"}}]'

    def seen(client):
        rules = [{"action": "shell", "resource": "*", "effect": "ask"}]
        session = client.v2.session.create(permissions=rules)["data"]["id"]
        run = client.run(scripted("taped", steps), session=session, permission="ask", question="ask")
        told = []
        for update in run:
            if update.type == "permission":
                told.append(update.request["patterns"])
                run.reply_permission(update.id, "once")
            elif update.type == "question":
                told.append(update.request["questions"])
                run.reply_question(update.id, [["A"]])
        told.append([(decision["permission"], decision["reply"], decision["by"]) for decision in run.reply.decisions])
        return told, run.reply.text, run.reply.cost, len(run.reply.messages)

    with libopencode.Client(record=tape) as client:
        real = seen(client)
    assert real[1] == "done" and len(real[0]) == 3
    with libopencode.Replay(tape) as replay, libopencode.Client(replay.url) as client:
        assert seen(client) == real


def test_a_run_is_cancelled_or_left_and_picked_up(client):
    run = client.run(SLOW)
    first(run, "text")
    assert run.cancel() == "failed"
    assert run.sessionID not in client.v2.session.active()["data"]
    left = client.run(SLOW).detach()
    assert client.resume(left.sessionID, left.messageID).result(60).text == "a b c d e f"


def test_a_session_is_summarized_once(client):
    session = client.ask(scripted("sum up", '[{"text":"answer"}]')).sessionID
    assert "A scripted summary" in client.compact(session).result(60).text
    with pytest.raises(libopencode.AgentError) as caught:
        client.compact(session).result(60)
    assert caught.value.code == "compaction.unavailable"


def test_what_it_cannot_do_is_told(client):
    with pytest.raises(libopencode.UnsupportedError, match="ask for JSON in the prompt"):
        client.ask("x", format={"type": "object"})
    with pytest.raises(libopencode.UnsupportedError, match=r"use v2\.session\.create"):
        client.session.create()


def test_events_a_terminal_and_a_recording(client, tmp_path):
    with client.events(scope="global") as stream:
        assert stream.next(60).type == "stream.connected"
        made = client.v2.session.create(title="seen")["data"]["id"]
        for event in stream:
            if event.type == "session.created" and event.properties["sessionID"] == made:
                break
    pty = client.pty("bash", ["--norc", "-c", "read x; echo got-$x; exit 3"])
    pty.write("this\n")
    assert "got-this" in "".join(pty) and pty.exit_code == 3
    prompt = scripted("tape", '[{"text":"kept"}]')
    with libopencode.Client(record=tmp_path / "tape") as recording:
        assert recording.ask(prompt).text == "kept"
    with libopencode.Replay(tmp_path / "tape") as replay, libopencode.Client(replay.url) as player:
        assert player.ask(prompt).text == "kept"


FIRST = {
    "an operation": lambda client, known: client.v2.session.active(),
    "ask": lambda client, known: client.ask("hello"),
    "a run": lambda client, known: client.run("hello").result(60),
    "resume": lambda client, known: client.resume(known.sessionID, known.messageID).result(60),
    "events": lambda client, known: client.events().next(60),
    "messages": lambda client, known: next(client.messages(known.sessionID)),
    "sessions": lambda client, known: next(client.sessions(scope="global")),
    "usage": lambda client, known: client.usage(known.sessionID),
    "export": lambda client, known: "".join(client.export(known.sessionID)),
    "pty": lambda client, known: client.pty("sh", ["-c", "echo x; read y"]).read(60),
    "ready": lambda client, known: client.wait_until_ready(),
    "doctor": lambda client, known: client.doctor().ok or pytest.fail(str(client.doctor())),
    "server": lambda client, known: client.server(),
}


def test_whatever_a_client_does_first_works(client):
    known = client.run("hello")
    known.result(60)
    for name, use in FIRST.items():
        with libopencode.Client() as fresh:
            assert use(fresh, known), name
    with libopencode.Client() as fresh, pytest.raises(libopencode.UnsupportedError, match=r"2\.0\.15"):
        fresh.tui_prompt("x")
