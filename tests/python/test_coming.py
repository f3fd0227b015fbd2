"""Each call that docs/python.md names for those who come from another SDK runs on the server."""

import ast
import asyncio
import pathlib
import re

import pytest

import libopencode

PAGE = pathlib.Path(__file__).parents[2] / "docs/python.md"


def calls(package):
    """The code in the right column of the table of a package."""
    section = PAGE.read_text().partition(f"\n### {package}\n")[2].partition("\n#")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    found = [code for row in rows for code in re.findall(r"`([^`]+)`", row[1])]
    # Names alone, and what needs names that only the old code has.
    return [code for code in found if ("(" in code or " in " in code) and not code.startswith(("server.", "run."))]


def world(client, model):
    """What the code may name."""
    reply = client.ask("Say pong", title="coming")
    return {"libopencode": libopencode, "session": reply.sessionID, "message": reply.messageID, "model": model}


@pytest.fixture(scope="module")
def model():
    with libopencode.Client() as client:
        pathlib.Path(client.path.get()["directory"], "a.txt").write_text("a")
        reply = client.ask("Say pong")
        return f"{reply.providerID}/{reply.modelID}"


def compiled(code):
    return compile(code, code, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_tables_name_enough():
    assert len(calls("opencode-ai")) >= 25 and len(calls("opencode-python-sdk")) >= 12
    assert len(calls("claude-agent-sdk")) >= 15


@pytest.mark.parametrize("package", ["opencode-ai", "opencode-python-sdk"])
def test_each_call_of_a_table_runs(package, model, capsys):
    with libopencode.Client() as client:
        names = world(client, model) | {"client": client}
        for code in calls(package):
            if names["session"] not in {one["id"] for one in client.session.list()}:
                names |= world(client, model)
            try:
                exec(compiled(code), dict(names))
            except Exception as error:
                pytest.fail(f"{code}: {error!r}")


def test_each_awaited_call_of_a_table_runs(model, capsys):
    async def main():
        with libopencode.Client() as blocking:
            names = world(blocking, model)
        async with libopencode.AsyncClient() as client:
            names["client"] = client
            for code in calls("claude-agent-sdk"):
                space = dict(names)
                try:
                    made = eval(compiled(code), space)
                    if made is not None:
                        await made
                except Exception as error:
                    pytest.fail(f"{code}: {error!r}")

    asyncio.run(main())


def test_retries_mean_one_thing():
    with pytest.raises(TypeError, match="max_retries"):
        libopencode.Client().run("x", max_retries=1)
    with libopencode.Client() as client:
        assert client.ask("Say pong", max_provider_retries=1).text
