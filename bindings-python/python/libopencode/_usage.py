"""What sessions cost, and who spent it."""

from __future__ import annotations

from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from ._reply_types import Tokens
else:
    from ._later import typing


class Ready(Record):
    """What a directory has: agents, and models and MCP servers where some were asked for."""

    __slots__ = ()

    if TYPE_CHECKING:
        agents: list[str]
        models: list[str]
        mcp: dict[str, str]

    def __repr__(self) -> str:
        return f"<libopencode.Ready {len(self.agents)} agents, {len(self.models)} models, mcp {self.mcp}>"


class Share(Record):
    """What one model, agent, session, day or message spent."""

    __slots__ = ()

    if TYPE_CHECKING:
        name: str
        cost: float
        tokens: Tokens
        count: int

    def __repr__(self) -> str:
        return f"<libopencode.Share {self.name} {self.cost}>"


class Usage(Record):
    """What sessions cost. `models`, `agents`, `sessions`, `days` and `messages` say who spent it, and when."""

    __slots__ = ()

    if TYPE_CHECKING:
        sessionID: str | None
        cost: float
        tokens: Tokens
        count: int
        models: list[Share]
        agents: list[Share]
        sessions: list[Share]
        days: list[Share]
        messages: list[Share]

    def _repr_html_(self) -> str:
        from ._show import table

        rows = [["", f"{self.cost:.6g}", self.tokens["total"], self.count]]
        for by in ("models", "agents", "sessions"):
            rows += [[f"{by[:-1]} {s.name}", f"{s.cost:.6g}", s.tokens["total"], s.count] for s in self[by]]
        return table(["who", "cost", "tokens", "answers"], rows)

    def plot(
        self, by: typing.Literal["models", "agents", "sessions", "days", "messages"] = "models", ax: typing.Any = None
    ) -> typing.Any:
        """Draws who spent how much as bars, with matplotlib, and gives the axes.

        Args:
            by: Whose shares. For messages, ask for the usage with `messages=True`.
            ax: The axes to draw on. Default: new ones.

        Raises:
            ImportError: There is no matplotlib.
        """
        try:
            from matplotlib import pyplot  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ImportError("usage.plot needs matplotlib; install it, or take the numbers from usage.models") from error
        axes = pyplot.subplots()[1] if ax is None else ax
        shares: list[Share] = self[by]
        axes.barh([share.name for share in shares], [share.cost for share in shares])
        axes.set_xlabel("cost")
        axes.set_title(f"{self.cost:.6g} in {self.count} answers")
        return axes

    def __repr__(self) -> str:
        return f"<libopencode.Usage {self.cost} in {self.count} answers>"


def asked(session: str | None, given: dict[str, typing.Any]) -> tuple[str, dict[str, typing.Any]]:
    """What usage is asked for, by the core's names."""
    from ._options import options

    name = "usage_of_all" if session is None else "usage"
    return name, {**options({"sessionID": session, **given}), **_moments(given)}


def _moments(given: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Moments of `datetime` as the core takes them: one without a zone is in that of this machine."""
    made = {}
    for name in ("since", "until"):
        stamp = getattr(given[name], "timestamp", None)
        if stamp is not None:
            made[name] = int(stamp() * 1000)
        elif hasattr(given[name], "isoformat"):
            made[name] = given[name].isoformat()
    return made


def usage_of(data: dict[str, typing.Any]) -> Usage:
    """Usage with its shares, from what the core gives."""
    lists = ("models", "agents", "sessions", "days", "messages")
    return Usage({k: [Share(s) for s in v] if k in lists else v for k, v in data.items()})
