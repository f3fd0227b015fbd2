"""What a program may pass, drop or do at the worst moment."""

import asyncio
import copy
import datetime
import enum
import gc
import http
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import PurePosixPath

import pytest
from conftest import scripted

import libopencode


class Silent:
    """A server that takes requests and never answers."""

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._listener.close()


class Grade(enum.IntEnum):
    HIGH = 7


class Loud(int):
    def __str__(self):
        return "a lie"


def test_numbers_are_sent_by_their_value(client):
    metadata = {"a": Grade.HIGH, "b": Loud(5), "c": http.HTTPStatus.OK, "d": True, "e": 2**70}
    read = client.session.create(metadata=metadata)["metadata"]
    assert (read["a"], read["b"], read["c"], read["d"]) == (7, 5, 200, True)
    assert read["e"] == pytest.approx(2**70)
    with pytest.raises(ValueError, match="4300"):
        client.session.create(metadata={"n": 10**5000})


def test_mappings_and_paths_are_sent(client):
    metadata = types.MappingProxyType({"inner": types.MappingProxyType({"x": 1})})
    assert client.session.create(metadata=metadata)["metadata"] == {"inner": {"x": 1}}
    assert client.path.get(directory=PurePosixPath("/tmp"))["directory"] == "/tmp"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (datetime.timedelta(1), "timedelta"),
        (b"x", "bytes"),
        (bytearray(b"x"), "bytearray"),
        ({1, 2}, "set"),
        (range(3), "range"),
        (1j, "complex"),
        (Grade, "EnumType" if sys.version_info >= (3, 11) else "EnumMeta"),
        (print, "builtin_function_or_method"),
    ],
)
def test_what_json_has_not_is_refused_with_its_place(client, value, name):
    with pytest.raises(ValueError, match=rf"metadata\.a\[0\]: an object of type {name} ") as caught:
        client.session.create(metadata={"a": [value]})
    assert "\n" not in str(caught.value)


def test_cycles_and_depth_are_refused(client):
    cycle = {}
    cycle["cycle"] = cycle
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value in (cycle, deep):
        with pytest.raises(ValueError, match="nested too deeply, or contains itself"):
            client.session.create(metadata={"x": value})


def test_null_is_null_everywhere_and_there_is_one(client):
    assert copy.deepcopy({"a": libopencode.NULL})["a"] is libopencode.NULL
    assert pickle.loads(pickle.dumps(libopencode.NULL)) is libopencode.NULL
    made = client.session.create(metadata={"a": libopencode.NULL, "b": [libopencode.NULL]})
    assert made["metadata"] == {"a": None, "b": [None]}
    with pytest.raises(libopencode.BadRequestError):
        client.call("session.create", {"title": libopencode.NULL})


@pytest.mark.parametrize("prompt", [None, 5, b"text", {"type": "text", "text": "x"}, object()])
def test_a_prompt_is_a_text_or_a_list(client, prompt):
    for send in (client.run, client.ask):
        with pytest.raises(libopencode.InvalidArgumentError, match="must be a text or a list of texts and parts, not"):
            send(prompt)


def test_times_are_named_as_they_were_given(client):
    for time_limit in (-1, float("nan"), -0.001, datetime.timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="timeout must be a number of seconds that is not negative"):
            client.session.list(timeout=time_limit)
    with pytest.raises(ValueError, match="deadline must be a number of seconds"):
        client.run("x", deadline=[1])
    run = client.run("Say pong")
    with pytest.raises(ValueError, match="timeout must be a number of seconds"):
        run.result(-1)
    assert run.result(float("inf")).text


def test_a_query_may_hold_numbers_and_booleans(client):
    found = client.request("GET", "/session", query={"limit": 1, "roots": True, "search": None})
    assert len(found) == 1


def test_namespaces_can_be_copied_and_asked_for_anything(client):
    assert copy.copy(client.session)
    assert not hasattr(client.session, "__wrapped__")
    assert not hasattr(types.SimpleNamespace, "_path") and not hasattr(client, "_nothing")
    assert client.session.update and client.session
    for thing in (client, client.session):
        assert len(dir(thing)) == len(set(dir(thing)))


def test_python_itself_says_which_name_was_meant():
    program = "import libopencode; libopencode.Client().{}"
    for wrong, right in (("sesion", "session"), ("session.updat", "update")):
        done = subprocess.run(
            [sys.executable, "-c", program.format(wrong)], capture_output=True, text=True, timeout=60
        )
        assert f"Did you mean: '{right}'" in done.stderr


def test_what_was_started_outlives_its_client():
    assert libopencode.Client().run("Say pong").result(60).text
    call = libopencode.Client().start("doc.get")
    gc.collect()
    assert call.result(60)
    assert next(libopencode.Client().sessions())["id"]
    stream = libopencode.Client().events()
    gc.collect()
    assert stream.next(60).type == "stream.connected"


def test_cycles_with_everything_in_them_are_collected():
    for _ in range(20):
        client = libopencode.Client()
        holder = {"client": client, "run": client.run("Say pong"), "stream": client.events()}
        holder["self"] = holder
        client.session.holder = holder
        del client, holder
    gc.collect()
    assert not [o for o in gc.get_objects() if type(o) is libopencode.Run]


def test_an_iteration_may_be_left_early(client):
    run = client.run(scripted("early", '[{"text":"a b c d e f","delay_ms":50}]'))
    text = ""
    for update in run:
        if update.type == "text":
            text += update.delta
            break
    # What was not taken comes to whoever looks next.
    text += "".join(update.delta for update in run if update.type == "text")
    assert text == "a b c d e f"
    assert list(run) == []


@pytest.mark.parametrize(
    "blocking",
    [
        "client.run('x').detach()",
        "client.run('x').result()",
        "client.run('x').wait()",
        "list(client.run('x'))",
        "client.start('global.health').result()",
        "next(client.sessions())",
        "client.usage('ses_x')",
        "client.pty()",
        "client.tui_prompt('x')",
        "client.tui_control().next()",
        "client.tui_control().respond({})",
        "client.request('GET', '/x')",
        "client.drift()",
        "client.pty_connect('pty_x').read()",
    ],
)
def test_ctrl_c_ends_every_wait(blocking):
    with Silent() as silent:
        program = f"""
import libopencode, os, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
client = libopencode.Client({silent.url!r}, timeout=600)
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    {blocking}
except KeyboardInterrupt:
    print("interrupted")
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.stdout == "interrupted\n", done.stderr


def test_closing_ends_the_waiting_for_a_request(client):
    control = client.tui_control()
    ended = []

    def wait():
        try:
            control.next()
        except libopencode.CancelledError as error:
            ended.append(error)

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    while control.next(0.1) is not None:
        pass
    control.close()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 2


def test_errors_of_all_kinds_are_pickled_and_copied():
    for cls in libopencode.BY_KIND.values():
        error = cls("what: why", status=404, code="X", operation="a.b", body="{}", retryable=True, sent=True)
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is cls and str(twin) == "what: why" and vars(twin) == vars(error)


def test_replies_and_updates_are_pickled_and_handles_are_not(client):
    run = client.run("Say pong")
    updates = list(run)
    for twin in (pickle.loads(pickle.dumps(updates)), copy.deepcopy(updates)):
        assert [update.to_dict().keys() for update in twin] == [u.to_dict().keys() for u in updates]
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(run)


def test_nothing_shows_a_secret():
    secret = "hunter2-very-secret"
    client = libopencode.Client(f"http://me:{secret}@127.0.0.1:9", headers={"authorization": secret})
    shown = [repr(client), str(client), client.base_url, repr(client.session), repr(client.session.list)]
    for work in (client.session.list, lambda: client.ask("x", server_timeout=0.1)):
        with pytest.raises(libopencode.OpencodeError) as caught:
            work()
        shown += [str(caught.value), repr(caught.value), repr(vars(caught.value))]
    with pytest.raises(libopencode.OpencodeError) as caught:
        libopencode.Client(f"http://me:{secret}@[broken")
    shown += [str(caught.value), repr(caught.value)]
    assert not [text for text in shown if secret in text]
    client.close()


def test_a_forked_child_leaves_the_descriptor_of_its_parent_alone():
    program = """
import libopencode, os, select
client = libopencode.Client()
fd = client.fileno()
pid = os.fork()
if pid == 0:
    mine = client.fileno()
    run = client.run("Say pong")
    is_woken = bool(select.select([mine], [], [], 60)[0])
    os._exit(0 if is_woken and mine != fd and run.result(60).text else 1)
assert os.waitpid(pid, 0)[1] == 0
print(select.select([fd], [], [], 0)[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout == "[]\n", done.stderr


def test_a_second_interpreter_is_refused_in_clear_words():
    program = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
try:
    import libopencode
    libopencode.Client
except ImportError as error:
    print("refused:", error)
else:
    print("imported")
'''
import libopencode
libopencode.Client
interpreters.run_string(interpreters.create(), code)
try:
    libopencode.Client("http://127.0.0.1:9", max_retries=0).session.list()
except libopencode.APIConnectionError:
    print("still whole")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "refused:" in done.stdout and "interpreter" in done.stdout, done.stdout
    assert "still whole" in done.stdout


def test_help_tells_the_arguments_of_an_operation(client):
    text = client.session.update.__doc__
    assert "session.update(sessionID: str, *, " in text and "title: str = ..." in text
    assert "directory: str = ..." in text and "timeout: float = ..." in text
    assert "Literal['once', " in client.permission.reply.__doc__
    assert libopencode.AsyncClient().session.update.__doc__ == text


def test_a_page_is_not_lost_when_nobody_waits_for_it():
    async def main():
        async with libopencode.AsyncClient() as client:
            session = (await client.session.create())["id"]
            for number in range(3):
                part = {"type": "text", "text": str(number)}
                await client.session.prompt(session, noReply=True, parts=[part])
            pages = client.messages(session, page=1)
            seen = []
            while True:
                task = asyncio.ensure_future(pages.__anext__())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                task.cancel()
                try:
                    seen.append(await task)
                    continue
                except asyncio.CancelledError:
                    pass
                except StopAsyncIteration:
                    break
                try:
                    seen.append(await pages.__anext__())
                except StopAsyncIteration:
                    break
            assert [message["parts"][0]["text"] for message in seen] == ["2", "1", "0"]

    asyncio.run(main())


def test_asyncio_says_in_the_same_words_that_the_time_is_up():
    slow = scripted("slow", '[{"text":"a b c d","delay_ms":500}]')

    async def main():
        async with libopencode.AsyncClient() as client:
            for timeout in (0.2, datetime.timedelta(seconds=0.2)):
                with pytest.raises(libopencode.APITimeoutError, match="not finished within 0.2 s"):
                    await client.ask(slow, timeout=timeout)

    asyncio.run(main())


def test_asyncio_reads_an_answer_once():
    async def main():
        async with libopencode.AsyncClient() as client:
            call = client.start("global.health")
            await call
            read = 0
            wait = call._call.wait

            class Counting:
                def wait(self, timeout):
                    nonlocal read
                    read += 1
                    return wait(timeout)

                def poll(self):
                    return "done"

            call._call = Counting()
            await client.ask("Say pong")
            assert read == 0

    asyncio.run(main())


def test_a_loop_ends_although_a_prompt_cannot_be_sent():
    program = """
import asyncio, libopencode, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
client = libopencode.AsyncClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
async def main():
    run = client.run("x", server_timeout=600)
    try:
        await asyncio.wait_for(run.detach(), 1)
    except asyncio.TimeoutError:
        print("given up")
asyncio.run(main())
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "given up\nended\n", done.stderr


def test_asyncio_takes_the_next_request_after_a_failure():
    async def main():
        async with libopencode.AsyncClient("http://127.0.0.1:9", max_retries=0) as client:
            control = client.tui_control()
            for _ in range(2):
                with pytest.raises(libopencode.APIConnectionError):
                    await control.next(10)
                assert control._question is None

    asyncio.run(main())


def test_cancelling_ends_the_request():
    async def main():
        with Silent() as silent:
            async with libopencode.AsyncClient(silent.url) as client:
                tasks = [asyncio.ensure_future(client.call("global.health")) for _ in range(30)]
                await asyncio.sleep(0.2)
                for task in tasks:
                    task.cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(result) for result in done} == {asyncio.CancelledError}
                assert not client._waker._loops

    asyncio.run(main())


def test_a_client_serves_one_loop_after_the_other():
    client = libopencode.AsyncClient()
    for _ in range(3):
        assert asyncio.run(client.ask("Say pong")).text
    asyncio.run(client.close())


def test_every_public_name_is_documented():
    missing = []
    for name in libopencode.__all__:
        thing = getattr(libopencode, name)
        if isinstance(thing, type):
            if not thing.__doc__:
                missing.append(name)
            for attribute in dir(thing):
                value = getattr(thing, attribute)
                module = getattr(value, "__module__", None) or ""
                is_ours = module.startswith("libopencode") or isinstance(value, property)
                if not attribute.startswith("_") and is_ours and not value.__doc__:
                    missing.append(f"{name}.{attribute}")
        elif callable(thing) and not thing.__doc__:
            missing.append(name)
    client = libopencode.Client()
    for path in libopencode._native.OPERATIONS:
        operation = client
        for attribute in path.split("."):
            operation = getattr(operation, attribute)
        if not operation.__doc__ or "(" not in operation.__doc__:
            missing.append(path)
    assert missing == []


def test_a_log_to_a_closed_stderr_ends_nothing():
    program = """if True:
        import os, libopencode, sys
        r, w = os.pipe()
        os.close(r)
        os.dup2(w, 2)
        with libopencode.Client() as client:
            print(client.ask("hello").text, flush=True)
    """
    environment = os.environ | {"OPENCODE_LOG": "debug"}
    arguments = [sys.executable, "-c", program]
    ended = subprocess.run(
        arguments, env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip()


def test_runs_of_the_parent_are_closed_in_a_forked_child():
    program = """if True:
        import os, signal, socket, libopencode
        listener = socket.create_server(("127.0.0.1", 0))
        client = libopencode.Client("http://127.0.0.1:%d" % listener.getsockname()[1], events=False)
        run = client.run("left to the parent")
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                try:
                    for update in run:
                        pass
                    run.result()
                    os._exit(1)
                except libopencode.ClosedError:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            assert status == 0, status
        print("closed", run.state)
        os._exit(0)
    """
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == ["closed", "pending"], ended.stdout + ended.stderr


def test_forked_children_choose_different_ids():
    # The mark of a new session is the id that a request shows first.
    program = """if True:
        import os, re, signal, socket, time, libopencode
        def listen():
            listener = socket.create_server(("127.0.0.1", 0))
            return listener, "http://127.0.0.1:%d" % listener.getsockname()[1]
        def mark(listener):
            found = None
            while not found:
                # Not each request shows the id.
                said, connection = b"", listener.accept()[0]
                connection.settimeout(1)
                try:
                    while not found and (piece := connection.recv(4096)):
                        said += piece
                        found = re.search(rb"run_([0-9a-zA-Z]{26})", said)
                except TimeoutError:
                    pass
            return found[1].decode()
        listener, address = listen()
        client = libopencode.Client(address, events=False)
        client.run("made before the fork")
        mark(listener)
        for _ in range(4):
            # What the child before it has asked waits at another one.
            listener, address = listen()
            child = os.fork()
            if child == 0:
                libopencode.Client(address, events=False).run("x")
                time.sleep(60)
                os._exit(0)
            print(mark(listener)[12:], flush=True)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os._exit(0)
    """
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        stdout=subprocess.PIPE, text=True, timeout=120, check=True,
    )
    ids = said.stdout.split()
    assert len(set(ids)) == 4, ids


def test_close_ends_what_blocks_in_other_threads():
    with Silent() as server:
        client = libopencode.Client(server.url)
        ended = {}
        waits = {
            "call": lambda: client.session.list(),
            "ask": lambda: client.ask("x"),
            "result": lambda: client.run("x").result(),
            "pages": lambda: list(client.sessions()),
            "usage": lambda: client.usage("ses_1"),
            "pty": lambda: client.pty("true"),
            "output": lambda: client.pty_connect("pty_1").read(),
            "control": lambda: client.tui_control().next(),
        }

        def wait(name):
            try:
                waits[name]()
            except libopencode.OpencodeError as error:
                ended[name] = error.kind

        threads = [threading.Thread(target=wait, args=[name], daemon=True) for name in waits]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        with pytest.warns(RuntimeWarning):
            client.close()
        for thread in threads:
            thread.join(10)
        assert ended == dict.fromkeys(waits, "closed")
