"""The shapes of what options take. For type checkers, and for who evaluates annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypedDict, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Without a type in `format` an answer may be anything.
    from typing_extensions import TypeVar

    Parsed = TypeVar("Parsed", default=Any)
else:
    from typing import TypeVar

    Parsed = TypeVar("Parsed")

PermissionWord = Literal["reject", "once", "always", "ask"]


class _PermissionRuleReply(TypedDict):
    reply: PermissionWord


class PermissionRule(_PermissionRuleReply, total=False):
    """One rule: the reply to requests for a permission with a pattern. Both are globs, and `*` when they are left out."""

    permission: str
    pattern: str


PermissionPolicy = Union[PermissionWord, Sequence[PermissionRule]]
"""A word for all requests, or rules of which the last that fits decides."""


class ModelReference(TypedDict):
    """A model by the server's own names."""

    providerID: str
    modelID: str


Model = Union[str, ModelReference]
"""`provider/model`, or the same as an object."""

Part = Mapping[str, Any]
"""A part of a prompt as the server takes it, such as `attach` gives."""

Prompt = Union[str, Sequence[Union[str, Part]]]
"""A text, or a list of texts and parts."""


class _FilePath(TypedDict):
    path: Union[str, PathLike[str]]


class File(_FilePath, total=False):
    """A local file and how to attach it, as `attach` takes it."""

    lines: Union[str, int]
    name: str
    mime: str
    max_bytes: int


OneFile = Union[str, PathLike[str], File]
Files = Union[OneFile, Sequence[OneFile]]
"""Local files: paths, or objects with a `path`. One alone needs no list."""

Format = Union[Mapping[str, Any], type[Parsed]]
"""A JSON schema, or a class of Pydantic, a dataclass or a TypedDict: `reply.parsed` is one of it."""

State = Literal["pending", "waiting", "done", "failed"]
ServerState = Literal["starting", "ready", "failed", "closed"]
CallState = Literal["pending", "done"]
