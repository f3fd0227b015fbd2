import asyncio
import json
import subprocess
import sys

import pytest

import libopencode


def note(client, session, text, **more):
    client.session.prompt(session, noReply=True, parts=[{"type": "text", "text": text}], **more)


def texts(messages):
    return [message["parts"][0]["text"] for message in messages]


@pytest.fixture
def session(client):
    made = client.session.create()
    for i in range(7):
        note(client, made["id"], str(i))
    return made["id"]


def test_messages_come_once_and_newest_first(client, session):
    for page in (None, 1, 3, 7):
        assert texts(client.messages(session, page=page)) == list("6543210")
    messages = client.messages(session, page=2)
    assert next(messages)["parts"][0]["text"] == "6"
    assert messages.is_complete
    assert list(client.messages(client.session.create()["id"])) == []


def test_a_prompt_with_a_format_hides_nothing_else(client):
    session = client.session.create()["id"]
    note(client, session, "first", format={"type": "text"})
    note(client, session, "second")
    messages = client.messages(session)
    assert texts(messages) == ["second"]
    assert not messages.is_complete


def test_a_long_session_takes_the_memory_of_a_page(client):
    session = client.session.create()["id"]
    for _ in range(40):
        note(client, session, "x" * 500_000)
    program = """
import libopencode, resource, sys
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with libopencode.Client() as client:
    messages = client.messages(sys.argv[1], page=2)
    next(messages)
    before = peak()
    count = 1 + sum(1 for _ in messages)
    print(count, peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, session], capture_output=True, text=True, timeout=60
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 40
    # All of them are 20 MB, a page is 1.
    assert kilobytes < 10_000


def test_sessions_of_a_directory(client, tmp_path):
    for i in range(5):
        client.session.create(title=str(i), directory=str(tmp_path))
    sessions = client.sessions(directory=str(tmp_path), page=2)
    assert [session["title"] for session in sessions] == list("43210")
    found = client.sessions(directory=str(tmp_path), search="3")
    assert [session["title"] for session in found] == ["3"]
    assert any(session["title"] == "4" for session in client.sessions(scope="global"))


def test_what_is_wrong_ends_a_list(client):
    unknown = client.messages("ses_none")
    with pytest.raises(libopencode.NotFoundError):
        next(unknown)
    assert list(unknown) == []
    with pytest.raises(ValueError, match="1 or more"):
        client.messages("ses_1", page=0)
    with pytest.raises(ValueError, match="directory, global"):
        client.sessions(scope="all")


def test_asyncio_iterates_lists(client, session):
    async def main():
        async with libopencode.AsyncClient() as other:
            assert texts([m async for m in other.messages(session, page=3)]) == list("6543210")
            async for found in other.sessions(page=1):
                assert found["id"]
                break
            with pytest.raises(libopencode.NotFoundError):
                async for _ in other.messages("ses_none"):
                    pass

    asyncio.run(main())


def test_a_session_is_exported_in_pieces_and_into_a_file(client, session, tmp_path):
    text = "".join(client.export(session, format="markdown"))
    assert text.startswith("# ") and text.index("## User\n\n0\n") < text.index("## User\n\n6\n")
    pieces = client.export(session)
    assert len(json.loads("".join(pieces))["messages"]) == 7 and pieces.is_complete
    written = client.export_to(session, tmp_path / "a.md", format="markdown")
    assert (written.messages, written.complete) == (7, True) and (tmp_path / "a.md").read_text() == text
    with pytest.raises(libopencode.NotFoundError, match="cannot be written"):
        client.export_to(session, tmp_path / "none" / "a.md")

    async def main():
        async with libopencode.AsyncClient() as client:
            pieces = [piece async for piece in client.export(session, format="markdown")]
            written = await client.export_to(session, tmp_path / "b.md", format="markdown")
            return "".join(pieces), written.bytes

    assert asyncio.run(main()) == (text, len(text.encode()))
