"""OpenTelemetry: what is sent belongs to the active span, and each run is a span. A server of the test sees the headers."""

import asyncio
import json
import subprocess
import sys
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serving import Handler

import libopencode

EXPORTED = InMemorySpanExporter()


@pytest.fixture(scope="module")
def tracer():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTED))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("test")


class _Seen(Handler):
    def _any(self):
        self.server.seen.append((f"{self.command} {self.path.partition('?')[0]}", self.headers.get("traceparent")))
        super()._any()

    do_GET = do_POST = do_PATCH = do_DELETE = _any


def _answers():
    """A server that answers each prompt at the next look; a prompt of the session `ses_failing` with an error."""
    import http.server

    prompts = {}

    def answer(method, path, body):
        parts = path.partition("?")[0].strip("/").split("/")
        found = []
        if (method, parts) == ("POST", ["session"]):
            found = {"id": "ses_1", "directory": "/nowhere"}
        elif parts == ["session", "status"]:
            found = {}
        elif parts[-1] == "prompt_async":
            prompts[parts[1]] = json.loads(body)["messageID"]
        elif parts[0] == "session" and parts[-1] == "message":
            found = _messages(parts[1], prompts.get(parts[1]))
        elif parts[0] == "session" and len(parts) == 2:
            found = {"id": parts[1], "directory": "/nowhere"}
        elif "pty" in parts and parts[-1] != "connect":
            found = {"data": {"id": "pty_1", "status": "running"}}
        elif parts == ["global", "health"]:
            found = {"healthy": True, "version": "1.18.33"}
        return "application/json", json.dumps(found).encode()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Seen)
    server.daemon_threads = True
    server.answer, server.seen = answer, []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def _messages(session, prompt):
    if prompt is None:
        return []
    tokens = {"input": 10, "output": 4, "reasoning": 2, "cache": {"read": 3, "write": 1}}
    info = {
        "id": prompt + "z", "role": "assistant", "parentID": prompt, "sessionID": session, "finish": "stop",
        "time": {"created": 2, "completed": 3}, "agent": "build", "providerID": "openai", "modelID": "gpt-5",
        "cost": 0.25, "tokens": tokens,
    }
    if session == "ses_failing":
        info["error"] = {"name": "APIError", "data": {"message": "no money", "isRetryable": False}}
    text = {"id": "prt_1", "sessionID": session, "messageID": prompt + "z", "type": "text", "text": "pong"}
    user = {"info": {"id": prompt, "role": "user", "sessionID": session, "time": {"created": 1}}, "parts": []}
    return [user, {"info": info, "parts": [text]}]


@pytest.fixture
def server():
    EXPORTED.clear()
    server = _answers()
    yield server
    server.shutdown()
    server.server_close()


def client_of(server, kind=libopencode.Client, **options):
    return kind(f"http://127.0.0.1:{server.server_port}", events=False, **options)


def ended():
    """The spans that ended since the test began, by name."""
    return {span.name: span for span in EXPORTED.get_finished_spans()}


def header(span):
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def test_a_run_is_a_span_below_the_active_one_and_its_requests_carry_it(tracer, server):
    with client_of(server) as client, tracer.start_as_current_span("work") as work:
        client.ask("ping", model="openai/gpt-5")
        client.session.get("ses_1")
        client.start(client.session.get, "ses_1").result()
        client.request("GET", "/session/ses_1")
    run = ended()["invoke_agent build"]
    assert run.parent.span_id == work.get_span_context().span_id
    assert run.kind is trace.SpanKind.CLIENT and run.status.is_unset
    assert dict(run.attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "build",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.conversation.id": "ses_1",
        "gen_ai.usage.input_tokens": 14,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 1,
        "opencode.cost": 0.25,
        "opencode.outcome": "done",
        "opencode.message.id": run.attributes["opencode.message.id"],
        "server.address": "127.0.0.1",
        "server.port": server.server_port,
    }
    of_run = [seen for what, seen in server.seen if what in ("POST /session", "POST /session/ses_1/prompt_async")]
    assert of_run == [header(run)] * 2
    assert [seen for _, seen in server.seen[-3:]] == [header(work)] * 3


def test_a_run_that_fails_is_a_span_that_says_why(tracer, server):
    with client_of(server) as client, tracer.start_as_current_span("work"):
        with pytest.raises(libopencode.OpencodeError) as told:
            client.ask("ping", session="ses_failing")
        with pytest.raises(libopencode.InvalidArgumentError):
            client.run(" ")
    failed, refused = EXPORTED.get_finished_spans()[:2]
    assert failed.attributes["error.type"] == failed.attributes["opencode.outcome"] == told.value.kind
    assert not failed.status.is_ok and "no money" in failed.status.description
    assert refused.attributes["error.type"] == "invalid_argument" and refused.name == "invoke_agent"


def test_asyncio_keeps_the_spans_of_tasks_apart(tracer, server):
    async def task(client, name):
        with tracer.start_as_current_span(name) as span:
            await client.ask("ping")
            await client.session.get("ses_1")
            return span

    async def main():
        async with client_of(server, libopencode.AsyncClient) as client:
            return await asyncio.gather(task(client, "one"), task(client, "two"))

    spans = asyncio.run(main())
    runs = [span for span in EXPORTED.get_finished_spans() if span.name == "invoke_agent build"]
    assert {run.parent.span_id for run in runs} == {span.get_span_context().span_id for span in spans}
    carried = {seen for what, seen in server.seen if what == "GET /session/ses_1"}
    assert {header(span) for span in spans} <= carried


def test_a_run_that_is_dropped_or_detached_ends_its_span(tracer, server):
    with client_of(server) as client, tracer.start_as_current_span("work"):
        run = client.run("ping")
        run.detach(10)
        left = EXPORTED.get_finished_spans()[0]
        EXPORTED.clear()
        run = client.run("ping")
        while run.poll()[0] != "done":
            pass
        done = EXPORTED.get_finished_spans()[0]
        EXPORTED.clear()
        client.run("ping")
        dropped = EXPORTED.get_finished_spans()[0]
    outcomes = [span.attributes["opencode.outcome"] for span in (left, done, dropped)]
    assert outcomes[:2] == ["left", "done"] and outcomes[2] in ("left", "done")


def _pages(client, **given):
    list(client.messages("ses_1", **given))
    list(client.sessions(scope="global", **given))
    assert "".join(client.export("ses_1", **given))


def _told(server, since):
    """What was asked for since then, with which span: all but what the server is."""
    return {what: seen for what, seen in server.seen[since:] if what != "GET /global/health"}


def test_lists_exports_sums_and_terminals_belong_to_the_active_span(tracer, server, tmp_path):
    with client_of(server) as client, tracer.start_as_current_span("work") as work:
        client.session.get("ses_1")
        since = len(server.seen)
        _pages(client)
        client.export_to("ses_1", tmp_path / "out.json")
        client.usage("ses_1")
        with client.pty("cat", server_timeout=0.2) as made, client.pty_connect("pty_2", server_timeout=0.2) as found:
            for pty in (made, found):
                with pytest.raises(libopencode.OpencodeError):
                    pty.read(10)
        told = _told(server, since)
        assert len(told) >= 8 and any(what.endswith("pty_2/connect") for what in told), told
        assert set(told.values()) == {header(work)}, told
        since = len(server.seen)
        mine = f"00-{'1' * 32}-{'2' * 16}-00"
        _pages(client, traceparent=mine)
        client.export_to("ses_1", tmp_path / "out.json", traceparent=mine)
        client.usage("ses_1", traceparent=mine)
        client.pty("cat", traceparent=mine).close()
        assert set(_told(server, since).values()) == {mine}, "one that is named goes before it"


def test_lists_exports_sums_and_terminals_belong_to_the_active_span_in_asyncio(tracer, server, tmp_path):
    async def main():
        async with client_of(server, libopencode.AsyncClient) as client:
            with tracer.start_as_current_span("work") as work:
                await client.session.get("ses_1")
                since = len(server.seen)
                assert [message async for message in client.messages("ses_1")] == []
                assert [session async for session in client.sessions(scope="global")] == []
                assert [piece async for piece in client.export("ses_1")]
                await client.export_to("ses_1", tmp_path / "out.json")
                await client.usage("ses_1")
                pty = await client.pty("cat", server_timeout=0.2)
                with pytest.raises(libopencode.OpencodeError):
                    await pty.read(10)
                await pty.close()
            told = _told(server, since)
            assert len(told) >= 6 and set(told.values()) == {header(work)}, told

    asyncio.run(main())


def test_what_the_program_says_itself_goes_before_the_active_span(tracer, server):
    mine = f"00-{'1' * 32}-{'2' * 16}-00"
    with client_of(server) as client, tracer.start_as_current_span("work"):
        client.ask("ping", traceparent=mine)
        client.call("session.get", {"sessionID": "ses_1"}, traceparent=mine)
        client.session.get("ses_1", extra_headers={"Traceparent": mine})
    assert {seen for what, seen in server.seen if "/ses_1" in what or what == "POST /session"} == {mine}
    assert list(ended()) == ["work"], "who traces by hand gets no span"
    with client_of(server) as client:
        with pytest.raises(libopencode.InvalidArgumentError, match="has not four parts"):
            client.run("ping", traceparent="00-abc-01")


def test_without_an_active_span_nothing_is_added(server):
    with client_of(server) as client:
        client.ask("ping")
    assert {seen for _, seen in server.seen} == {None} and not ended()


def test_the_api_is_never_imported(server):
    code = """
import sys, libopencode
with libopencode.Client(sys.argv[1], events=False) as client:
    client.ask("ping"); client.session.get("ses_1")
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    url = f"http://127.0.0.1:{server.server_port}"
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
