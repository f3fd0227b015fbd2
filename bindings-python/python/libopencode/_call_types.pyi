"""What type checkers see of `client.start`."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, ParamSpec, TypeVar, overload

from ._async_call import AsyncCall
from ._call import Call, RawResponse

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

class Starter:
    @overload
    def start(
        self,
        operation: Callable[_Given, _Answer],
        *args: _Given.args,
        **given: _Given.kwargs,
    ) -> Call[_Answer]:
        """Does an operation in the background and returns at once.

        The operation is a function of this client, such as `client.session.get`, with all that it takes; or it is a
        name, with the arguments in one dict.
        """
    @overload
    def start(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        raw: Literal[True],
    ) -> Call[RawResponse]: ...
    @overload
    def start(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        raw: bool = False,
    ) -> Call[Any]: ...

class AsyncStarter:
    @overload
    def start(
        self,
        operation: Callable[_Given, Coroutine[Any, Any, _Answer]],
        *args: _Given.args,
        **given: _Given.kwargs,
    ) -> AsyncCall[_Answer]:
        """Does an operation in the background and returns at once. Takes what `Client.start` takes."""
    @overload
    def start(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        raw: Literal[True],
    ) -> AsyncCall[RawResponse]: ...
    @overload
    def start(
        self,
        operation: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        directory: str | None = None,
        workspace: str | None = None,
        max_retries: int | None = None,
        extra_headers: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        raw: bool = False,
    ) -> AsyncCall[Any]: ...
