"""Clients with other settings that share everything."""

import asyncio
import pickle
import time
from pathlib import Path

import pytest
from conftest import scripted

import libopencode


def counts():
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def settled():
    """The counts once nothing of earlier tests ends any more."""
    last, since = counts(), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.05)
        if counts() != last:
            last, since = counts(), time.monotonic()
    return last


def test_settings_go_with_a_client_and_everything_else_is_shared(client, tmp_path):
    project = client.with_options(directory=str(tmp_path), timeout=30, headers={"x-a": "b"})
    assert type(project) is libopencode.Client and project.base_url == client.base_url
    reply = project.ask(scripted("where", '[{"text":"here"}]'))
    assert client.session.get(reply.sessionID)["directory"] == str(tmp_path)
    assert client.fileno() == project.fileno()
    before = settled()
    others = [client.with_options(max_retries=number) for number in range(1000)]
    # What ends meanwhile is of earlier tests.
    assert all(now <= then for now, then in zip(counts(), before, strict=True))
    assert others[7].global_.health()["healthy"]


def test_what_belongs_to_the_connection_is_refused(client):
    for name, value in {"base_url": "http://h:1", "password": "hunter2", "record": "/x", "log": "debug", "tools_prefix": "mod"}.items():
        with pytest.raises(TypeError, match=f"'{name}'") as told:
            client.with_options(**{name: value})
        assert "hunter2" not in str(told.value)
    with pytest.raises(libopencode.InvalidArgumentError, match="timeout"):
        client.with_options(timeout=-1)


def test_a_close_ends_the_derived_one_alone_and_that_of_the_first_all(client):
    with client.with_options(timeout=5) as project:
        run = project.run(scripted("stay", '[{"text":"on"}]'))
    with pytest.raises(libopencode.ClosedError):
        project.session.list()
    assert run.result(60).text == "on"
    other = client.with_options(timeout=5)
    client.close()
    with pytest.raises(libopencode.ClosedError):
        other.session.list()


def test_another_process_gets_a_client_with_all_settings(client):
    project = client.with_options(headers={"x-a": "b"}, max_retries=1).with_options(headers={"x-c": "d"})
    copy = pickle.loads(pickle.dumps(project))
    assert copy.__getstate__()["settings"]["headers"] == {"x-a": "b", "x-c": "d"}
    assert copy.global_.health()["healthy"]
    copy.close()


def test_clients_of_asyncio_share_what_wakes_them(tmp_path):
    async def main():
        async with libopencode.AsyncClient() as client:
            project = client.with_options(directory=str(tmp_path))
            first, second = await asyncio.gather(
                client.ask(scripted("a", '[{"text":"a"}]')), project.ask(scripted("b", '[{"text":"b"}]'))
            )
            assert (first.text, second.text) == ("a", "b")
            run = project.run(scripted("c", '[{"text":"c"}]'))
            await project.close()
            assert (await run).text == "c"
            with pytest.raises(libopencode.ClosedError):
                await project.session.list()
            assert (await client.global_.health())["healthy"]

    asyncio.run(main())
