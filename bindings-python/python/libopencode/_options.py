"""From Python's habits to the core's: seconds become milliseconds, None means not given."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from collections import abc
else:
    from ._later import abc, typing

# Names whose values are seconds here and milliseconds in the core.
_SECONDS = frozenset(
    {"timeout", "connect_timeout", "stall_timeout", "deadline", "start_timeout", "server_timeout"}
)


def options(given: abc.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """What was given, by the core's names."""
    made = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _SECONDS:
            made[name + "_ms"] = milliseconds(name, value)
        else:
            made[name] = value
    return made


def milliseconds(name: str, value: typing.Any) -> float:
    """Seconds as milliseconds; numbers and timedeltas are times, nothing else is."""
    seconds = getattr(value, "total_seconds", None)
    if seconds is not None:
        value = seconds()
    # Numbers of NumPy and `decimal` know themselves as one of Python.
    elif hasattr(value, "__float__") and not isinstance(value, (bool, int, float)):
        try:
            value = float(value)
        except (TypeError, ValueError):
            pass
    # No comparison is true of NaN.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        wanted = "a number of seconds that is not negative"
        raise _wrong(f"{name} must be {wanted}, not {value!r}")
    return value * 1000


def seconds(name: str, value: typing.Any) -> float | None:
    """A time to wait, checked before anything is sent; None waits as long as it takes."""
    if value is None:
        return None
    try:
        return milliseconds(name, value) / 1000
    except OverflowError:
        return float("inf")


def as_dict(name: str, value: typing.Any) -> dict[str, typing.Any] | None:
    """A mapping, or pairs. What was given is not shown: it may hold keys."""
    try:
        return None if value is None else dict(value)
    except (TypeError, ValueError):
        raise _wrong(f"{name} must be a dict, not an object of type {type(value).__name__}") from None


def as_list(name: str, value: typing.Any) -> list[typing.Any] | None:
    """Any items, but not the letters of a text or the keys of a dict."""
    if value is None:
        return None
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise _wrong(f"{name} must be a list, not an object of type {type(value).__name__}")
    return list(value)


def as_path(name: str, value: typing.Any) -> str | None:
    """A text, or what knows itself as a path."""
    if value is None:
        return None
    try:
        return os.fsdecode(value)
    except TypeError:
        raise _wrong(f"{name} must be a path, not an object of type {type(value).__name__}") from None


def _wrong(words: str) -> Exception:
    from ._errors import InvalidArgumentError

    return InvalidArgumentError(words)


def call_options(
    timeout: float | None = None,
    max_retries: int | None = None,
    extra_headers: abc.Mapping[str, str] | None = None,
    directory: str | None = None,
    workspace: str | None = None,
    traceparent: str | None = None,
) -> dict[str, typing.Any] | None:
    """The options of one call, or None when there are none."""
    given = {
        "timeout": timeout,
        "max_retries": max_retries,
        "headers": as_dict("extra_headers", extra_headers or None),
        "directory": directory,
        "workspace": workspace,
        "traceparent": traceparent,
    }
    return options(given) or None
