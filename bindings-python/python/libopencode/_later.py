"""Modules that are imported when something of them is asked for.

Annotations name what would take longer to import than all of this package. They are texts until somebody evaluates them, as
`typing.get_type_hints` does; then the modules behind these names are imported.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Later:
    """A module that is imported with the first attribute that is asked for."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        from importlib import import_module

        return getattr(import_module(self._name), name)


typing = Later("typing")
abc = Later("collections.abc")
datetime = Later("datetime")
shapes = Later("libopencode._shapes")
types = Later("libopencode.types")
