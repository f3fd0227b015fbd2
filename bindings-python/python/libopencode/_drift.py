"""Drift: how a running server differs from the operations that this package knows."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


class Drift:
    """What the description of a running server and this package do not have in common. False when nothing.

    Made by `Client.drift`.
    """

    __slots__ = ("changed", "gone", "new")

    new: list[dict[str, typing.Any]]
    """Operations that only the server has: `operation` (its id), `method`, `path`. `Client.request` reaches them."""
    gone: list[dict[str, typing.Any]]
    """Operations that the server has no more: `operation`, `method`, `path`."""
    changed: list[dict[str, typing.Any]]
    """Operations that both have: `operation`, and `differences`, a list of sentences."""

    def __init__(self, document: bytes) -> None:
        found = _native.drift(document)
        self.new = found["new"]
        self.gone = found["gone"]
        self.changed = found["changed"]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.changed)

    def __repr__(self) -> str:
        counts = f"{len(self.new)} new, {len(self.gone)} gone, {len(self.changed)} changed"
        return f"<libopencode.Drift {counts}>"
