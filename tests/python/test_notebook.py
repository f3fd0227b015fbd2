"""What people see: in a notebook, and in a terminal."""

import asyncio
import builtins
import pathlib
import subprocess
import sys

import pytest
from conftest import scripted

import libopencode

NOTEBOOK = pathlib.Path(__file__).parents[2] / "examples/python/notebook.ipynb"


def test_the_notebook_of_the_examples_runs():
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = {cell.id: cell.get("outputs", []) for cell in notebook.cells}

    def data(cell, kind):
        return "".join(str(output.get("data", {}).get(kind, "")) for output in shown[cell])

    assert "<table>" in data("doctor", "text/html") and "what to do" in data("doctor", "text/html")
    text = data("reply", "text/markdown")
    assert text
    # One output that was changed to its last form: the text, and a line of tokens and cost.
    for cell in ("ask", "await"):
        assert len(shown[cell]) == 1, shown[cell]
        assert text in data(cell, "text/markdown") and " tokens, " in data(cell, "text/markdown")
    assert "<table>" in data("usage", "text/html") and "answers" in data("usage", "text/html")
    assert data("plot", "image/png")


def test_a_terminal_shows_the_text_as_it_comes(client, capsys):
    bash = '{"name":"read","arguments":{"filePath":"/none"}}'
    reply = client.ask(scripted("show", f'[{{"tools":[{bash}]}},{{"text":"the <end>"}}]'), show=True, permission="once")
    printed = capsys.readouterr().out
    assert "the <end>" in printed and f"[{reply.tokens['total']} tokens, " in printed
    with pytest.raises(libopencode.OpencodeError):
        client.ask("x", agent="none", show=True)
    assert "none" in capsys.readouterr().out
    run = client.run(scripted("slow", '[{"first_delay_ms": 30000}]'))
    with pytest.raises(libopencode.APITimeoutError) as caught:
        run.display(timeout=1)
    assert "not finished within 1 s" in str(caught.value)
    run.cancel()

    async def main():
        async with libopencode.AsyncClient() as other:
            assert (await other.ask("Say pong", show=True)).text in capsys.readouterr().out

    asyncio.run(main())


def test_tables_hide_nothing_and_let_no_text_be_html(client):
    diagnosis = libopencode.Diagnosis({"ok": False, "text": "", "elapsed_ms": 1, "checks": [
        {"check": "<b>", "status": "fail", "message": "a & b", "advice": ""}]})  # fmt: skip
    assert "<td>&lt;b&gt;</td><td>fail</td><td>a &amp; b</td>" in diagnosis._repr_html_()


def test_without_matplotlib_one_line_says_so(client, monkeypatch):
    usage = client.usage(client.session.create()["id"])
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="needs matplotlib"):
        usage.plot()


def test_showing_imports_nothing_that_is_not_there_already():
    program = "import libopencode, sys; libopencode.Client; import libopencode._show; print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr
