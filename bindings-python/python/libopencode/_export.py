"""Sessions as one text."""

from __future__ import annotations

from ._record import Record

TYPE_CHECKING = False


class Exported(Record):
    """What was written into a file. `complete` is false where the server could not give the first message of a session."""

    __slots__ = ()

    if TYPE_CHECKING:
        path: str
        bytes: int
        sessions: int
        messages: int
        complete: bool

    def __repr__(self) -> str:
        return f"<libopencode.Exported {self.path}, {self.bytes} bytes>"
