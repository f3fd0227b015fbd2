"""What one call does differently from its client."""

import asyncio

import pytest

import opencode


def test_a_call_has_its_own_directory(client, tmp_path):
    where = str(tmp_path)
    assert client.session.create(directory=where)["directory"] == where
    assert client.call("session.create", directory=where)["directory"] == where
    assert client.call("session.create", {"directory": where})["directory"] == where
    assert client.start("session.create", directory=where).result(60)["directory"] == where
    assert client.request("GET", "/path", directory=where)["directory"] == where
    with opencode.Client(directory="/") as other:
        assert other.call("path.get")["directory"] == "/"
        assert other.call("path.get", directory=where)["directory"] == where


def test_a_call_has_its_own_workspace_and_headers(client):
    with pytest.raises(opencode.APIStatusError, match="wrk_none"):
        client.call("session.list", workspace="wrk_none")
    with pytest.raises(opencode.AuthenticationError):
        client.session.list(extra_headers={"authorization": "Basic eDp5"})
    with pytest.raises(opencode.AuthenticationError):
        client.call("session.list", extra_headers={"authorization": "Basic eDp5"})


def test_raw_answers_everywhere(client):
    for answer in (
        client.call_raw("global.health"),
        client.start("global.health", raw=True).result(60),
        client.request("GET", "/global/health", raw=True),
    ):
        assert isinstance(answer, opencode.RawResponse)
        assert (answer.status, b'"healthy":true' in answer.body) == (200, True)


def test_asyncio_has_the_same_options(tmp_path):
    where = str(tmp_path)

    async def main():
        async with opencode.AsyncClient() as client:
            assert (await client.session.create(directory=where))["directory"] == where
            assert (await client.call("path.get", directory=where))["directory"] == where
            assert (await client.request("GET", "/path", directory=where))["directory"] == where
            raw = await client.request("GET", "/global/health", raw=True)
            assert raw.status == 200
            assert (await client.call_raw("global.health")).status == 200
            assert (await client.start("global.health", raw=True)).status == 200
            with pytest.raises(opencode.APITimeoutError):
                await client.call("tui.control.next", timeout=0.1)

    asyncio.run(main())
