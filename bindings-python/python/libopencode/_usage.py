"""What sessions cost, and who spent it."""

from __future__ import annotations

from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from ._reply_types import Tokens
else:
    from ._later import typing


class Share(Record):
    """What one model, agent, session or message spent."""

    __slots__ = ()

    if TYPE_CHECKING:
        name: str
        cost: float
        tokens: Tokens
        count: int

    def __repr__(self) -> str:
        return f"<libopencode.Share {self.name} {self.cost}>"


class Usage(Record):
    """What a session cost. `models`, `agents`, `sessions` and `messages` say who spent it."""

    __slots__ = ()

    if TYPE_CHECKING:
        sessionID: str
        cost: float
        tokens: Tokens
        count: int
        models: list[Share]
        agents: list[Share]
        sessions: list[Share]
        messages: list[Share]

    def __repr__(self) -> str:
        return f"<libopencode.Usage {self.cost} in {self.count} answers>"


def usage_of(data: dict[str, typing.Any]) -> Usage:
    """Usage with its shares, from what the core gives."""
    lists = ("models", "agents", "sessions", "messages")
    return Usage({k: [Share(s) for s in v] if k in lists else v for k, v in data.items()})
