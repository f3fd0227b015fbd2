"""Runs: one prompt on its way to its reply."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Literal

    from . import _native
    from ._errors import OpencodeError
    from ._log import Drain

    State = Literal["pending", "waiting", "done", "failed"]
    _Dict = dict[str, Any]
else:
    _Dict = dict


class _Record(_Dict):
    """A JSON object with attributes. Field names are the server's (`sessionID`).

    It is a dict: `json.dumps`, `dict(...)` and web frameworks take it as it is.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no '{name}'") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def to_dict(self) -> dict[str, Any]:
        """The object as a plain dict."""
        return dict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # Asked by pydantic alone, where a model or a handler names the class: it takes a dict, and writes one.
        from pydantic_core import core_schema  # type: ignore[import-not-found, unused-ignore]

        inner = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        return core_schema.no_info_after_validator_function(cls, inner)


class Reply(_Record):
    """The outcome of a run. Of a failed one, as far as it came."""

    __slots__ = ()

    if TYPE_CHECKING:
        sessionID: str
        messageID: str
        text: str
        transcript: str
        reasoning: str
        structured: Any
        finish: str | None
        cost: float
        tokens: dict[str, Any]
        agent: str | None
        providerID: str | None
        modelID: str | None
        messages: list[dict[str, Any]]
        parts: list[dict[str, Any]]
        decisions: list[dict[str, Any]]
        files: list[dict[str, Any]]
        children: list[str]
        time: dict[str, int | None]

    def __str__(self) -> str:
        return str(self["text"])

    def __repr__(self) -> str:
        text = self["text"]
        shown = text if len(text) <= 60 else text[:57] + "..."
        return f"<libopencode.Reply {shown!r}>"


class Update(_Record):
    """What happened to a run: look at `type` for what else is there."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: Literal[
            "text",
            "reasoning",
            "tool",
            "message",
            "permission",
            "question",
            "retry",
            "status",
            "todo",
            "diff",
            "done",
            "failed",
        ]
        delta: str
        replaces: bool
        messageID: str
        partID: str
        part: dict[str, Any]
        info: dict[str, Any]
        id: str
        request: dict[str, Any]
        attempt: int
        reason: str
        next: float
        why: str
        todos: list[dict[str, Any]]
        diff: list[dict[str, Any]]
        reply: Reply
        error: OpencodeError

    def __repr__(self) -> str:
        rest = {name: value for name, value in self.items() if name != "type"}
        return f"<libopencode.Update {self['type']} {str(rest)[:100]}>"


class Detached:
    """What another process needs to pick a run up with `Client.resume`."""

    __slots__ = ("messageID", "sessionID")

    def __init__(self, sessionID: str, messageID: str) -> None:
        self.sessionID = sessionID
        self.messageID = messageID

    def __repr__(self) -> str:
        return f"Detached(sessionID={self.sessionID!r}, messageID={self.messageID!r})"


def update_of(data: dict[str, Any]) -> Update:
    """An update as its object."""
    if data["type"] == "done":
        data["reply"] = Reply(data["reply"])
    return Update(data)


def not_finished(run: Run, timeout: float | None) -> OpencodeError:
    """The error of who waited in vain."""
    from ._errors import APITimeoutError

    return APITimeoutError(
        f"run: not finished within {timeout} s; {run.why()}; wait again, or cancel it",
        operation="run",
        sent=True,
    )


class Run:
    """One prompt on its way to its reply. Made by `Client.run`.

    Iterating gives every update and blocks between them; `poll` never blocks. The prompt goes its way when
    the object is dropped.
    """

    __slots__ = ("_drain", "_native")

    def __init__(self, native: _native.Run, drain: Drain | None = None) -> None:
        self._native = native
        self._drain = drain

    def _flush(self) -> None:
        if self._drain is not None:
            self._drain()

    def poll(self) -> tuple[State, list[Update]]:
        """The state, and everything that happened since the last poll. Never blocks."""
        self._flush()
        state, updates = self._native.poll()
        return state, [update_of(data) for data in updates]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Update]:
        while True:
            data = self._native.next_update(None)
            self._flush()
            if data is None:
                return
            update = update_of(data)
            yield update
            if update.type in ("done", "failed"):
                return

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the run is over, at most `timeout` seconds; whether it is. Ctrl-C ends the waiting."""
        is_over = self._native.wait(timeout)
        self._flush()
        return is_over

    def result(self, timeout: float | None = None) -> Reply:
        """The reply, waiting at most `timeout` seconds for it.

        Raises why the run failed, and APITimeoutError when it is not over in time: it goes on then.
        """
        if not self.wait(timeout):
            raise not_finished(self, timeout)
        error = self.error
        if error is not None:
            raise error
        reply = self.reply
        assert reply is not None
        return reply

    def cancel(self, timeout: float = 10.0) -> State:
        """Ends the run: the server is told to stop, and the run is over when it did.

        Blocks at most `timeout` seconds; 0 only asks for it. A run that is over stays as it is.
        """
        return self._native.cancel(timeout)  # type: ignore[return-value]

    @property
    def state(self) -> State:
        """`pending`, `waiting` (only you can answer what is asked), `done` or `failed`."""
        return self._native.state  # type: ignore[return-value]

    @property
    def reply(self) -> Reply | None:
        """The reply once the run is over; of a failed one, as far as it came."""
        data = self._native.reply()
        return None if data is None else Reply(data)

    @property
    def error(self) -> OpencodeError | None:
        """Why the run failed, once it did."""
        return self._native.error()

    @property
    def text(self) -> str:
        """The text so far: all deltas of all text updates."""
        return self._native.text

    @property
    def sessionID(self) -> str | None:
        """The session, once it is known."""
        return self._native.session_id

    @property
    def messageID(self) -> str | None:
        """The user message that the prompt becomes; None until the prompt is sent, unless you gave its id."""
        return self._native.message_id

    def why(self) -> str:
        """Why it is not moving, in one line; empty when it is over."""
        return self._native.why()

    def reply_permission(
        self,
        id: str,
        reply: Literal["once", "always", "reject"],
        message: str | None = None,
    ) -> None:
        """Answers a permission update. `message` tells the agent why it was rejected."""
        self._native.reply_permission(id, reply, message)

    def reply_question(self, id: str, answers: Sequence[Sequence[str]] | None) -> None:
        """Answers a question update: labels or own words, a list per question. None dismisses it."""
        lists = None if answers is None else [list(answer) for answer in answers]
        self._native.reply_question(id, lists)

    def detach(self, timeout: float | None = None) -> Detached:
        """Leaves the run to the server, once its prompt is sent. Another process can resume it.

        Blocks until it is sent, at most `timeout` seconds; Ctrl-C ends the waiting. Raises why the run failed, and
        APITimeoutError when it is not sent in time: it goes on then.
        """
        found = self._native.detach(timeout)
        if found is None:
            from ._errors import APITimeoutError

            raise APITimeoutError(
                f"run: not sent within {timeout} s; {self.why()}; detach it again, or cancel it",
                operation="run",
            )
        return Detached(*found)

    def __repr__(self) -> str:
        return f"<libopencode.Run {self.messageID or '(not sent)'} {self.state}>"
