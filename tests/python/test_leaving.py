"""Who starts a run and leaves at once: its prompt is sent all the same, or the loss is told."""

import asyncio
import subprocess
import sys
import time

import pytest

import opencode

ENDS = {
    "the last line of a program": "opencode.Client().run({prompt!r}, title={title!r})",
    "a client and a run that stay": "c = opencode.Client(); run = c.run({prompt!r}, title={title!r})",
    "a run whose client is gone": "run = opencode.Client().run({prompt!r}, title={title!r})",
    "a block": "exec(\"with opencode.Client() as c: c.run({prompt!r}, title={title!r})\")",
    "a session": "c = opencode.Client(); s = c.session.create(title={title!r})['id']; c.run({prompt!r}, session=s)",
    "an exit": "c = opencode.Client(); c.run({prompt!r}, title={title!r}); raise SystemExit",
}


@pytest.mark.parametrize("way", ENDS)
def test_a_run_that_is_left_is_sent(client, way):
    client.session.create()
    # A machine that has much to do may need longer than the second that there is; then it is told.
    for n in range(5):
        title = f"left: {way} {n}"
        program = "import opencode; " + ENDS[way].format(prompt="hello", title=title)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        if "1 prompt was not sent" not in done.stderr:
            break
    assert done.stderr == ""
    [session] = client.session.list(search=title)
    until = time.monotonic() + 30
    while not client.session.messages(session["id"]):
        assert time.monotonic() < until, "it was never sent"
        time.sleep(0.05)


def test_what_is_lost_is_a_warning():
    nobody = "http://127.0.0.1:9"
    client = opencode.Client(nobody)
    run = client.run("x")
    with pytest.warns(RuntimeWarning, match="1 prompt was not sent") as told:
        client.close()
    assert told[0].filename == __file__
    assert isinstance(run.error, opencode.ClosedError) and not run.error.sent
    client.close()

    with pytest.warns(RuntimeWarning, match="1 prompt was not sent"):
        # Nobody holds it, and it is closed with its last handle.
        opencode.Client(nobody).run("x")

    async def main():
        async with opencode.AsyncClient(nobody) as client:
            client.run("x")

    with pytest.warns(RuntimeWarning, match="1 prompt was not sent"):
        asyncio.run(main())

    program = f"import opencode; c = opencode.Client({nobody!r}); run = c.run('x')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "1 prompt was not sent before the program ended" in done.stderr
