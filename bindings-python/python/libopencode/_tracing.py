"""OpenTelemetry, where the program uses it: what is sent belongs to the span that is active, and each run is a span of its own.

This package does not depend on it, and never imports it: a span can only be active in a program that has imported
`opentelemetry.trace`, and then it stands among the modules. In any other program this costs one look into a dict.

Names are those of the semantic conventions for GenAI where there is one: a run is an `invoke_agent` span of a client.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import _native
else:
    from ._later import Later, typing

    _native = Later("libopencode._native")

_NAME = "traceparent"


def _active() -> tuple[typing.Any, typing.Any] | None:
    """The API and the context of the span that is active; None where there is none."""
    trace = sys.modules.get("opentelemetry.trace")
    # One that is just being imported has no such function yet.
    current = getattr(trace, "get_current_span", None)
    if current is None:
        return None
    context = current().get_span_context()
    return (trace, context) if context.is_valid else None


def _header(context: typing.Any) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def carried(settings: dict[str, typing.Any] | None) -> dict[str, typing.Any] | None:
    """The options of a call, with the span that is active; one that the program names itself stays."""
    found = _active()
    if found is None:
        return settings
    headers = (settings or {}).get("headers") or {}
    if _NAME in (settings or {}) or any(name.lower() == _NAME for name in headers):
        return settings
    return {**(settings or {}), _NAME: _header(found[1])}


def traced(settings: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """The options of a list, an export or a terminal: its requests belong to the span that is active when it is made."""
    return carried(settings) or settings


def run_span(client: typing.Any, options: dict[str, typing.Any]) -> RunSpan | None:
    """Begins the span of a run, below the one that is active, and adds it to the options of the run."""
    found = _active()
    if found is None or _NAME in options:
        return None
    span = RunSpan(found[0], client.base_url, options)
    options[_NAME] = _header(span.span.get_span_context())
    return span


class RunSpan:
    """The span of one run: it ends when the program learns of the end, and lasts as long as the run did."""

    __slots__ = ("_began", "_native", "_trace", "span")

    def __init__(self, trace: typing.Any, url: str, options: dict[str, typing.Any]) -> None:
        from time import time_ns
        from urllib.parse import urlsplit

        server = urlsplit(url)
        given = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": options.get("agent"),
            "gen_ai.request.model": _model(options.get("model")),
            "gen_ai.conversation.id": options.get("session"),
            "server.address": server.hostname,
            "server.port": server.port,
        }
        self._trace = trace
        self._began = time_ns()
        self._native: _native.Run | None = None
        self.span = trace.get_tracer("libopencode").start_span(
            _title(options.get("agent")),
            kind=trace.SpanKind.CLIENT,
            attributes={name: value for name, value in given.items() if value is not None},
            start_time=self._began,
        )

    def begin(self, native: _native.Run) -> None:
        """The run is on its way."""
        self._native = native

    def refuse(self, error: BaseException) -> None:
        """There is no run: what was asked for cannot be sent."""
        self._fail(getattr(error, "kind", type(error).__name__), str(error))
        self.span.end()

    def end(self, left: bool = False) -> None:
        """The run is over, or `left` to the server. Does nothing while it is not, and nothing the second time."""
        native = self._native
        if native is None or (not left and native.state not in ("done", "failed")):
            return
        self._native = None
        reply = native.reply()
        if left or reply is None:
            self.span.set_attribute("opencode.outcome", "left")
            self.span.end()
            return
        for name, value in _results(reply).items():
            if value is not None:
                self.span.set_attribute(name, value)
        if reply["agent"]:
            self.span.update_name(_title(reply["agent"]))
        error = native.error()
        if error is None:
            self.span.set_attribute("opencode.outcome", "done")
        else:
            self._fail(error.kind, str(error))
        # Whoever looks late does not make it longer.
        self.span.end(self._began + reply["time"]["total_ms"] * 1_000_000)

    def _fail(self, kind: str, message: str) -> None:
        self.span.set_attribute("opencode.outcome", kind)
        self.span.set_attribute("error.type", kind)
        self.span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, message))

    def __del__(self) -> None:
        # The host gave the run up, and did not wait for its end.
        native = self._native
        if native is not None:
            self.end(left=native.state not in ("done", "failed"))


def _title(agent: typing.Any) -> str:
    return f"invoke_agent {agent}" if agent else "invoke_agent"


def _model(model: typing.Any) -> str | None:
    """The model without its provider."""
    if isinstance(model, str):
        return model.partition("/")[2] or model
    found = model.get("modelID") if hasattr(model, "get") else None
    return found if isinstance(found, str) else None


def _results(reply: dict[str, typing.Any]) -> dict[str, typing.Any]:
    tokens = reply["tokens"]
    cache = tokens["cache"]
    return {
        "gen_ai.provider.name": reply["providerID"],
        "gen_ai.agent.name": reply["agent"],
        "gen_ai.conversation.id": reply["sessionID"] or None,
        "gen_ai.response.model": reply["modelID"],
        "gen_ai.response.finish_reasons": [reply["finish"]] if reply["finish"] else None,
        # By the conventions what was read from the cache is input, too.
        "gen_ai.usage.input_tokens": int(tokens["input"] + cache["read"] + cache["write"]),
        "gen_ai.usage.output_tokens": int(tokens["output"] + tokens["reasoning"]),
        "gen_ai.usage.cache_read.input_tokens": int(cache["read"]),
        "gen_ai.usage.cache_creation.input_tokens": int(cache["write"]),
        "opencode.cost": float(reply["cost"]),
        "opencode.message.id": reply["messageID"] or None,
    }
