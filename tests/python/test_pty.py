"""Terminals on the real server."""

import asyncio
import time

import libopencode
import pytest


def until(pty, wanted):
    everything, end = "", time.monotonic() + 60
    while wanted not in everything:
        assert time.monotonic() < end, everything
        text = pty.read(1.0)
        assert text is not None, everything
        everything += text
    return everything


def test_a_shell_is_driven_resized_and_ends(client):
    pty = client.pty("bash", ["--norc", "--noprofile"], env={"PS1": "> "}, cols=101, rows=33)
    until(pty, "> ")
    pty.write("stty size; echo $((6*7))-é😀\n")
    assert "33 101" in until(pty, "42-é😀")
    pty.resize(90, 20)
    pty.write("stty size\n")
    until(pty, "20 90")
    assert pty.exit_code is None and not pty.is_over
    pty.write("exit 3\n")
    assert "exit" in "".join(pty)
    assert (pty.exit_code, pty.is_over, pty.is_complete) == (3, True, True)
    assert pty.read() is None
    with pytest.raises(libopencode.ClosedError):
        pty.write("x")


def test_reading_with_zero_never_waits(client):
    with client.pty(command="cat") as pty:
        pty.write("hello\n")
        text, ticks = "", 0
        while text.count("hello") < 2:
            text += pty.read(0)
            ticks += 1
        assert ticks > 10
        with client.pty_connect(pty.id, cursor=pty.cursor) as other:
            pty.write("more\n")
            until(other, "more")
            pty.kill()
            while other.read() is not None:
                pass
    with pytest.raises(libopencode.NotFoundError):
        pty.kill()


def test_mistakes_with_terminals(client):
    with pytest.raises(TypeError, match="cvd"):
        client.pty("x", cvd="/")
    with pytest.raises(libopencode.InvalidArgumentError, match="0 columns"):
        client.pty("cat").resize(0, 1)
    with pytest.raises(libopencode.NotFoundError, match="pty_nobody"):
        client.pty_connect("pty_nobody", server_timeout=600).read()
    with pytest.raises(libopencode.InternalServerError):
        client.pty("no-such-program")
    assert isinstance(client.pty.list(), list)


def test_terminals_in_asyncio():
    async def main():
        async with libopencode.AsyncClient() as client:
            pty = await client.pty("bash", ["--norc", "-c", "read x; echo got-$x; exit 4"])
            assert await pty.read(0.01) is not None
            pty.write("this\n")
            text = ""
            async for piece in pty:
                text += piece
            assert "got-this" in text and pty.exit_code == 4
            # A terminal that nobody reads does not keep the others from being awaited.
            idle = await client.pty("bash", ["-c", "echo unread; sleep 100"])
            assert (await client.ask("Say pong")).text
            await idle.kill()
            async with await client.pty("bash", ["--norc", "-c", "read x; stty size; read x"]) as pty:
                pty.resize(77, 11)
                other = client.pty_connect(pty.id, cursor=pty.cursor)
                pty.write("\n")
                text = ""
                while "11 77" not in text:
                    piece = await other.read(30)
                    assert piece, text
                    text += piece
                await other.close()
                assert any(one["id"] == pty.id for one in (await client.v2.pty.list())["data"])
                await pty.kill()

    asyncio.run(asyncio.wait_for(main(), 60))
