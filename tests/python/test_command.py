"""The command `libopencode`: help, version and mistakes. What its parts do is tested with their subjects."""

import subprocess
import sys

import pytest

import libopencode


def command(*arguments):
    program = [sys.executable, "-m", "libopencode", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_names_every_command_and_is_no_failure(flag):
    done = command(flag)
    assert done.returncode == 0 and done.stderr == ""
    for name in ("ask", "sessions", "export", "usage", "events", "serve", "discover", "doctor", "replay"):
        assert f"libopencode {name}" in done.stdout


@pytest.mark.parametrize("name, words", [("discover", "mDNS"), ("doctor", "exit code"), ("replay", "recording")])
def test_each_command_says_what_it_does(name, words):
    done = command(name, "--help")
    assert done.returncode == 0 and words in done.stdout and done.stderr == ""


def test_the_version_is_that_of_the_package():
    done = command("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"libopencode {libopencode.__version__}")


WRONG = [
    [],
    ["dance"],
    ["replay"],
    ["doctor", "--fast"],
    ["ask", "--events", "x"],
    ["ask", "-c", "-s", "ses_1", "x"],
    ["export", "--format", "html"],
    ["usage", "--all", "ses_1"],
    ["sessions", "--limit", "many"],
    ["sessions", "--limit", "-1"],
]


@pytest.mark.parametrize("arguments", WRONG)
def test_a_mistake_is_told_on_standard_error(arguments):
    done = command(*arguments)
    assert done.returncode == 2 and done.stdout == "" and "usage" in done.stderr


def test_an_option_before_the_command_is_told_where_it_stands():
    done = command("--url", "http://127.0.0.1:1", "ask", "x")
    assert done.returncode == 2 and "'--url' stands behind a command, as in `libopencode ask --url ...`" in done.stderr
