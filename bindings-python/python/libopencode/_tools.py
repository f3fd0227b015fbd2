"""Tools of the host: functions of this program that the agent can call.

They run inside polls and waits, on the thread that polls or waits, or on an executor that they were given.
"""

from __future__ import annotations

import functools
import inspect
import typing

from ._errors import InvalidArgumentError
from ._formats import Schemas, format_of, make
from ._native import Client as _Native
from ._options import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections import abc
    from concurrent.futures import Executor

    #: What makes arguments of a call, and the function that takes them.
    Taken = abc.Callable[[dict[str, typing.Any], "ToolCall"], typing.Any]

_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class ToolCall:
    """One call of a tool: whose it is, and how it is answered later."""

    def __init__(self, native: _Native, data: dict[str, typing.Any]) -> None:
        self._native = native
        self._is_later = False
        self._is_answered = False
        self.id: str = data["id"]
        #: The name of the tool.
        self.name: str = data["name"]
        #: As they came; they fit the schema.
        self.arguments: dict[str, typing.Any] = data["arguments"]
        #: The session that called, where events told of it.
        self.sessionID: str | None = data.get("sessionID")
        self.messageID: str | None = data.get("messageID")
        self.callID: str | None = data.get("callID")

    @property
    def is_open(self) -> bool:
        """Whether the agent still waits: not after an answer, when the time is up, or when the run was cancelled."""
        return self._native.tool_is_open(self.id)

    def later(self) -> None:
        """Says that the answer comes later, by `reply` or `fail`, from any thread: what the handler returns is none."""
        self._is_later = True

    def reply(self, value: typing.Any = None, *images: typing.Any) -> None:
        """Answers: with a text, any other value, and images behind it, parts that `attach` made."""
        answer = _answer(value, images)
        self._is_answered = True
        self._native.tool_reply(self.id, answer)

    def fail(self, message: str) -> None:
        """Fails: the agent reads the message as the tool's error."""
        self._is_answered = True
        self._native.tool_reply(self.id, {"error": message})

    def __repr__(self) -> str:
        return f"<libopencode.ToolCall {self.name} {self.id}>"


def _answer(value: typing.Any, images: tuple[typing.Any, ...]) -> dict[str, typing.Any]:
    if isinstance(value, tuple) and len(value) > 1 and all(map(_is_image, value[1:])):
        value, images = value[0], (*value[1:], *images)
    if _is_image(value):
        value, images = None, (value, *images)
    made: dict[str, typing.Any] = {"images": list(images)} if images else {}
    if isinstance(value, str):
        made["text"] = value
    elif value is not None:
        made["value"] = value
    return made


def _is_image(value: typing.Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "file" and isinstance(value.get("url"), str)


class _Tool(typing.NamedTuple):
    take: Taken
    executor: Executor | None
    traceback: bool
    is_async: bool


class Toolbox:
    """The tools of a client, and of those that were made from it."""

    def __init__(self, native: _Native, is_async: bool) -> None:
        self._native = native
        self._is_async = is_async
        self._tools: dict[str, _Tool] = {}
        #: Handlers of asyncio that go on: the loop itself keeps no task.
        self._tasks: dict[asyncio.Task[None], ToolCall] = {}

    def add(self, options: dict[str, typing.Any], tool: _Tool) -> None:
        if tool.is_async and not self._is_async:
            raise InvalidArgumentError(f"tool '{options['name']}': the handler is async; use AsyncClient, or a plain function")
        if tool.is_async and tool.executor is not None:
            text = "the handler is async, and an executor takes plain functions; leave executor= out"
            raise InvalidArgumentError(f"tool '{options['name']}': {text}")
        self._native.tool_add(options)
        self._tools[options["name"]] = tool

    def serve(self) -> int:
        """Begins the calls that wait; how many."""
        count = 0
        while (data := self._native.tool_next()) is not None:
            count += 1
            self.begin(data)
        return count

    def leave_over(self) -> None:
        """Cancels the handlers of asyncio whose answer nobody waits for any more."""
        for task, call in list(self._tasks.items()):
            if not call._is_answered and not call.is_open:
                _cancel(task)

    def begin(self, data: dict[str, typing.Any]) -> None:
        """Has the handler of a call answer it."""
        call = ToolCall(self._native, data)
        tool = self._tools.get(call.name)
        if tool is None:
            return _quietly(call.fail, "the program has no handler for this tool")
        if tool.is_async:
            import asyncio

            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return _quietly(call.fail, "the program polls outside of the event loop that this tool needs")
            task = loop.create_task(self._answer_soon(tool, call))
            self._tasks[task] = call
            task.add_done_callback(lambda task: self._tasks.pop(task, None))
        elif tool.executor is not None:
            try:
                tool.executor.submit(self._answer, tool, call)
            except RuntimeError as error:
                # It was shut down.
                _quietly(call.fail, f"the executor of this tool takes no calls: {error}")
        else:
            self._answer(tool, call)

    def _answer(self, tool: _Tool, call: ToolCall) -> None:
        try:
            value = tool.take(call.arguments, call)
        except BaseException as error:
            _fail(tool, call, error)
            if not isinstance(error, Exception):
                # Ctrl-C, or the end of the program: the agent is told, and so is who polls.
                raise
            return
        _conclude(tool, call, value)

    async def _answer_soon(self, tool: _Tool, call: ToolCall) -> None:
        try:
            value = await tool.take(call.arguments, call)
        except BaseException as error:
            _fail(tool, call, error)
            if not isinstance(error, Exception):
                raise
            return
        _conclude(tool, call, value)

    def wait(self, native: typing.Any, timeout: float | None) -> bool:
        """Serves until a run is over, at most `timeout` seconds; whether it is."""
        from time import monotonic

        end = None if timeout is None else monotonic() + timeout
        while True:
            self.serve()
            if native.state in ("done", "failed"):
                return True
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return False
            native.wait_for_calls(left)

    def close(self) -> None:
        for task in list(self._tasks):
            _cancel(task)


def _cancel(task: asyncio.Task[None]) -> None:
    import asyncio

    loop = task.get_loop()
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        task.cancel()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)


def _conclude(tool: _Tool, call: ToolCall, value: typing.Any) -> None:
    if call._is_later:
        return
    try:
        answer = _answer(value, ())
        call._native.tool_reply(call.id, answer)
    except ValueError as error:
        # What cannot be sent as JSON.
        _fail(tool, call, error)
    except Exception:
        # Nobody waits for it any more.
        pass


def _fail(tool: _Tool, call: ToolCall, error: BaseException) -> None:
    words = str(error) or type(error).__name__
    if tool.traceback:
        import traceback

        words = "".join(traceback.format_exception(error))
    _quietly(call.fail, words)


def _quietly(fail: typing.Callable[[str], None], words: str) -> None:
    try:
        fail(words)
    except Exception:
        # Nobody waits for it any more.
        pass


def added(
    toolbox: Toolbox,
    function: typing.Callable[..., typing.Any],
    given: dict[str, typing.Any],
) -> None:
    """Adds a function as a tool: what is not given is read from it."""
    if not callable(function):
        raise InvalidArgumentError(
            f"tool: the handler is {function!r:.60}, which is no function; a name is given as @client.tool(name=...)"
        )
    name = given["name"] or getattr(function, "__name__", None)
    if name is None:
        raise InvalidArgumentError(f"tool: {function!r:.60} has no name; give name=")
    doc, notes = _documented(function)
    if given["parameters"] is None:
        schema, take = _of_signature(name, function, notes)
    else:
        schema, read = format_of(given["parameters"])
        try:
            places = _call_places(function, _hints(name, function))
        except InvalidArgumentError:
            # Nothing else is read from them, and this one goes by its name.
            written = getattr(_written(function), "__annotations__", {})
            named = [key for key, hint in written.items() if str(hint).rpartition(".")[2] == "ToolCall"]
            places = _free(function, named)

        def take(arguments: dict[str, typing.Any], call: ToolCall) -> typing.Any:
            return function(read(arguments) if read else arguments, **dict.fromkeys(places, call))

    options: dict[str, typing.Any] = {"name": name, "description": given["description"] or doc, "parameters": schema}
    if given["timeout"] is not None:
        options["timeout_ms"] = milliseconds("timeout", given["timeout"])
    toolbox.add(options, _Tool(take, given["executor"], bool(given["traceback"]), _is_async(function)))


def _hints(name: str, function: typing.Any) -> dict[str, typing.Any]:
    try:
        return typing.get_type_hints(_written(function), include_extras=True)
    except Exception as error:
        raise InvalidArgumentError(f"tool '{name}': its hints cannot be read: {error}; give parameters") from None


def _written(function: typing.Any) -> typing.Any:
    """The function with the hints: of a partial the one below it, of an object that is called its `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return function.__call__


def _is_async(function: typing.Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_written(function))


def _call_places(function: typing.Any, hints: dict[str, typing.Any]) -> list[str]:
    return _free(function, [name for name, hint in hints.items() if hint is ToolCall and name != "return"])


def _free(function: typing.Any, names: list[str]) -> list[str]:
    """Those of the parameters that a partial has left open."""
    if not isinstance(function, functools.partial):
        return names
    left = inspect.signature(function).parameters
    bound = _bound(function)
    return [name for name in names if name in left and name not in bound]


def _bound(function: typing.Any) -> set[str]:
    """What a partial has bound by name: its signature still has it, as optional."""
    names: set[str] = set()
    while isinstance(function, functools.partial):
        names.update(function.keywords)
        function = function.func
    return names


def _of_signature(
    name: str, function: typing.Callable[..., typing.Any], notes: dict[str, str]
) -> tuple[dict[str, typing.Any], Taken]:
    """The schema of a function's parameters, and what calls it with arguments that fit."""
    hints = _hints(name, function)
    places = _call_places(function, hints)
    bound = _bound(function)
    schemas = Schemas()
    properties: dict[str, typing.Any] = {}
    required = []
    wanted: dict[str, typing.Any] = {}
    for parameter in _parameters(name, function):
        if parameter.name in places or parameter.name in bound:
            continue
        if parameter.kind not in _KINDS:
            raise InvalidArgumentError(f"tool '{name}': the parameter '{parameter.name}' has no name for the model; give parameters")
        if parameter.name not in hints:
            raise InvalidArgumentError(f"tool '{name}': the parameter '{parameter.name}' has no type; annotate it, or give parameters")
        hint = wanted[parameter.name] = hints[parameter.name]
        field = schemas.of(hint, f"{name}.{parameter.name}")
        if parameter.name in notes:
            field = {"description": notes[parameter.name], **field}
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif parameter.default is None or isinstance(parameter.default, (str, int, float)):
            field = {**field, "default": parameter.default}
        properties[parameter.name] = field
    schema: dict[str, typing.Any] = {"type": "object", "properties": properties, "required": required}
    if schemas.made:
        schema["$defs"] = schemas.made

    def take(arguments: dict[str, typing.Any], call: ToolCall) -> typing.Any:
        made = {key: make(wanted[key], value, key) for key, value in arguments.items() if key in wanted}
        return function(**made, **dict.fromkeys(places, call))

    return schema, take


def _parameters(name: str, function: typing.Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"tool '{name}': its parameters cannot be read: {error}; give parameters") from None


def _documented(function: typing.Any) -> tuple[str, dict[str, str]]:
    """What a docstring says of a function, and below `Args:` of its parameters."""
    lines = (inspect.getdoc(_written(function)) or "").splitlines()
    at = next((i for i, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:", "Parameters:")), len(lines))
    notes: dict[str, str] = {}
    last = None
    for line in lines[at + 1 :]:
        if line and not line.startswith(" "):
            # The next section.
            break
        head, colon, rest = line.strip().partition(":")
        is_deeper = last is not None and line.startswith("        ")
        if colon and head and not is_deeper and " " not in head.split("(")[0].strip():
            last = head.split("(")[0].strip().lstrip("*")
            notes[last] = rest.strip()
        elif last is not None and line.strip():
            notes[last] += f" {line.strip()}"
    return "\n".join(lines[:at]).strip(), notes
