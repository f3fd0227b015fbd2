"""What is left of a run whose handle is gone."""

from __future__ import annotations


class Detached:
    """What another process needs to pick a run up with `Client.resume`."""

    __slots__ = ("messageID", "sessionID")

    def __init__(self, sessionID: str, messageID: str) -> None:
        self.sessionID = sessionID
        self.messageID = messageID

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detached):
            return NotImplemented
        return (self.sessionID, self.messageID) == (other.sessionID, other.messageID)

    def __hash__(self) -> int:
        return hash((self.sessionID, self.messageID))

    def __repr__(self) -> str:
        return f"Detached(sessionID={self.sessionID!r}, messageID={self.messageID!r})"
