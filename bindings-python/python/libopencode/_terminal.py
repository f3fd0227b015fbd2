"""What a person sees of `libopencode ask`, and how he is asked."""

from __future__ import annotations

import shutil
import sys
import time

from ._command import money, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from ._run import Run
else:
    from ._later import typing


class Plain:
    """The answer alone, at its end, on standard output. Progress and questions go to the terminal behind standard error."""

    def __init__(self, started: Run, quiet: bool, reads: bool) -> None:
        self._run = started
        self._quiet = quiet
        self._reads = reads
        self._shows = sys.stderr.isatty() and not quiet
        self._spent: dict[str, tuple[int, float]] = {}
        self._model = ""
        self._why = ""
        self._has_line = False
        self._began = time.monotonic()

    def take(self, update: typing.Any) -> None:
        """Shows what is new."""
        kind = update.type
        if kind == "message":
            self._count(update.info)
        elif kind == "status":
            self._why = update.why
        elif kind == "retry":
            self._why = f"the provider failed, try {update.attempt}: {update.reason}"
        elif kind == "permission":
            self.clear()
            self._answer_permission(update)
        elif kind == "question":
            self.clear()
            self._answer_questions(update)
        elif kind == "done":
            self.clear()
            self._end(update.reply)
            return
        elif kind == "failed":
            self.clear()
            return
        self._progress()

    def clear(self) -> None:
        """Takes the line of progress away."""
        if self._has_line:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._has_line = False

    def _count(self, info: typing.Any) -> None:
        if info.get("role") != "assistant":
            return
        tokens = info.get("tokens") or {}
        cache = tokens.get("cache") or {}
        numbers = [tokens.get(name) or 0 for name in ("input", "output", "reasoning")]
        numbers += [cache.get(name) or 0 for name in ("read", "write")]
        self._spent[info["id"]] = (int(sum(numbers)), info.get("cost") or 0)
        self._model = f"{info.get('providerID')}/{info.get('modelID')}"

    def _facts(self) -> str:
        tokens = sum(tokens for tokens, _ in self._spent.values())
        cost = sum(cost for _, cost in self._spent.values())
        return " · ".join(part for part in (self._model, f"{tokens} tokens", money(cost)) if part)

    def _can_show(self) -> bool:
        return self._shows

    def _progress(self) -> None:
        if not self._can_show():
            return
        took = int(time.monotonic() - self._began)
        line = one_line(f"{self._facts()} · {took} s" + (f" · {self._why}" if self._why else ""))
        width = max(20, shutil.get_terminal_size().columns - 1)
        sys.stderr.write(f"\r\x1b[K\x1b[2m{line[:width]}\x1b[0m")
        sys.stderr.flush()
        self._has_line = True

    def _end(self, reply: typing.Any) -> None:
        if reply.text:
            print(reply.text, flush=True)
        self._summary(reply)

    def _summary(self, reply: typing.Any) -> None:
        if self._shows:
            took = reply.time["total_ms"] / 1000
            model = f"{reply.providerID}/{reply.modelID}"
            facts = f"{model} · {reply.tokens['total']} tokens · {money(reply.cost)} · {took:.1f} s · {reply.sessionID}"
            sys.stderr.write(f"\x1b[2m[{facts}]\x1b[0m\n")
            sys.stderr.flush()

    def _ask(self, words: str) -> str:
        """A line of the person; empty at the end of what he says."""
        sys.stderr.write(words)
        sys.stderr.flush()
        if self._reads:
            # Standard input was the prompt.
            with open("/dev/tty", encoding="utf-8") as terminal:
                return terminal.readline().strip()
        return sys.stdin.readline().strip()

    def _answer_permission(self, update: typing.Any) -> None:
        request = update.request
        patterns = ", ".join(request.get("patterns") or [])
        sys.stderr.write(f"? {one_line(request['permission'])} asks for: {one_line(patterns)}\n")
        said = self._ask("  [o]nce, [a]lways, [r]eject, or words for the agent: ")
        word = said.lower()
        if word in ("o", "once", "y", "yes"):
            self._run.reply_permission(update.id, "once")
        elif word in ("a", "always"):
            self._run.reply_permission(update.id, "always")
        else:
            words = None if word in ("", "r", "reject", "n", "no") else said
            self._run.reply_permission(update.id, "reject", words)

    def _answer_questions(self, update: typing.Any) -> None:
        answers = []
        for question in update.request["questions"]:
            sys.stderr.write(f"? {one_line(question['question'])}\n")
            choices = question.get("options") or []
            for number, choice in enumerate(choices, 1):
                about = choice.get("description")
                line = f"{number}. {choice['label']}" + (f": {about}" if about else "")
                sys.stderr.write(f"  {one_line(line)}\n")
            several = ", several with commas" if question.get("multiple") else ""
            said = self._ask(f"  a number{several}, own words, or nothing to dismiss it: ")
            if not said:
                self._run.reply_question(update.id, None)
                return
            answers.append(_chosen(said, [choice["label"] for choice in choices]))
        self._run.reply_question(update.id, answers)


class Terminal(Plain):
    """The answer as it comes, and what is done for it."""

    def __init__(self, started: Run, quiet: bool, reads: bool) -> None:
        super().__init__(started, quiet, reads)
        self._is_fresh = True
        self._states: dict[str, str] = {}

    def take(self, update: typing.Any) -> None:
        """Shows what is new."""
        if update.type == "text":
            self.clear()
            if update.replaces:
                self._break()
                sys.stderr.write("[what was said so far is taken back]\n")
            self._say(update.delta)
            return
        if update.type == "tool" and not self._quiet:
            self._tool(update.part)
        if update.type in ("permission", "question", "failed"):
            self.clear()
            self._break()
        super().take(update)

    def _say(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._is_fresh = text.endswith("\n")

    def _break(self) -> None:
        """Begins a line, when one has text in it."""
        if not self._is_fresh:
            self._say("\n")

    def _can_show(self) -> bool:
        # In the middle of a line it would be in the way.
        return self._shows and self._is_fresh

    def _tool(self, part: typing.Any) -> None:
        state = part["state"]
        status = state.get("status")
        if status not in ("completed", "error") or self._states.get(part["id"]) == status:
            return
        self._states[part["id"]] = status
        self.clear()
        self._break()
        given = state.get("input") or {}
        about = state.get("title") or given.get("description") or given.get("command") or ""
        line = one_line(f"{part['tool']}: {about}" + (f" ({state.get('error')})" if status == "error" else ""))
        sys.stderr.write(f"\x1b[2m- {line[:200]}\x1b[0m\n")
        sys.stderr.flush()

    def _end(self, reply: typing.Any) -> None:
        self._break()
        self._summary(reply)


def _chosen(said: str, labels: list[str]) -> list[str]:
    """The labels whose numbers were said; anything else is the answer itself."""
    words = [word.strip() for word in said.split(",")]
    if labels and all(word.isdigit() and 1 <= int(word) <= len(labels) for word in words):
        return [labels[int(word) - 1] for word in words]
    return [said]
