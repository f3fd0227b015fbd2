"""An error names an option as Python calls it, whichever it is."""

import pathlib
import socket

import pytest

import libopencode

tomllib = pytest.importorskip("tomllib")

SOURCE = tomllib.loads((pathlib.Path(__file__).parents[2] / "spec" / "options.toml").read_text())
# Nothing listens there, and nothing is sent: what is wrong is told before.
NOWHERE = "http://127.0.0.1:9"


def take(noun, given):
    if noun == "client":
        return libopencode.Client(**given)
    if noun == "server":
        return libopencode.Server.start(**given)
    if noun == "attach":
        return libopencode.attach(__file__, **given)
    if noun == "discover":
        return libopencode.discover(**given)
    with libopencode.Client(NOWHERE, max_retries=0) as client:
        calls = {
            "call": lambda: client.session.list(**given),
            "prompt": lambda: client.run("x", **given),
            "compact": lambda: client.compact("ses_x", **given),
            "events": lambda: client.events(**given),
            "messages": lambda: client.messages("ses_x", **given),
            "sessions": lambda: client.sessions(**given),
            "export": lambda: client.export("ses_x", **given),
            "usage": lambda: client.usage("ses_x", **given),
            "pty": lambda: client.pty(**given),
            "ready": lambda: client.wait_until_ready(**given),
            "with": lambda: client.with_options(**given),
        }
        return calls[noun]()


def python_name(option):
    return option.get("python", option["name"])


OPTIONS = [
    (noun, option) for noun, options in SOURCE.items() for option in options if python_name(option)
]
# `session.list` has arguments of these names too, which are the server's: they may be anything, however deep.
ITS_OWN = {("call", "directory"), ("call", "workspace")}
CASES = [
    pytest.param(noun, option, value, id=f"{noun}-{option['name']}-{value}")
    for noun, option in OPTIONS
    for value in ("wrong", "deep")
    if value == "wrong" or (noun, option["name"]) not in ITS_OWN
]


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("noun", "option", "value"), CASES)
def test_what_is_wrong_is_named_as_python_calls_it(noun, option, value):
    texts = ("flag", "count", "integer", "number", "time", "dialect", "moment")
    wrong = "no such thing" if option["kind"] in texts else 7
    if option["kind"] == "lines":
        wrong = True
    name = python_name(option)
    with pytest.raises((libopencode.InvalidArgumentError, TypeError, ValueError)) as caught:
        take(noun, {name: wrong if value == "wrong" else deep(300)})
    words = str(caught.value)
    assert name in words and "_ms" not in words and "\n" not in words, words
    if name != option["name"]:
        assert option["name"] not in words.replace(name, ""), words


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_limits_are_named_as_python_calls_them(silent):
    with libopencode.Client(silent) as client:
        with pytest.raises(libopencode.RunLimitError, match="run: deadline: the run took") as caught:
            client.ask("x", deadline=0.05)
        assert caught.value.code == "deadline"
        with pytest.raises(libopencode.RunNeverStartedError, match="raise start_timeout, or"):
            client.ask("x", start_timeout=0.05)
