"""What the server has beyond this package, requests by hand, and retries."""

import asyncio
import http.server
import json
import threading

import pytest

import libopencode


@pytest.fixture
def server():
    """A server that gives what it is told, in order, and counts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen += 1
            status, body = self.server.answers.pop(0) if self.server.answers else (200, {})
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answers = 0, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_pinned_server_has_just_what_the_package_knows(client):
    drift = client.drift()
    assert not drift, (drift.new, drift.gone, drift.changed)
    assert repr(drift) == "<libopencode.Drift 0 new, 0 gone, 0 changed>"


def test_another_description_drifts(client, server):
    document = client.call("doc.get")
    shine = {"post": {"operationId": "session.shine"}}
    document["paths"]["/shine"] = shine
    del document["paths"]["/path"]
    server.answers = [(200, document), (200, document)]
    with libopencode.Client(server.url) as other:
        drift = other.drift()
    assert drift
    assert drift.new == [{"operation": "session.shine", "method": "POST", "path": "/shine"}]
    assert [gone["operation"] for gone in drift.gone] == ["path.get"]

    async def same():
        async with libopencode.AsyncClient(server.url) as other:
            return await other.drift()

    assert asyncio.run(same()).new == drift.new


def test_a_request_that_is_no_operation(client):
    assert client.request("GET", "/global/health")["healthy"] is True
    made = client.request("POST", "/session", query={"directory": "/"}, body={"title": "by hand"})
    assert (made["title"], made["directory"]) == ("by hand", "/")
    with pytest.raises(libopencode.NotFoundError, match="GET /session/ses_none: 404"):
        client.request("GET", "/session/ses_none")

    async def same():
        async with libopencode.AsyncClient() as client:
            with pytest.raises(libopencode.NotFoundError, match="GET /session/ses_none: 404"):
                await client.request("GET", "/session/ses_none")
            return await client.request("POST", "/session", body={"title": "by hand"})

    assert asyncio.run(same())["title"] == "by hand"


def test_reads_are_repeated_as_often_as_the_client_or_the_call_says(server):
    with libopencode.Client(server.url, max_retries=2) as client:
        server.answers = [(503, {}), (429, {}), (200, [])]
        assert client.session.list() == []
        assert server.seen == 3
        server.answers = [(503, {})]
        with pytest.raises(libopencode.InternalServerError):
            client.session.list(max_retries=0)
        assert server.seen == 4
        server.answers = [(503, {})] * 4
        with pytest.raises(libopencode.InternalServerError):
            client.call("session.list", max_retries=3)
        assert server.seen == 8


def test_what_changes_something_is_never_repeated(server):
    with libopencode.Client(server.url, max_retries=9) as client:
        server.answers = [(503, {})]
        with pytest.raises(libopencode.InternalServerError):
            client.session.create(title="x", max_retries=9)
        assert server.seen == 1


def test_a_stream_is_no_call(client):
    with pytest.raises(libopencode.InvalidArgumentError, match="stream of events"):
        client.call("event.subscribe")
