"""Functions of the program as tools of the agent."""

import asyncio
import concurrent.futures
import dataclasses
import functools
import json
import threading
import time
import typing

import pydantic
import pytest
from conftest import scripted

import libopencode
from libopencode._tools import _answer, _of_signature
from libopencode._waker import Waker


def calling(*calls, then="done"):
    """A prompt whose model calls tools, one step each, and then says something."""
    steps = [{"tools": [{"name": f"host_{name}", "arguments": arguments}]} for name, arguments in calls]
    return scripted("tools", json.dumps([*steps, {"text": then}]))


def outputs(reply):
    parts = [part for message in reply.messages for part in message["parts"] if part["type"] == "tool"]
    return [part["state"].get("output") or part["state"].get("error") for part in parts]


@pytest.fixture
def tooled(tmp_path):
    with libopencode.Client(directory=str(tmp_path)) as client:
        yield client


class Animal(pydantic.BaseModel):
    kind: typing.Literal["sheep", "cow"]
    name: typing.Optional[str] = None


@dataclasses.dataclass
class Place:
    x: int
    y: int = 0


def test_a_function_is_a_tool_by_its_name_docstring_and_hints(tooled):
    seen = []

    @tooled.tool
    def spawn(animal: Animal, place: Place, count: int = 1, *, call: libopencode.ToolCall) -> dict[str, int]:
        """Puts animals into the world.

        Args:
            animal: What comes.
            count: How many
                of them.
        """
        seen.append((animal, place, count, call, threading.current_thread()))
        return {"count": count}

    run = tooled.run(calling(("spawn", {"animal": {"kind": "cow"}, "place": {"x": 1}, "count": 3})))
    reply = run.result(60)
    (animal, place, count, call, thread), = seen
    assert (animal, place, count) == (Animal(kind="cow"), Place(1), 3) and thread is threading.current_thread()
    assert call.sessionID == run.sessionID and call.name == "spawn" and not call.is_open
    assert json.loads(outputs(reply)[0]) == {"count": 3} and reply.text == "done"
    schema, _ = _of_signature("spawn", spawn, {"count": "How many."})
    assert schema["required"] == ["animal", "place"] and "call" not in schema["properties"]
    assert schema["properties"]["count"] == {"description": "How many.", "type": "integer", "default": 1}
    assert set(schema["$defs"]) == {"Animal", "Place"}


def test_what_a_handler_raises_is_the_tools_error_without_a_traceback(tooled):
    def broken(text: str) -> str:
        raise ValueError(f"no {text} here")

    tooled.tool(handler=broken, description="Breaks")
    tooled.tool(handler=broken, name="loud", description="Breaks aloud", traceback=True)
    reply = tooled.ask(calling(("broken", {"text": "sheep"}), ("loud", {"text": "cow"}), ("broken", {"text": 7})))
    quiet, loud, wrong = outputs(reply)
    assert "no sheep here" in quiet and "Traceback" not in quiet
    assert "no cow here" in loud and "Traceback" in loud
    assert "text" in wrong and "here" not in wrong, "arguments that do not fit never reach the handler"


def test_a_handler_may_ask_the_client_and_may_answer_later(tooled):
    @tooled.tool
    def inner(words: str) -> str:
        """Asks another agent."""
        return tooled.ask(scripted("inner", json.dumps([{"text": words}]))).text

    @tooled.tool(description="Answers later")
    def slow(call: libopencode.ToolCall) -> None:
        call.later()
        threading.Timer(0.1, call.reply, ["late"]).start()

    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine")

    @tooled.tool(executor=pool, parameters=Place)
    def where(place: Place) -> str:
        """Says where it runs."""
        return f"{threading.current_thread().name} {place.x}"

    # As updates and as pieces of text, too.
    run = tooled.run(calling(("inner", {"words": "hello"}), ("slow", {}), ("where", {"x": 5})))
    assert [update.type for update in run][-1] == "done"
    said, late, place = outputs(run.reply)
    assert (said, late) == ("hello", "late") and place.startswith("mine") and place.endswith(" 5")
    assert "".join(tooled.run(calling(("inner", {"words": "x"}))).text_stream()) == "done"
    run = tooled.run(calling(("inner", {"words": "polled"})))
    while run.poll()[0] == "pending":
        pass
    assert outputs(run.reply) == ["polled"]
    pool.shutdown()


def test_programs_with_prefixes_of_their_own_bring_tools_to_one_directory(tooled, tmp_path):
    with libopencode.Client(directory=str(tmp_path), tools_prefix="mod") as other:
        for prefix, client in {"host": tooled, "mod": other}.items():
            client.tool(handler=lambda _, prefix=prefix: prefix, name="who", description="Whose it is", parameters={"type": "object"})
        runs = [tooled.run(calling(("who", {}))), other.run(calling(("who", {})).replace("host_", "mod_"))]
        assert [outputs(run.result(60)) for run in runs] == [["host"], ["mod"]]
    with pytest.raises(libopencode.InvalidArgumentError, match="tools_prefix 'a_b': a prefix is"):
        libopencode.Client(tools_prefix="a_b")


def test_asyncio_handlers_are_tasks_of_the_loop(tmp_path):
    async def main():
        async with libopencode.AsyncClient(directory=str(tmp_path)) as client:

            @client.tool
            async def ask_again(words: str) -> str:
                """Asks another agent."""
                await asyncio.sleep(0.01)
                return (await client.ask(scripted("inner", json.dumps([{"text": words}])))).text

            @client.tool
            def plain(number: int) -> int:
                """Adds one."""
                return number + 1

            reply = await client.ask(calling(("ask_again", {"words": "hi"}), ("plain", {"number": 1})))
            assert outputs(reply) == ["hi", "2"]
            run = client.run(calling(("ask_again", {"words": "updates"})))
            assert [update.type async for update in run][-1] == "done"
            assert outputs(run.reply) == ["updates"]
            assert isinstance(await client.tool.ids(), list), "the server's own operations stay"

    asyncio.run(main())


def test_what_cannot_be_a_tool_is_refused_with_words(client):
    async def soon(x: int) -> int:
        """Later."""
        return x

    def untyped(x):
        """What is it?"""

    def open_ended(*args: int):
        """Many."""

    def odd(x: set):
        """A set."""

    def silent(x: int):
        return x

    for function, part in (
        (soon, "is async; use AsyncClient"),
        (untyped, "'x' has no type"),
        (open_ended, "has no name for the model"),
        (odd, "odd.x: set cannot be written"),
        (silent, "description is missing"),
    ):
        with pytest.raises(libopencode.InvalidArgumentError, match=part):
            client.tool(function)

    class Silent:
        def __call__(self, x: int):
            """Something."""

    class Soon:
        async def __call__(self, x: int):
            """Later."""

    def lost(x: "nowhere.Thing"):  # noqa: F821
        """Has a hint that nobody can read."""

    pool = concurrent.futures.ThreadPoolExecutor(1)
    for given, part in (
        ({"handler": Silent()}, "has no name; give name="),
        ({"handler": Soon(), "name": "soon"}, "is async; use AsyncClient"),
        ({"handler": functools.partial(open_ended)}, "has no name; give name="),
        ({"handler": lost}, "cannot be read.*give parameters"),
    ):
        with pytest.raises(libopencode.InvalidArgumentError, match=part):
            client.tool(**given)
    with pytest.raises(libopencode.InvalidArgumentError, match=r"client.tool\(name="):
        client.tool("spawn")
    client.tool(handler=lost, parameters={"type": "object"})
    client.tool(handler=Silent(), name="object_that_is_called")
    client.tool(handler=functools.partial(Silent(), 1), name="partial")
    other = libopencode.AsyncClient()
    with pytest.raises(libopencode.InvalidArgumentError, match="leave executor= out"):
        other.tool(handler=soon, executor=pool)


def test_what_a_partial_binds_is_its_own(tooled):
    def move(who: str, steps: int, call: libopencode.ToolCall) -> str:
        """Moves."""
        return f"{who} {steps} {getattr(call, 'name', call)}"

    mine = functools.partial(move, call="mine")
    tooled.tool(handler=functools.partial(move, "sheep"), name="by_place")
    tooled.tool(handler=functools.partial(mine, who="cow"), name="by_name")
    plain = functools.partial(lambda given, call: f"{given} {call}", call="own")
    tooled.tool(handler=plain, name="given", description="x", parameters={"type": "object"})
    schema, _ = _of_signature("by_name", functools.partial(mine, who="cow"), {})
    assert list(schema["properties"]) == ["steps"] == schema["required"]
    reply = tooled.ask(calling(("by_place", {"steps": 1}), ("by_name", {"steps": 2}), ("given", {})))
    assert outputs(reply) == ["sheep 1 by_place", "cow 2 mine", "{} own"]


def test_a_thousand_calls_of_one_run_get_each_its_own_answer(tooled):
    seen = []

    @tooled.tool
    def double(n: int) -> int:
        """Doubles."""
        seen.append(n)
        return 2 * n

    calls = [{"name": "host_double", "arguments": {"n": n}} for n in range(1000)]
    steps = [{"tools": calls[at : at + 100], "delay_ms": 0} for at in range(0, 1000, 100)]
    reply = tooled.ask(scripted("a thousand", json.dumps([*steps, {"text": "done"}])), timeout=120)
    parts = [part for message in reply.messages for part in message["parts"] if part["type"] == "tool"]
    answers = {part["state"]["input"]["n"]: part["state"]["output"] for part in parts}
    assert reply.text == "done" and sorted(seen) == list(range(1000))
    assert answers == {n: str(2 * n) for n in range(1000)}


def test_many_calls_of_one_answer_and_long_ones_and_images(tooled):
    """A hundred, in parallel in two steps, each with its own answer; a megabyte; a picture."""
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000000c49444154789c6360181e000000"
        "c80001ad4076220000000049454e44ae426082"
    )

    @tooled.tool
    def double(n: int) -> int:
        """Doubles."""
        return 2 * n

    @tooled.tool
    def long() -> str:
        """Says much."""
        return "x" * 1_000_000

    @tooled.tool
    def picture() -> typing.Any:
        """Shows something."""
        return "a dot", libopencode.attach_bytes("dot.png", png)

    def step(first):
        return {"tools": [{"name": "host_double", "arguments": {"n": n}} for n in range(first, first + 50)]}

    others = {"tools": [{"name": f"host_{name}", "arguments": {}} for name in ("long", "picture")]}
    reply = tooled.ask(scripted("many", json.dumps([step(0), step(50), others, {"text": "done"}])))
    *numbers, much, dot = outputs(reply)
    assert [int(number) for number in numbers] == [2 * n for n in range(100)]
    assert "1000000 bytes truncated" in much and dot.startswith("a dot")
    parts = [part for message in reply.messages for part in message["parts"] if part["type"] == "tool"]
    assert parts[-1]["state"]["attachments"][0]["mime"].startswith("image/")


def test_a_handler_that_blocks_or_never_answers_fails_after_its_time_and_holds_nobody(tooled):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    release = threading.Event()

    @tooled.tool(executor=pool, timeout=0.3)
    def blocks() -> str:
        """Blocks."""
        release.wait(60)
        return "late"

    @tooled.tool(timeout=0.3)
    def never(call: libopencode.ToolCall) -> None:
        """Never answers."""
        call.later()

    @tooled.tool
    def quick() -> str:
        """Answers."""
        return "quick"

    names = [{"name": f"host_{name}", "arguments": {}} for name in ("blocks", "never", "quick")]
    blocked, unanswered, answered = outputs(tooled.ask(scripted("slow", json.dumps([{"tools": names}, {"text": "end"}]))))
    assert "nobody answered the call within 300 ms" in blocked and blocked == unanswered and answered == "quick"
    release.set()
    pool.shutdown()


def test_a_tuple_of_one_is_a_list():
    image = {"type": "file", "url": "data:image/png;base64,AA=="}
    assert _answer((1,), ()) == {"value": (1,)} and _answer((1, 2), ()) == {"value": (1, 2)}
    assert _answer(("words", image), ()) == {"text": "words", "images": [image]}


def test_what_ends_the_program_ends_the_call_too_and_loses_no_update(tooled):
    @tooled.tool
    def stops() -> str:
        """Is interrupted."""
        raise KeyboardInterrupt

    run = tooled.run(calling(("stops", {})))
    seen, interrupts = [], 0
    while not seen or seen[-1].type not in ("done", "failed"):
        try:
            seen += run.poll()[1]
        except KeyboardInterrupt:
            interrupts += 1
        time.sleep(0.005)
    assert interrupts == 1 and outputs(run.reply) == ["KeyboardInterrupt"]
    assert "".join(update.delta for update in seen if update.type == "text") == "done"


def test_updates_beside_an_interrupted_handler_come_with_the_next_poll():
    class Native:
        updates = [{"type": "tool_call"}, {"type": "status", "why": "works"}]

        def poll(self):
            return "pending", [self.updates.pop(0) for _ in list(self.updates)]

    class Interrupted:
        def begin(self, data):
            raise KeyboardInterrupt

    run = libopencode.Run(Native())
    run._toolboxes = [Interrupted()]
    with pytest.raises(KeyboardInterrupt):
        run.poll()
    assert [update.why for update in run.poll()[1]] == ["works"]


def test_an_executor_that_was_shut_down_fails_the_call(tooled):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.shutdown()

    @tooled.tool(executor=pool)
    def there() -> str:
        """Runs elsewhere."""
        return "there"

    reply = tooled.ask(calling(("there", {})))
    assert "takes no calls" in outputs(reply)[0] and reply.text == "done"


def test_plain_handlers_of_asyncio_run_while_nothing_is_held(tmp_path):
    async def main():
        async with libopencode.AsyncClient(directory=str(tmp_path)) as client:

            @client.tool
            def elsewhere() -> str:
                """Has another thread look at the client."""
                looking = threading.Thread(target=client._waker.look)
                looking.start()
                looking.join(10)
                return "stuck" if looking.is_alive() else "fine"

            assert outputs(await client.ask(calling(("elsewhere", {})))) == ["fine"]

    asyncio.run(main())


def test_a_handle_that_fails_keeps_no_other_waiting():
    async def main():
        waker = Waker(lambda: 0, lambda: ())

        class Handle:
            def _take(self):
                raise KeyError("this one")

        broken = Handle()
        waker.add(1, broken)
        future = asyncio.get_running_loop().create_future()
        waker._waiting[2] = {future: (asyncio.get_running_loop(), lambda: True)}
        with pytest.raises(KeyError):
            waker.look((1, 2))
        assert future.done()

    asyncio.run(main())


def test_an_async_handler_that_nobody_waits_for_any_more_is_cancelled(tmp_path):
    async def main():
        ended = []
        async with libopencode.AsyncClient(directory=str(tmp_path)) as client:

            async def endless(name: str, *, call: libopencode.ToolCall) -> str:
                """Takes long"""
                if name == "answers first":
                    call.reply("soon")
                begun.set()
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    ended.append(name)
                    raise

            client.tool(handler=endless, timeout=1)
            begun = asyncio.Event()
            reply = await client.ask(calling(("endless", {"name": "answers first"}), ("endless", {"name": "takes too long"})))
            assert outputs(reply)[0] == "soon" and "nobody answered the call" in outputs(reply)[1]
            await asyncio.sleep(0)
            assert ended == ["takes too long"]
            client.tool(handler=endless, timeout=60)
            begun.clear()
            asking = asyncio.create_task(client.ask(calling(("endless", {"name": "of a run that is left"}))))
            await begun.wait()
            asking.cancel()
            for _ in range(100):
                await client.ask(scripted("another", '[{"text":"done"}]'))
                if len(ended) > 1:
                    break
            assert ended == ["takes too long", "of a run that is left"]
        assert sorted(ended) == ["answers first", "of a run that is left", "takes too long"]

    asyncio.run(asyncio.wait_for(main(), 60))
