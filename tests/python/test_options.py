"""What one call does differently from its client."""

import asyncio
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from urllib.parse import quote

import pytest
from conftest import scripted

import libopencode


def test_a_call_has_its_own_directory(client, tmp_path):
    where = str(tmp_path)
    assert client.session.create(directory=where)["directory"] == where
    assert client.call("session.create", directory=where)["directory"] == where
    assert client.call("session.create", {"directory": where})["directory"] == where
    assert client.start("session.create", directory=where).result(60)["directory"] == where
    assert client.request("GET", "/path", directory=where)["directory"] == where
    with libopencode.Client(directory="/") as other:
        assert other.call("path.get")["directory"] == "/"
        assert other.call("path.get", directory=where)["directory"] == where


def test_a_call_has_its_own_workspace_and_headers(client):
    with pytest.raises(libopencode.APIStatusError, match="wrk_none"):
        client.call("session.list", workspace="wrk_none")
    with pytest.raises(libopencode.AuthenticationError):
        client.session.list(extra_headers={"authorization": "Basic eDp5"})
    with pytest.raises(libopencode.AuthenticationError):
        client.call("session.list", extra_headers={"authorization": "Basic eDp5"})


def test_raw_answers_everywhere(client):
    for answer in (
        client.call_raw("global.health"),
        client.start("global.health", raw=True).result(60),
        client.request("GET", "/global/health", raw=True),
    ):
        assert isinstance(answer, libopencode.RawResponse)
        assert (answer.status, b'"healthy":true' in answer.body) == (200, True)


def test_an_address_with_a_user_is_meant_with_it():
    # The environment has the right password, of the server that it names.
    url = os.environ["OPENCODE_BASE_URL"]
    with libopencode.Client(url.replace("://", "://me:wrong@")) as client:
        with pytest.raises(libopencode.AuthenticationError):
            client.global_.health()
    user, password = (os.environ[f"OPENCODE_SERVER_{name}"] for name in ("USERNAME", "PASSWORD"))
    pair = f"{quote(user, '')}:{quote(password, '')}"
    with libopencode.Client(url.replace("://", f"://{pair}@")) as client:
        assert client.global_.health()["healthy"]
        assert password not in repr(client) and client.base_url == url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_no_proxy_stands_before_this_machine(host):
    program = "import libopencode, sys; print(libopencode.Client(sys.argv[1]).global_.health()['healthy'])"
    url = os.environ["OPENCODE_BASE_URL"].replace("127.0.0.1", host)
    nobody = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", program, url],
        capture_output=True,
        text=True,
        env=os.environ | nobody,
        timeout=60,
    )
    assert done.stdout == "True\n", done.stderr


def test_a_query_of_ones_own_is_spelled_as_the_server_wants_it(client):
    made = client.session.create(title="asked for by hand")
    query = {"search": "asked for by hand", "limit": 1, "roots": True, "start": None}
    (found,) = client.request("GET", "/session", query=query)
    assert found["id"] == made["id"]


def test_asyncio_has_the_same_options(tmp_path):
    where = str(tmp_path)

    async def main():
        async with libopencode.AsyncClient() as client:
            assert (await client.session.create(directory=where))["directory"] == where
            assert (await client.call("path.get", directory=where))["directory"] == where
            assert (await client.request("GET", "/path", directory=where))["directory"] == where
            raw = await client.request("GET", "/global/health", raw=True)
            assert raw.status == 200
            assert (await client.call_raw("global.health")).status == 200
            assert (await client.start("global.health", raw=True)).status == 200
            with pytest.raises(libopencode.APITimeoutError):
                await client.call("tui.control.next", timeout=0.1)

    asyncio.run(main())


class Found(http.server.BaseHTTPRequestHandler):
    """Answers with the query that it was asked with."""

    def do_GET(self):
        body = json.dumps(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_list_in_a_query_is_one_entry_per_item():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Found)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with libopencode.Client(f"http://127.0.0.1:{server.server_port}") as client:
        query = {"a": ["x", 1, None, True], "b": (), "c": None, "d": "y"}
        found = client.request("GET", "/x", query=query)
    server.shutdown()
    assert found == [["a", "x"], ["a", "1"], ["a", "true"], ["d", "y"]]


def test_a_class_that_knows_its_schema_is_a_format(client):
    class Answer:
        @classmethod
        def model_json_schema(cls):
            return {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    steps = '[{"tools": [{"name": "StructuredOutput", "arguments": {"city": "Oslo"}}]}]'
    reply = client.ask(scripted("a city", steps), format=Answer)
    assert reply.structured == {"city": "Oslo"}
