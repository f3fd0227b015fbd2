"""From Python's habits to the core's: seconds become milliseconds, None means not given."""

from __future__ import annotations

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
        from ._errors import InvalidArgumentError

        wanted = "a number of seconds that is not negative"
        raise InvalidArgumentError(f"{name} must be {wanted}, not {value!r}")
    return value * 1000


def seconds(name: str, value: typing.Any) -> float | None:
    """A time to wait, checked before anything is sent; None waits as long as it takes."""
    if value is None:
        return None
    try:
        return milliseconds(name, value) / 1000
    except OverflowError:
        return float("inf")


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
        "headers": dict(extra_headers) if extra_headers else None,
        "directory": directory,
        "workspace": workspace,
        "traceparent": traceparent,
    }
    return options(given) or None
