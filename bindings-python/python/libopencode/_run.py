"""Runs: one prompt on its way to its reply."""

from __future__ import annotations

from ._detached import Detached
from ._generic import Generic, Parsed
from ._updates import Reply, Update, update_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc

    from . import _errors as errors
    from . import _log as log
    from . import _native
    from . import _shapes as shapes
    from . import _tools as tools
    from . import _tracing as tracing
else:
    from ._later import Later, abc, shapes, typing

    _native = Later("libopencode._native")
    errors = Later("libopencode._errors")
    log = Later("libopencode._log")
    tools = Later("libopencode._tools")

# Whether the server goes on with a run that ended here in this way.
_LEFT = frozenset({"closed", "connection", "timeout", "exhausted", "internal"})


class RunBase(Generic[Parsed]):
    """What runs of blocking and asyncio clients share. None of it blocks."""

    __slots__ = ("_drain", "_held", "_native", "_read", "_span", "_toolboxes")

    def __init__(
        self,
        native: _native.Run,
        drain: log.Drain | None = None,
        read: abc.Callable[[typing.Any], Parsed] | None = None,
    ) -> None:
        self._native = native
        self._drain = drain
        self._read = read
        #: The tools of the client, once it has some.
        self._toolboxes: abc.Sequence[tools.Toolbox] = ()
        #: Updates that were taken, and that a handler kept from being given.
        self._held: list[dict[str, typing.Any]] = []
        #: Where the program has a tracing of its own.
        self._span: tracing.RunSpan | None = None

    def _flush(self) -> None:
        if self._drain is not None:
            self._drain()

    def _update(self, data: dict[str, typing.Any]) -> Update:
        update = update_of(data, self._read)
        if update.type == "failed":
            self._leave(update.error)
        if self._span is not None and update.type in ("done", "failed"):
            self._span.end()
        return update

    def _leave(self, error: errors.OpencodeError) -> None:
        # One that the server refused, or that the agent ended, goes on nowhere.
        if error.sent and error.kind in _LEFT:
            error.run = left_behind(self)

    def _piece(self, update: Update) -> str | None:
        """What an update adds to the text; raises why the run failed."""
        if update.type == "failed":
            raise update.error
        return self._native.text_piece(update.delta, update.replaces) if update.type == "text" else None

    def _outcome(self) -> Reply[Parsed]:
        """The reply of a run that is over; raises why it failed."""
        if self._span is not None:
            self._span.end()
        error = self.error
        if error is not None:
            raise error
        reply = self.reply
        assert reply is not None
        return reply

    def poll(self) -> tuple[shapes.State, list[Update]]:
        """The state, and everything that happened since the last poll. Never blocks."""
        self._flush()
        state, updates = self._native.poll()
        if self._toolboxes:
            found, self._held = [*self._held, *updates], []
            calls = [data for data in found if data["type"] == "tool_call"]
            updates = [data for data in found if data["type"] != "tool_call"]
            while calls:
                try:
                    self._toolboxes[0].begin(calls.pop(0))
                except BaseException:
                    # Ctrl-C in a handler: the next poll gives the rest.
                    self._held = [*calls, *updates]
                    raise
        return state, [self._update(data) for data in updates]  # type: ignore[return-value]

    @property
    def state(self) -> shapes.State:
        """`pending`, `waiting` (only you can answer what is asked), `done` or `failed`."""
        return self._native.state  # type: ignore[return-value]

    @property
    def reply(self) -> Reply[Parsed] | None:
        """The reply once the run is over; of a failed one, as far as it came."""
        data = self._native.reply()
        if self._span is not None:
            self._span.end()
        return None if data is None else Reply(data, self._read)

    @property
    def error(self) -> errors.OpencodeError | None:
        """Why the run failed, once it did."""
        error = self._native.error()
        if self._span is not None:
            self._span.end()
        if error is not None:
            self._leave(error)
        return error

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
        reply: typing.Literal["once", "always", "reject"],
        message: str | None = None,
    ) -> None:
        """Answers a permission update. `message` tells the agent why it was rejected."""
        self._native.reply_permission(id, reply, message)

    def reply_question(self, id: str, answers: abc.Sequence[abc.Sequence[str]] | None) -> None:
        """Answers a question update: labels or own words, a list per question. None dismisses it."""
        lists = None if answers is None else [list(answer) for answer in answers]
        self._native.reply_question(id, lists)

    def __repr__(self) -> str:
        return f"<libopencode.{type(self).__name__} {self.messageID or '(not sent)'} {self.state}>"


def left_behind(run: RunBase[typing.Any]) -> Detached | None:
    """What goes on on the server; None when nothing of the run is there yet."""
    session, message = run.sessionID, run.messageID
    return None if session is None or message is None else Detached(session, message)


def give_up(run: RunBase[typing.Any]) -> Detached | None:
    """The same for a run whose handle nobody has: one of which nothing is there yet ends, as nobody could find it again."""
    left = left_behind(run)
    if left is None:
        # It only asks for it: who leaves waits no longer.
        run._native.cancel(0)
    return left


def not_finished(run: RunBase[typing.Any], timeout: float | None) -> errors.OpencodeError:
    """The error of who waited in vain."""
    from ._errors import APITimeoutError

    error = APITimeoutError(
        f"run: not finished within {timeout} s; {run.why()}; wait again, or cancel it",
        operation="run",
        sent=True,
    )
    error.run = left_behind(run)
    return error


class Run(RunBase[Parsed]):
    """One prompt on its way to its reply. Made by `Client.run`.

    Iterating gives every update and blocks between them; `poll` never blocks. The prompt goes its way when
    the object is dropped; in `with client.run(...) as run:` it is cancelled at the end, unless it is over.
    """

    __slots__ = ()

    def __iter__(self) -> abc.Iterator[Update]:
        while True:
            data = self._next(None)
            if data is None:
                return
            update = self._update(data)
            yield update
            if update.type in ("done", "failed"):
                return

    def _next(self, end: float | None) -> dict[str, typing.Any] | None:
        """The next update until a moment; handlers of tools run meanwhile."""
        from time import monotonic

        while True:
            if self._held:
                data: dict[str, typing.Any] | None = self._held.pop(0)
            else:
                data = self._native.next_update(None if end is None else max(0.0, end - monotonic()))
            self._flush()
            if data is None or data["type"] != "tool_call":
                return data
            self._toolboxes[0].begin(data)

    def text_stream(self) -> abc.Iterator[str]:
        """What the run says, and nothing else, as it comes: `for text in run.text_stream(): print(text, end="")`.

        Blocks between the pieces, which add up to what was said. After the last one it raises why the run failed. What the
        model takes back, because its answer was cut and made anew, follows in its new form as a paragraph. Takes the
        updates. Raises InvalidArgumentError when a policy is "ask", as nothing would show what is asked.
        """
        self._native.check_text_stream()
        return (piece for update in self if (piece := self._piece(update)))

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the run is over, at most `timeout` seconds; whether it is. Ctrl-C ends the waiting."""
        is_over = self._toolboxes[0].wait(self._native, timeout) if self._toolboxes else self._native.wait(timeout)
        self._flush()
        if self._span is not None:
            self._span.end()
        return is_over

    def result(self, timeout: float | None = None) -> Reply[Parsed]:
        """The reply, waiting at most `timeout` seconds for it.

        Raises why the run failed, and APITimeoutError when it is not over in time: it goes on then.
        """
        if not self.wait(timeout):
            raise not_finished(self, timeout)
        return self._outcome()

    def display(self, timeout: float | None = None) -> Reply[Parsed]:
        """Shows text, tools, tokens and cost while the run goes on, and gives its reply, as `result` does.

        In a notebook that is one output that changes; elsewhere text on standard output. Takes the updates.
        """
        from time import monotonic

        from ._show import Screen

        screen = Screen()
        end = None if timeout is None else monotonic() + timeout
        while True:
            data = self._next(end)
            if data is None:
                break
            screen.take(self._update(data))
        if self.state not in ("done", "failed"):
            raise not_finished(self, timeout)
        return self._outcome()

    def cancel(self, timeout: float = 10.0) -> shapes.State:
        """Ends the run: the server is told to stop, and the run is over when it did.

        Blocks at most `timeout` seconds; 0 only asks for it. A run that is over stays as it is.
        """
        state = self._native.cancel(timeout)
        if self._span is not None:
            self._span.end()
        return state  # type: ignore[return-value]

    def detach(self, timeout: float | None = None) -> Detached:
        """Leaves the run to the server, once its prompt is sent. Another process can resume it.

        Blocks until it is sent, at most `timeout` seconds; Ctrl-C ends the waiting. Raises why the run failed, and
        APITimeoutError when it is not sent in time: it goes on then.
        """
        found = self._native.detach(timeout)
        if found is not None and self._span is not None:
            self._span.end(left=True)
        if found is None:
            from ._errors import APITimeoutError

            error = APITimeoutError(
                f"run: not sent within {timeout} s; {self.why()}; detach it again, or cancel it",
                operation="run",
            )
            error.run = left_behind(self)
            raise error
        return Detached(*found)

    def __enter__(self) -> Run[Parsed]:
        return self

    def __exit__(self, *_: object) -> None:
        if self.state not in ("done", "failed"):
            self.cancel()
