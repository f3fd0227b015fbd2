"""From the library's messages to the logger `libopencode` of the `logging` module.

Threads of the library keep their messages; the program's own threads hand them over when they next use the client.
So no thread of the library ever waits for the interpreter, or meets one that is shutting down.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import _native
else:
    from ._later import typing

_NUMBERS = {"error": 40, "warn": 30, "info": 20, "debug": 10}


def configured() -> str | None:
    """The level that the program wants of `libopencode` at the moment; None while it has not set `logging` up."""
    # Who did not import it cannot have set it up, and need not pay for the import.
    logging = sys.modules.get("logging")
    get = getattr(logging, "getLogger", None)
    if get is None or not (logger := get("libopencode")).hasHandlers():
        return None
    wanted = logger.getEffectiveLevel()
    return next((name for name in ("debug", "info", "warn", "error") if wanted <= _NUMBERS[name]), None)


class Drain:
    """Hands over what a client has logged. Never raises."""

    __slots__ = ("_follows", "_native", "_wanted")

    def __init__(self, native: _native.Client, follows: bool) -> None:
        self._native = native
        self._follows = follows
        self._wanted: str | None = None

    def follow(self) -> None:
        """Has the client keep what the program's logging wants now, however late that is set up or changed."""
        if self._follows and (wanted := configured()) != self._wanted:
            self._wanted = wanted
            self._native.set_log_level(wanted)

    def __call__(self) -> None:
        self.follow()
        while (record := self._native.next_log()) is not None:
            import logging

            level, message, created = record
            logger = logging.getLogger("libopencode")
            number = _NUMBERS[level]
            if not logger.isEnabledFor(number):
                continue
            made: typing.Any = logger.makeRecord(
                "libopencode", number, "(libopencode)", 0, message, (), None, "libopencode"
            )
            # When it happened, not when it was handed over.
            made.created = created
            made.msecs = created % 1 * 1000
            try:
                logger.handle(made)
            except Exception:
                # What a handler does wrong is the program's to see, and no reason to lose an answer.
                logging.NullHandler().handleError(made)
