"""Namespaces: the operations of the server as methods of a client."""

from __future__ import annotations

from . import _native
from ._errors import InvalidArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc
else:
    from ._later import abc, typing


class _Null:
    """The type of NULL."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "libopencode.NULL"

    def __bool__(self) -> bool:
        return False

    # There is one: a copy of it is itself, in another process too.
    def __reduce__(self) -> str:
        return "NULL"


NULL: typing.Any = _Null()
"""Sends null where None would mean that nothing was given."""


class _Node(dict):  # type: ignore[type-arg]
    """Names of namespaces and operations, as they are nested."""


def _tree() -> _Node:
    root = _Node()
    for path, operation in _native.OPERATIONS.items():
        *namespaces, last = path.split(".")
        node = root
        for name in namespaces:
            node = node.setdefault(name, _Node())
        node[last] = operation
    return root


TREE = _tree()


class Namespace:
    """A group of operations, such as `client.session`."""

    def __init__(self, client: typing.Any, node: _Node, path: str) -> None:
        self._client = client
        self._node = node
        self._path = path

    if not TYPE_CHECKING:
        # Type checkers know every operation: what is not there is a mistake, and shown.
        def __getattr__(self, name):
            # Who copies an object asks one that has no attributes yet.
            found = None if name.startswith("_") else self._node.get(name)
            if found is None:
                path = self.__dict__.get("_path", "")
                # With name and object, Python itself says what was probably meant.
                raise AttributeError(f"there is no operation '{path}.{name}'", name=name, obj=self)
            if isinstance(found, _Node):
                value = Namespace(self._client, found, f"{self._path}.{name}")
            else:
                value = self._client._operation(*found)
            # Found once, it is an ordinary attribute.
            setattr(self, name, value)
            return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._node})

    def __repr__(self) -> str:
        return f"<libopencode namespace {self._path}>"


def arguments_of(
    name: str, positional: tuple[str, ...], args: tuple[typing.Any, ...], given: dict[str, typing.Any]
) -> dict[str, typing.Any]:
    """The flat arguments of an operation, from positions and names."""
    if len(args) > len(positional):
        raise InvalidArgumentError(
            f"{name}: takes {len(positional)} arguments by position; give the others by name"
        )
    made = {}
    for key, value in zip(positional, args):
        if key in given:
            raise InvalidArgumentError(f"{name}: the argument '{key}' is given twice")
        made[key] = value
    for key, value in given.items():
        if value is not None:
            made[key] = None if value is NULL else value
    return made


def _shown(parameters: str) -> typing.Any:
    """A function that nobody calls: `inspect.signature` and notebooks show its parameters."""
    # Where annotations of the function itself are evaluated, these names are looked up.
    space: dict[str, typing.Any] = {"typing": typing, "abc": abc}
    try:
        exec(f"from __future__ import annotations\ndef shown({parameters}: ...", space)
    except SyntaxError:
        # An argument has a name that Python has not.
        exec(f"def shown(*args, **given): ...", space)
    return space["shown"]


def function_of(client: typing.Any, run: typing.Any, name: str, positional: tuple[str, ...], doc: str) -> typing.Any:
    """Gives the function of an operation what `help` shows and `start` looks for."""
    run.__name__ = name.rpartition(".")[2]
    run.__qualname__ = name
    shown = _native.signature(name)
    run.__doc__ = f"{doc}\n\n{shown}"
    run.__wrapped__ = _shown(shown.partition("(")[2])
    run.operation = (client, name, positional)
    return run
