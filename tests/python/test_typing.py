"""What annotations say while a program runs: to Pydantic, FastAPI, decorators, `help` and notebooks."""

import inspect
import pathlib
import pickle
import subprocess
import sys
import typing

import pytest

import libopencode
from conftest import scripted

DUNDERS = {"__init__", "__call__", "__iter__", "__next__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__await__"}


def functions():
    """Every public function of the package with its name."""
    for name in libopencode.__all__:
        thing = getattr(libopencode, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            for member in dir(thing):
                if member.startswith("_") and member not in DUNDERS:
                    continue
                found = inspect.getattr_static(thing, member)
                found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
                if inspect.isfunction(found) and found.__module__.startswith("libopencode"):
                    yield f"{name}.{member}", found


def test_the_hints_of_every_public_function_can_be_read():
    found = dict(functions())
    assert len(found) > 150 and {"Client.ask", "AsyncClient.run", "Server.start", "discover"} <= set(found)
    for name, function in found.items():
        try:
            typing.get_type_hints(function)
        except Exception as error:
            pytest.fail(f"{name}: {error!r}")
    hints = typing.get_type_hints(libopencode.Client.ask)
    assert hints["return"] is libopencode.Reply
    assert typing.get_args(hints["when_busy"])[0] == typing.Literal["queue", "refuse", "send"]


def test_no_public_function_takes_options_that_it_does_not_name():
    open_ones = {name for name, f in functions() if inspect.getfullargspec(f).varkw is not None}
    # It takes the arguments of the operation that it is given.
    assert open_ones == {"Client.start", "AsyncClient.start"}


def test_signatures_and_help_show_the_options():
    for function in (libopencode.Client.ask, libopencode.AsyncClient.run, libopencode.Server.start):
        signature = inspect.signature(function)
        names = [name for name in signature.parameters if name not in ("self", "prompt")]
        assert len(names) > 10
        for name in names:
            assert f"{name}: " in function.__doc__, (function, name)
    with libopencode.Client() as client:
        assert "cols" in inspect.signature(client.pty).parameters
        update = inspect.signature(client.session.update)
        assert list(update.parameters)[0] == "sessionID"
        assert {"title", "directory", "timeout"} <= set(update.parameters)
        assert inspect.signature(client.session.get).parameters["sessionID"].default is inspect.Parameter.empty


def test_importing_the_package_imports_neither_typing_nor_asyncio():
    program = "import sys; before = set(sys.modules); import libopencode; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, env=None)
    if done.returncode:
        # Without site-packages an installed package is not found; its folder is then named.
        folder = str(pathlib.Path(libopencode.__file__).parent.parent)
        program = f"import sys; sys.path.insert(0, {folder!r}); " + program
        done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "libopencode" in done.stdout
    for name in ("'typing'", "'asyncio'", "'datetime'", "'inspect'", "'re'"):
        assert name not in done.stdout, done.stdout


def test_dir_lists_the_public_names_and_nothing_else():
    assert dir(libopencode) == sorted(libopencode.__all__)
    for name in dir(libopencode):
        getattr(libopencode, name)


def test_the_types_of_the_server_are_told_apart_and_are_dicts():
    session, message = libopencode.types.Session, libopencode.types.AssistantMessage
    assert session is not message and issubclass(session, dict)
    assert session(id="ses_1") == {"id": "ses_1"} and session.__name__ == "Session"
    assert libopencode.types.Session is session
    for name in dir(libopencode.types):
        getattr(libopencode.types, name)


def test_updates_are_told_apart_by_type_by_class_and_by_match(client):
    bash = '{"name":"bash","arguments":{"command":"echo hi","description":"d"}}'
    run = client.run(scripted("tell", f'[{{"tools":[{bash}]}},{{"text":"the end"}}]'), permission="once")
    text, tools = "", set()
    for update in run:
        assert isinstance(update, libopencode.Update)
        match update:
            case libopencode.TextUpdate(delta=delta):
                assert update.type == "text"
                text += delta
            case {"type": "tool", "part": part}:
                assert isinstance(update, libopencode.ToolUpdate)
                tools.add(part["tool"])
            case libopencode.DoneUpdate(reply=libopencode.Reply(cost=cost)):
                assert cost > 0
    assert (text, tools) == ("the end", {"bash"})


def test_errors_know_the_status_by_two_names_and_their_body_as_an_object(client):
    with pytest.raises(libopencode.NotFoundError) as caught:
        client.session.get("ses_none")
    error = caught.value
    assert error.status_code == error.status == 404
    assert isinstance(error.body, dict) and error.body["name"] == "NotFoundError"
    again = pickle.loads(pickle.dumps(error))
    assert (again.status_code, again.body) == (404, error.body)
