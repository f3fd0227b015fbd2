"""The shapes inside of replies and sums. For type checkers, and for who evaluates annotations."""

from __future__ import annotations

from typing import Literal, Optional, TypedDict


class TokenCache(TypedDict):
    """Tokens that the provider kept."""

    read: int
    write: int


class Tokens(TypedDict):
    """How many tokens were used, and what for."""

    input: int
    output: int
    reasoning: int
    cache: TokenCache
    total: int


class Decision(TypedDict):
    """What was decided about one request of the agent, and by whom."""

    id: str
    sessionID: str
    permission: str
    patterns: list[str]
    reply: Literal["once", "always", "reject", "answer", "gone"]
    by: Literal["policy", "host", "other"]


class Timings(TypedDict):
    """Milliseconds, measured by this process."""

    queued_ms: int
    first_token_ms: Optional[int]
    total_ms: int
