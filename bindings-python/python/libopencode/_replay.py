"""Recordings that answer in place of a server."""

from __future__ import annotations

from os import PathLike

from . import _native


class Replay:
    """A server on this machine that plays a recording back, without a model and without a password.

    with libopencode.Replay("tape.jsonl") as replay:
        client = libopencode.Client(replay.url)

    A recording is written by `Client(record="tape.jsonl")`, or by any client while OPENCODE_RECORD names a file.
    The same requests get the same answers, and the events come when they came. Raises NotFoundError when there is
    no such file, APIResponseValidationError when it is no recording.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._native = _native.Replay(path)

    @property
    def url(self) -> str:
        """The address for a client."""
        return self._native.url

    def close(self) -> None:
        """Ends it, within a second."""
        self._native.close()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<libopencode.Replay {self.url}>"
