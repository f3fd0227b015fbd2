"""JSON objects with attributes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    _Dict = dict[str, typing.Any]
else:
    from ._later import typing

    _Dict = dict


class Record(_Dict):
    """A JSON object with attributes. Field names are the server's (`sessionID`).

    It is a dict: `json.dumps`, `dict(...)`, `match`, web frameworks and pandas take it as it is. `to_dict` gives one that
    holds nothing but JSON, where a failed update has an exception.
    """

    __slots__ = ()

    if not TYPE_CHECKING:
        # Type checkers are told each field: a name that is none is a mistake, and shown.
        def __getattr__(self, name):
            try:
                return self[name]
            except KeyError:
                raise AttributeError(f"{type(self).__name__} has no '{name}'") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def to_dict(self) -> dict[str, typing.Any]:
        """The object as a plain dict."""
        return dict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: typing.Any, handler: typing.Any) -> typing.Any:
        # Asked by pydantic alone, where a model or a handler names the class: it takes a dict, and writes one.
        from pydantic_core import core_schema  # type: ignore[import-not-found, unused-ignore]

        inner = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        return core_schema.no_info_after_validator_function(cls, inner)
