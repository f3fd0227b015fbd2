"""Updates and replies: what a run tells."""

from __future__ import annotations

from ._generic import Generic, Parsed
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _errors as errors
    from . import types
    from ._reply_types import Decision, Timings, Tokens
else:
    from ._later import abc, typing


class Reply(Record, Generic[Parsed]):
    """The outcome of a run. Of a failed one, as far as it came."""

    __slots__ = ("_parsed", "_read")

    if not TYPE_CHECKING:
        # That of a dict gives another object than the class.
        def __class_getitem__(cls, _):
            return cls

    def __init__(self, data: typing.Any, read: abc.Callable[[typing.Any], Parsed] | None = None) -> None:
        super().__init__(data)
        self._read = read
        self._parsed: Parsed | None = None

    if TYPE_CHECKING:
        sessionID: str
        messageID: str
        text: str
        transcript: str
        reasoning: str
        structured: typing.Any
        finish: str | None
        cost: float
        tokens: Tokens
        agent: str | None
        providerID: str | None
        modelID: str | None
        messages: list[types.SessionMessagesAnswerItem]
        parts: list[types.Part]
        decisions: list[Decision]
        files: list[types.SnapshotFileDiff]
        children: list[str]
        time: Timings

    @property
    def parsed(self) -> Parsed:
        """The answer as an object of the type that `format` was; None where that was a schema or nothing.

        Raises APIResponseValidationError where the type takes it for none of its own.
        """
        if self._read is not None and self._parsed is None and self["structured"] is not None:
            self._parsed = self._read(self["structured"])
        return self._parsed  # type: ignore[return-value]

    def __reduce__(self) -> tuple[typing.Any, ...]:
        # What reads the answer belongs to this program: the object that was read goes along.
        try:
            parsed = self.parsed
        except Exception:
            # The answer is no object of its type: there is none to go along.
            parsed = None
        return Reply, (dict(self),), (None, {"_read": None, "_parsed": parsed})

    def __copy__(self) -> Reply[Parsed]:
        made = Reply(self, self._read)
        made._parsed = self._parsed
        return made

    def __str__(self) -> str:
        return str(self["text"])

    def __repr__(self) -> str:
        text = self["text"]
        shown = text if len(text) <= 60 else text[:57] + "..."
        return f"<libopencode.Reply {shown!r}>"

    def _repr_markdown_(self) -> str:
        # What a notebook shows: models write Markdown.
        return str(self["text"])


class _Update(Record):
    """What all updates share."""

    __slots__ = ()

    def __repr__(self) -> str:
        rest = {name: value for name, value in self.items() if name != "type"}
        return f"<libopencode.{type(self).__name__} {str(rest)[:100]}>"


class TextUpdate(_Update):
    """The model said something. `replaces`: `delta` is the whole text, forget what was shown before."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["text"]
        delta: str
        replaces: bool
        messageID: str
        partID: str


class ReasoningUpdate(_Update):
    """The model thought something."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["reasoning"]
        delta: str
        replaces: bool
        messageID: str
        partID: str


class ToolUpdate(_Update):
    """A tool part changed: its newest form."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["tool"]
        part: types.ToolPart


class MessageUpdate(_Update):
    """A message of the run began or ended: its newest form, without parts."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["message"]
        info: types.Message


class PermissionUpdate(_Update):
    """A permission is asked for, and only you can answer: `run.reply_permission(update.id, ...)`."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["permission"]
        id: str
        request: types.PermissionRequest


class QuestionUpdate(_Update):
    """A question is asked, and only you can answer: `run.reply_question(update.id, ...)`."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["question"]
        id: str
        request: types.QuestionRequest


class RetryUpdate(_Update):
    """The provider failed, and the server tries again. `next` is when, in milliseconds since 1970."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["retry"]
        attempt: int
        reason: str
        next: float


class StatusUpdate(_Update):
    """Why the run is not moving, in one line."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["status"]
        why: str


class TodoUpdate(_Update):
    """The agent's list of things to do changed."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["todo"]
        todos: list[types.Todo]


class DiffUpdate(_Update):
    """The files that the session changed."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["diff"]
        diff: list[types.SnapshotFileDiff]


class DoneUpdate(_Update):
    """The last update of a run that has its reply."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["done"]
        reply: Reply[typing.Any]


class FailedUpdate(_Update):
    """The last update of a run that has none, or only a part of it."""

    __slots__ = ()

    if TYPE_CHECKING:
        type: typing.Literal["failed"]
        error: errors.OpencodeError

    def to_dict(self) -> dict[str, typing.Any]:
        """The object as a plain dict; the error is one, too, so that `json.dumps` takes it."""
        return {**self, "error": self["error"].to_dict()}


Update = (
    TextUpdate
    | ReasoningUpdate
    | ToolUpdate
    | MessageUpdate
    | PermissionUpdate
    | QuestionUpdate
    | RetryUpdate
    | StatusUpdate
    | TodoUpdate
    | DiffUpdate
    | DoneUpdate
    | FailedUpdate
)
"""What happened to a run: `type` tells which it is, for `if` and `match`; so does the class."""

_CLASSES: dict[str, type[Update]] = {
    "text": TextUpdate,
    "reasoning": ReasoningUpdate,
    "tool": ToolUpdate,
    "message": MessageUpdate,
    "permission": PermissionUpdate,
    "question": QuestionUpdate,
    "retry": RetryUpdate,
    "status": StatusUpdate,
    "todo": TodoUpdate,
    "diff": DiffUpdate,
    "done": DoneUpdate,
    "failed": FailedUpdate,
}


def update_of(data: dict[str, typing.Any], read: abc.Callable[[typing.Any], typing.Any] | None = None) -> Update:
    """An update as its object; `read` makes `parsed` of a reply."""
    if data["type"] == "done":
        data["reply"] = Reply(data["reply"], read)
    return _CLASSES[data["type"]](data)
