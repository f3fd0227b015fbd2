"""The wheel that is installed, on every other CPython of this machine: it is one for all of them."""

import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile

import pytest

#: The oldest that the package is for.
OLDEST = (3, 10)

PROGRAM = """
import asyncio, libopencode

with libopencode.Client() as client:
    assert client.global_.health()["healthy"] is True
    assert client.ask("Say pong").text

async def main():
    async with libopencode.AsyncClient() as client:
        assert (await client.ask("Say pong")).text

asyncio.run(main())
print(libopencode.__version__)
"""


def interpreters():
    """Every CPython that the wheel is for, one of each version, but for the one that runs this, unless it is alone.

    Builds without a global lock are not among them: they have another ABI, and take the sources.
    """
    folders = [*os.get_exec_path(), *map(str, pathlib.Path("~/.pyenv/versions").expanduser().glob("*/bin"))]
    found = {}
    for minor in range(OLDEST[1], 30):
        name = f"python3.{minor}"
        paths = (path for folder in folders if (path := shutil.which(name, path=folder)))
        if minor != sys.version_info.minor and (path := next(filter(is_cpython, paths), None)):
            found[name] = path
    return found or {"this one": sys.executable}


def is_cpython(path):
    """What stands there may be another implementation, or a shim for nothing."""
    ask = "import sys; print(sys.implementation.name, sys.abiflags)"
    done = subprocess.run([path, "-I", "-c", ask], capture_output=True, text=True, timeout=120)
    return done.stdout.strip() == "cpython"


def wheel():
    """The file that this package was installed from."""
    origin = importlib.metadata.distribution("libopencode").read_text("direct_url.json")
    assert origin, "libopencode was not installed from a wheel: cargo xtask test does that"
    return pathlib.Path(urllib.request.url2pathname(urllib.parse.urlparse(json.loads(origin)["url"]).path))


FOUND = interpreters()


def test_the_wheel_is_for_every_version_from_the_oldest_on():
    assert f"-cp{OLDEST[0]}{OLDEST[1]}-abi3-" in wheel().name


@pytest.mark.parametrize("name", FOUND)
def test_the_installed_wheel_answers_on_every_version_that_is_here(name, tmp_path):
    with zipfile.ZipFile(wheel()) as file:
        file.extractall(tmp_path)
    done = subprocess.run(
        [FOUND[name], "-s", "-c", PROGRAM],
        capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == importlib.metadata.version("libopencode")
