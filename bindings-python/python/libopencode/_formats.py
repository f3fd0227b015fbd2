"""Answers as objects: the JSON schema of a type of Python, and the object that an answer becomes.

Pydantic makes and reads its own classes; dataclasses and TypedDicts are read here, from their hints. Imported when a prompt
names a type.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import types
import typing

from ._errors import APIResponseValidationError, InvalidArgumentError

Read = typing.Callable[[typing.Any], typing.Any]

_PLAIN: dict[typing.Any, dict[str, typing.Any]] = {
    typing.Any: {},
    object: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
}


def format_of(given: typing.Any) -> tuple[typing.Any, Read | None]:
    """What `format` was given as a schema, and what makes an object of the answer; None where it stays as it is."""
    if isinstance(given, typing.Mapping):
        return given, None
    # Pydantic's own, of its second and its first version.
    for schema, read in (("model_json_schema", "model_validate_json"), ("schema", "parse_raw")):
        if hasattr(given, schema) and hasattr(given, read):
            return getattr(given, schema)(), _reader(given, getattr(given, read))
    # A class that knows its schema, and no way to be made of an answer.
    if hasattr(given, "model_json_schema"):
        return given.model_json_schema(), None
    if hasattr(given, "__pydantic_validator__"):
        import pydantic  # type: ignore[import-not-found, unused-ignore]

        adapter = pydantic.TypeAdapter(given)
        return adapter.json_schema(), _reader(given, adapter.validate_json)
    if not _is_class_of_fields(given):
        shown = getattr(given, "__name__", None) or type(given).__name__
        wanted = "a JSON schema, a class of Pydantic, a dataclass or a TypedDict"
        raise InvalidArgumentError(f"format: {wanted} is wanted, not {shown}")
    schemas = Schemas()
    schemas.of(given, given.__name__)
    # What a model calls with it has fields at the top: no reference stands there.
    root = dict(schemas.made[given.__name__])
    if not schemas.is_circular:
        del schemas.made[given.__name__]
    if schemas.made:
        root["$defs"] = schemas.made
    return root, lambda value: _told(given, lambda: make(given, value, given.__name__))


def _reader(given: typing.Any, read: Read) -> Read:
    # As JSON: a strict model takes a date or an enum as a text there only.
    return lambda value: _told(given, lambda: read(json.dumps(value)))


def _told(given: typing.Any, make: typing.Callable[[], typing.Any]) -> typing.Any:
    try:
        return make()
    except (ValueError, TypeError) as error:
        why = " ".join(str(error).split())
        text = f"reply.parsed: the answer is no {given.__name__}: {why}"
        raise APIResponseValidationError(text, operation="run") from error


def _is_class_of_fields(hint: typing.Any) -> bool:
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or hasattr(hint, "__required_keys__"))


def _fields(kind: typing.Any) -> list[tuple[str, typing.Any, bool, str | None]]:
    """Name, hint, whether it must be there, and what is said of it."""
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except NameError as error:
        text = f"format: the hints of {kind.__name__} cannot be read: {error}; classes that name each other stand in a module"
        raise InvalidArgumentError(text) from None
    if not dataclasses.is_dataclass(kind):
        return [(name, hint, _is_required(kind, name, hint), None) for name, hint in hints.items()]
    missing = dataclasses.MISSING
    return [
        (
            field.name,
            hints[field.name],
            field.default is missing and field.default_factory is missing,
            field.metadata.get("description"),
        )
        for field in dataclasses.fields(kind)
        if field.init
    ]


def _is_required(kind: typing.Any, name: str, hint: typing.Any) -> bool:
    """Whether a TypedDict must have a field. What its hint says comes first: to Python a hint that is a text says nothing."""
    while (origin := typing.get_origin(hint)) is not None:
        word = getattr(origin, "_name", None)
        if word in ("Required", "NotRequired"):
            return bool(word == "Required")
        if origin is not typing.Annotated and word != "ReadOnly":
            break
        hint = hint.__origin__ if origin is typing.Annotated else typing.get_args(hint)[0]
    return name in kind.__required_keys__


def _bare(hint: typing.Any) -> tuple[typing.Any, str | None]:
    """A hint without what is written around it, and the text of an Annotated."""
    doc = None
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            texts = (text for text in hint.__metadata__ if isinstance(text, str))
            doc = next(texts, doc)
            hint = hint.__origin__
        # Required, NotRequired and ReadOnly, also those of typing_extensions.
        elif getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly"):
            hint = typing.get_args(hint)[0]
        else:
            return hint, doc


class Schemas:
    """Schemas of hints; classes of fields are defined once and named."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, typing.Any]] = {}
        # Whether the first class is named inside.
        self.is_circular = False
        self._names: dict[typing.Any, str] = {}
        self._open: list[typing.Any] = []

    def of(self, hint: typing.Any, at: str) -> dict[str, typing.Any]:
        hint, doc = _bare(hint)
        schema = self._of(hint, at)
        return {**schema, "description": doc} if doc else schema

    def _of(self, hint: typing.Any, at: str) -> dict[str, typing.Any]:
        if hasattr(hint, "model_json_schema"):
            return self._model(hint)
        if _is_class_of_fields(hint):
            return self._class(hint, at)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"enum": [member.value for member in hint]}
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if origin is typing.Union or origin is types.UnionType:
            return {"anyOf": [self.of(argument, at) for argument in arguments]}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0], f"{at}[]")}
        if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0], f"{at}[]")}
        if origin is tuple:
            items = [self.of(argument, f"{at}[{i}]") for i, argument in enumerate(arguments)]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if origin is dict and arguments[0] is str:
            return {"type": "object", "additionalProperties": self.of(arguments[1], f"{at}.*")}
        try:
            return dict(_PLAIN[hint])
        except (KeyError, TypeError):
            shown = getattr(hint, "__name__", None) if isinstance(hint, type) else None
            raise InvalidArgumentError(f"format: {at}: {shown or hint} cannot be written as a JSON schema") from None

    def _model(self, kind: typing.Any) -> dict[str, typing.Any]:
        """A model of Pydantic, with the definitions that it brings."""
        if kind not in self._names:
            schema = kind.model_json_schema()
            brought = schema.pop("$defs", {})
            # One that names itself is among its definitions.
            brought.setdefault(kind.__name__, schema)
            names = {name: self._free(name, body) for name, body in brought.items()}
            places = {f"#/$defs/{old}": f"#/$defs/{new}" for old, new in names.items() if old != new}
            self.made.update((names[name], _moved(body, places)) for name, body in brought.items())
            self._names[kind] = names[kind.__name__]
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _free(self, name: str, body: typing.Any = None) -> str:
        """A name that no other definition has: classes of two modules may be called the same."""
        free, count = name, 1
        while free in self.made and self.made[free] != body:
            count += 1
            free = f"{name}{count}"
        return free

    def _class(self, kind: typing.Any, at: str) -> dict[str, typing.Any]:
        if kind not in self._names:
            name = self._names[kind] = self._free(kind.__name__)
            # Its place among the definitions.
            self.made[name] = {}
            self._open.append(kind)
            self.made[name] = self._object(kind)
            self._open.pop()
        elif kind is self._open[0]:
            self.is_circular = True
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _object(self, kind: typing.Any) -> dict[str, typing.Any]:
        schema: dict[str, typing.Any] = {"type": "object", "title": kind.__name__, "properties": {}}
        doc = kind.__doc__
        # What dataclasses write by themselves says nothing that is not here.
        if doc and doc != dict.__doc__ and not doc.startswith(f"{kind.__name__}("):
            schema["description"] = " ".join(doc.split())
        for name, hint, _, said in _fields(kind):
            field = self.of(hint, f"{kind.__name__}.{name}")
            schema["properties"][name] = {**field, "description": said} if said else field
        schema["required"] = [name for name, _, is_needed, _ in _fields(kind) if is_needed]
        return schema


def _moved(schema: typing.Any, places: dict[str, str]) -> typing.Any:
    """A schema that names its definitions by their new places."""
    if isinstance(schema, dict):
        return {key: _moved(value, places) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_moved(value, places) for value in schema]
    return places.get(schema, schema) if isinstance(schema, str) else schema


def make(hint: typing.Any, value: typing.Any, at: str) -> typing.Any:
    """The value as what a hint names; raises ValueError where it is none."""
    hint, _ = _bare(hint)
    if hasattr(hint, "model_validate_json"):
        return hint.model_validate_json(json.dumps(value))
    if _is_class_of_fields(hint):
        return _make_object(hint, value, at)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value if any(value == one and type(value) is type(one) for one in arguments) else _odd(value, at)
    if origin is typing.Union or origin is types.UnionType:
        return _make_one_of(arguments, value, at)
    if origin is list and isinstance(value, list):
        return [make(arguments[0], item, f"{at}[{i}]") for i, item in enumerate(value)]
    if origin is tuple and isinstance(value, list):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(arguments) == len(value):
            return tuple(make(kind, item, f"{at}[{i}]") for i, (kind, item) in enumerate(zip(arguments, value)))
    if origin is dict and isinstance(value, dict):
        return {name: make(arguments[1], item, f"{at}.{name}") for name, item in value.items()}
    if origin is not None:
        return _odd(value, at)
    if hint in (typing.Any, object):
        return value
    if hint in (datetime.datetime, datetime.date) and isinstance(value, str):
        # `Z` is read by Python 3.11 and later only.
        return hint.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    if hint is None or hint is type(None):
        return value if value is None else _odd(value, at)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    is_meant = isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool)
    return value if is_meant else _odd(value, at)


def _make_object(kind: typing.Any, value: typing.Any, at: str) -> typing.Any:
    if not isinstance(value, dict):
        return _odd(value, at)
    made = {}
    for name, hint, is_needed, _ in _fields(kind):
        if name in value:
            made[name] = make(hint, value[name], f"{at}.{name}")
        elif is_needed:
            raise ValueError(f"{at}.{name} is missing")
    if dataclasses.is_dataclass(kind):
        build: typing.Any = kind
        return build(**made)
    # What nobody named stays, as in every TypedDict.
    return {**value, **made}


def _make_one_of(kinds: tuple[typing.Any, ...], value: typing.Any, at: str) -> typing.Any:
    """The first that fits; where a number fits one as it is, it is not made another."""
    for kind in kinds:
        if _bare(kind)[0] is type(value):
            return value
    why = []
    for kind in kinds:
        try:
            return make(kind, value, at)
        except (ValueError, TypeError) as error:
            why.append(str(error))
    raise ValueError("; ".join(why))


def _odd(value: typing.Any, at: str) -> typing.NoReturn:
    raise ValueError(f"{at} is {value!r:.60}, which is something else")
