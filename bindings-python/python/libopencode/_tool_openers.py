"""What `client.tool` is: the server's operations on tools, and a call that makes a function of this program one."""

from __future__ import annotations

from ._namespace import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import typing
    from collections import abc
    from concurrent.futures import Executor

    from ._operations import AsyncToolOperations, ToolOperations

    Function = typing.TypeVar("Function", bound=abc.Callable[..., typing.Any])
else:
    from ._later import Later, abc, datetime, typing

    Executor = Later("concurrent.futures")
    AsyncToolOperations = ToolOperations = object


class _Opener(Namespace):
    if TYPE_CHECKING:

        @typing.overload
        def __call__(self, function: Function, /) -> Function: ...
        @typing.overload
        def __call__(
            self,
            /,
            *,
            handler: Function,
            name: str | None = None,
            description: str | None = None,
            parameters: abc.Mapping[str, typing.Any] | type | None = None,
            timeout: float | datetime.timedelta | None = None,
            executor: Executor | None = None,
            traceback: bool = False,
        ) -> Function: ...
        @typing.overload
        def __call__(
            self,
            /,
            *,
            name: str | None = None,
            description: str | None = None,
            parameters: abc.Mapping[str, typing.Any] | type | None = None,
            timeout: float | datetime.timedelta | None = None,
            executor: Executor | None = None,
            traceback: bool = False,
        ) -> abc.Callable[[Function], Function]: ...

    def __call__(
        self,
        function: typing.Any = None,
        /,
        *,
        handler: typing.Any = None,
        name: str | None = None,
        description: str | None = None,
        parameters: typing.Any = None,
        timeout: typing.Any = None,
        executor: typing.Any = None,
        traceback: bool = False,
    ) -> typing.Any:
        """Makes a function of this program a tool that the agent can call: `@client.tool`, or with `handler`.

        Name, docstring and type hints of the function say what the model is told; a parameter of type ToolCall gets the call.
        It runs on the thread that polls or waits for a run. What it returns is the answer, what it raises the tool's error.

        Args:
            handler: The function, where this is no decorator.
            name: Letters, digits, `_` and `-`. Default: the function's.
            description: What it does, for the model. Default: the docstring.
            parameters: A JSON schema, or a class of Pydantic, a dataclass or a TypedDict: the function gets one argument, a
                dict or an object of that class. Default: what the hints say.
            timeout: How long a call may wait for its answer, in seconds. Default: 60 s.
            executor: Where it runs, in place of the thread that polls or waits.
            traceback: Whether the model reads the traceback of what it raises, and not the message alone.
        """
        from ._tools import added

        given = {
            "name": name,
            "description": description,
            "parameters": parameters,
            "timeout": timeout,
            "executor": executor,
            "traceback": traceback,
        }

        def add(function: typing.Any) -> typing.Any:
            added(self._client._make_toolbox(), function, given)
            return function

        if function is None and handler is None:
            return add
        return add(function if handler is None else handler)


class ToolOpener(_Opener, ToolOperations):
    """The server's operations on tools; calling it makes a function one."""


class AsyncToolOpener(_Opener, AsyncToolOperations):
    """The server's operations on tools; calling it makes a function one."""
