"""Generic classes without the cost of `typing`: importing that takes longer than all of this package."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from ._shapes import Parsed

    Item = TypeVar("Item")
    Answer = TypeVar("Answer")
else:
    Item = Answer = Parsed = object

    class Generic:
        """Takes the place of typing.Generic."""

        __slots__ = ()

        def __class_getitem__(cls, _: object) -> type:
            return cls


__all__ = ["Answer", "Generic", "Item", "Parsed"]
