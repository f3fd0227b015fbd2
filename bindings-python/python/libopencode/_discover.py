"""Which servers there are, and what is wrong with one."""

from __future__ import annotations

from . import _native
from ._options import milliseconds
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
else:
    from ._later import typing


class Found(Record):
    """A server that answered."""

    __slots__ = ()

    if TYPE_CHECKING:
        url: str
        version: str | None
        dialect: typing.Literal["1.x", "2.x"] | None
        needs_password: bool
        source: typing.Literal["environment", "default", "service", "mdns"]

    def __repr__(self) -> str:
        return f"<libopencode.Found {self.url} {self.version or 'with a password'}>"


class ServerInfo(Record):
    """What a server says of itself."""

    __slots__ = ()

    if TYPE_CHECKING:
        version: str
        dialect: typing.Literal["1.x", "2.x"]

    def __repr__(self) -> str:
        return f"<libopencode.ServerInfo {self.version} ({self.dialect})>"


class Check(Record):
    """One thing that was looked at."""

    __slots__ = ()

    if TYPE_CHECKING:
        check: str
        status: typing.Literal["ok", "warn", "fail"]
        message: str
        advice: str

    def __repr__(self) -> str:
        return f"<libopencode.Check {self.check} {self.status}: {self.message}>"


class Diagnosis(Record):
    """What `Client.doctor` found. As a text it is one line per check."""

    __slots__ = ()

    if TYPE_CHECKING:
        ok: bool
        text: str
        elapsed_ms: int

    @property
    def checks(self) -> list[Check]:
        """What was looked at; what needs a server that was not found is left out."""
        return [Check(check) for check in self["checks"]]

    def __str__(self) -> str:
        return str(self["text"])

    def _repr_html_(self) -> str:
        from ._show import table

        rows = [[check.check, check.status, check.message, check.advice] for check in self.checks]
        return table(["check", "status", "what was found", "what to do"], rows)

    def __repr__(self) -> str:
        wrong = [check.check for check in self.checks if check.status != "ok"]
        return f"<libopencode.Diagnosis {'ok' if self.ok else 'not ok'}{': ' if wrong else ''}{', '.join(wrong)}>"


def discover(timeout: float = 2.0) -> list[Found]:
    """Lists the servers that answer; blocks, at most `timeout` seconds, without holding the interpreter.

    They come from OPENCODE_BASE_URL, the default port of this machine, the background service of OpenCode 2.x, and
    mDNS (`opencode serve --mdns`), which is given half of the time. `version` and `dialect` are None when only those who know the password
    are told. With asyncio: `await libopencode.discover_async()`.
    """
    return [Found(found) for found in _native.discover(milliseconds("timeout", timeout) / 1000)]
