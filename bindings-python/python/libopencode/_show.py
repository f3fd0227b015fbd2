"""What a person sees of a run while it goes on: in a notebook an output that changes, elsewhere text on standard output."""

from __future__ import annotations

import sys
import time

from ._updates import Reply, Update

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing

# A browser that draws more often shows nothing sooner.
_PAUSE = 0.1


class Screen:
    """Shows updates as they come, and at the end what they cost."""

    def __init__(self) -> None:
        self._text = ""
        self._tools: dict[str, str] = {}
        self._drawn = 0.0
        self._output = _output()

    def take(self, update: Update) -> None:
        """Shows what is new."""
        if update.type == "text":
            self._text = update.delta if update.replaces else self._text + update.delta
            if self._output is None and not update.replaces:
                print(update.delta, end="", flush=True)
        elif update.type == "tool":
            part: typing.Any = update.part
            self._tools[part["id"]] = f"{part['tool']}: {part['state']['status']}"
        elif update.type == "done":
            self._end(_summary(update.reply))
            return
        elif update.type == "failed":
            self._end(str(update.error))
            return
        if self._output is not None and time.monotonic() - self._drawn > _PAUSE:
            self._draw("")

    def _end(self, line: str) -> None:
        if self._output is None:
            print(f"\n[{line}]", flush=True)
        else:
            self._draw(line)

    def _draw(self, line: str) -> None:
        tools = " · ".join(self._tools.values())
        pieces = [self._text, tools and f"*{tools}*", line and f"`{line}`"]
        self._output.update(_notebook().Markdown("\n\n".join(piece for piece in pieces if piece)))
        self._drawn = time.monotonic()


def _summary(reply: Reply) -> str:
    return f"{reply.tokens['total']} tokens, {reply.cost:.6g}"


def _output() -> typing.Any:
    """An output of the notebook that can be changed; None where there is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return _notebook().display(_notebook().Markdown(""), display_id=True)


def _notebook() -> typing.Any:
    from importlib import import_module

    return import_module("IPython.display")


def table(head: list[str], rows: list[list[typing.Any]]) -> str:
    """A table of HTML, for notebooks."""
    from html import escape

    def row(cells: list[typing.Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
