"""`libopencode ask [OPTION]... PROMPT`: asks the agent, and shows its answer as it comes.

PROMPT is all words together. A word `-`, and no word at all, stand for standard input, so that both work:
`git diff | libopencode ask "Review this:" -` and `libopencode ask < prompt.txt`.

  -c, --continue       goes on in the session of the directory that changed last
  -s, --session ID     goes on in this session
  --title TEXT         the title of a new session
  -m, --model P/M      the model, such as openai/gpt-5; --agent NAME, --variant NAME
  -f, --file FILE      attaches a file; may be given several times
  --permission WORD    reject, once, always or ask; by default ask in a terminal, and reject elsewhere
  --timeout SECONDS    ends the run when it takes longer
  --json               the reply as one line of JSON; with --events each update, as it comes
  -q, --quiet          no progress and no summary
  --url URL, --directory DIR

In a terminal the answer streams, with tools, tokens and what it waits for on standard error, and permissions and questions
are asked. Elsewhere standard output gets the answer alone, at its end. Ctrl-C ends the run on the server too.

The exit code is 0 when the agent answered, 1 when the run failed, 2 for a wrong command line, 3 when the server cannot be
reached, 130 after Ctrl-C, and 141 when nobody reads the output any more.
"""

from __future__ import annotations

import json
import sys

from ._command import DONE, INTERRUPTED, Arguments, Wrong, client_of, code_of, newest_session, tell, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from ._client import Client
    from ._run import Run
else:
    from ._later import typing

_USAGE = "libopencode ask [OPTION]... PROMPT"


def run(arguments: list[str]) -> int:
    """Does what the command line says, and gives the exit code."""
    return told(lambda: _ask(_read(arguments)))


def _read(arguments: list[str]) -> typing.Any:
    options = Arguments("ask", _USAGE)
    options.place()
    options.add_argument("words", nargs="*")
    options.add_argument("-c", "--continue", action="store_true", dest="goes_on")
    options.add_argument("-s", "--session")
    options.add_argument("--title")
    options.add_argument("-m", "--model")
    options.add_argument("--agent")
    options.add_argument("--variant")
    options.add_argument("-f", "--file", action="append", default=[], dest="files")
    options.add_argument("--permission", choices=["reject", "once", "always", "ask"])
    options.add_argument("--timeout", type=float)
    options.add_argument("--json", action="store_true")
    options.add_argument("--events", action="store_true")
    options.add_argument("-q", "--quiet", action="store_true")
    given = options.read(arguments)
    if given.events and not given.json:
        options.error("--events needs --json")
    if given.goes_on and given.session:
        options.error("give --continue or --session")
    return given


def _prompt(words: list[str]) -> tuple[str, bool]:
    """The prompt, and whether standard input was read for it."""
    if not words and sys.stdin.isatty():
        raise Wrong(f"libopencode ask: the prompt is missing; usage: {_USAGE}")
    words = words or ["-"]
    reads = "-" in words
    said = " ".join(word for word in words if word != "-")
    if reads:
        said = "\n\n".join(piece for piece in (said, sys.stdin.read()) if piece.strip())
    return said, reads


def _has_terminal() -> bool:
    try:
        with open("/dev/tty"):
            return True
    except OSError:
        return False


def _ask(given: typing.Any) -> int:
    text, reads = _prompt(given.words)
    # Who pipes a text in may still sit at a terminal; then that one is asked.
    is_person = not given.json and sys.stderr.isatty() and (_has_terminal() if reads else sys.stdin.isatty())
    policy: typing.Any = given.permission or ("ask" if is_person else "reject")
    if policy == "ask" and not is_person:
        raise Wrong("libopencode ask: --permission ask needs a terminal to ask in")
    with client_of(given) as client:
        session = newest_session(client) if given.goes_on else given.session
        started = client.run(
            text,
            session=session,
            title=given.title,
            model=given.model,
            agent=given.agent,
            variant=given.variant,
            files=given.files or None,
            permission=policy,
            question="ask" if is_person else "reject",
            deadline=given.timeout,
        )
        return _follow(client, started, given, reads)


def _follow(client: Client, started: Run, given: typing.Any, reads: bool) -> int:
    if given.json:
        screen: typing.Any = _Lines(given.events)
    else:
        from ._terminal import Plain, Terminal

        screen = Terminal(started, given.quiet, reads) if sys.stdout.isatty() else Plain(started, given.quiet, reads)
    try:
        for update in started:
            screen.take(update)
    except KeyboardInterrupt:
        screen.clear()
        # A second one ends the waiting.
        try:
            state = started.cancel(10)
        except KeyboardInterrupt:
            state = started.state
        end = "aborted" if state in ("done", "failed") else "not ended yet on the server"
        where = f" in session {started.sessionID}" if started.sessionID else ""
        return tell(f"libopencode: {end}{where}; {started.why()}".rstrip("; "), INTERRUPTED)
    except BrokenPipeError:
        # Nobody reads the answer: nobody shall pay for the rest of it.
        started.cancel(2)
        raise
    error = started.error
    if error is not None and given.json:
        return code_of(error)
    if error is not None:
        raise error
    return DONE


class _Lines:
    """JSON, an object a line."""

    def __init__(self, has_events: bool) -> None:
        self._has_events = has_events

    def take(self, update: typing.Any) -> None:
        if self._has_events:
            self._print(update.to_dict())
        elif update.type == "done":
            self._print(update.reply)
        elif update.type == "failed":
            self._print({"error": update.error.to_dict()})

    def clear(self) -> None:
        """Nothing of it is in the way."""

    def _print(self, value: typing.Any) -> None:
        print(json.dumps(value, ensure_ascii=False), flush=True)
