"""What type checkers see of `client.pty`."""

from collections.abc import Mapping, Sequence

from ._async_pty import AsyncPty
from ._operations import AsyncPtyOperations, PtyOperations
from ._pty import Pty

class PtyOpener(PtyOperations):
    def __call__(
        self,
        command: str | None = None,
        args: Sequence[str] = (),
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        title: str | None = None,
        cols: int | None = None,
        rows: int | None = None,
        directory: str | None = None,
        ticket: bool | None = None,
        server_timeout: float | None = None,
    ) -> Pty:
        """Starts a program in a terminal on the server's machine, a shell by default. Blocks for one request.

        A program that ends before the connection is made leaves its exit code, and no output.
        """

class AsyncPtyOpener(AsyncPtyOperations):
    async def __call__(
        self,
        command: str | None = None,
        args: Sequence[str] = (),
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        title: str | None = None,
        cols: int | None = None,
        rows: int | None = None,
        directory: str | None = None,
        ticket: bool | None = None,
        server_timeout: float | None = None,
    ) -> AsyncPty:
        """Starts a program in a terminal on the server's machine, a shell by default."""
