"""Attachments: local files as parts of a prompt."""

from __future__ import annotations

from . import _native
from ._options import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any


def attach(
    path: str | PathLike[str],
    *,
    lines: str | int | None = None,
    name: str | None = None,
    mime: str | None = None,
    max_bytes: int | None = None,
) -> dict[str, Any]:
    """Reads a local file and makes a part of a prompt of it: `client.ask(["Explain", attach("main.c")])`.

    Its content travels with the prompt, so the server may be on another machine. `lines` takes some lines of a
    text ("10-25"), `name` is what the model sees, `max_bytes` is 20 million unless given. Raises NotFoundError,
    PermissionDeniedError, and InvalidArgumentError for a directory, a file that is too large, or lines that it
    has not.
    """
    given = {"lines": lines, "name": name, "mime": mime, "max_bytes": max_bytes}
    return _native.attach(path, options(given))


def attach_bytes(
    name: str,
    data: bytes,
    *,
    lines: str | int | None = None,
    mime: str | None = None,
    max_bytes: int | None = None,
) -> dict[str, Any]:
    """The same for bytes that are in memory."""
    given = {"lines": lines, "mime": mime, "max_bytes": max_bytes}
    return _native.attach_bytes(name, data, options(given))
