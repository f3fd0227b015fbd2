"""Who starts a run and leaves at once: its prompt is sent all the same, or the loss is told."""

import asyncio
import os
import subprocess
import sys
import time
import warnings

import pytest

import libopencode

ENDS = {
    "the last line of a program": "libopencode.Client().run({prompt!r}, title={title!r})",
    "a client and a run that stay": "c = libopencode.Client(); run = c.run({prompt!r}, title={title!r})",
    "a run whose client is gone": "run = libopencode.Client().run({prompt!r}, title={title!r})",
    "a block": "exec(\"with libopencode.Client() as c: c.run({prompt!r}, title={title!r})\")",
    "a session": "c = libopencode.Client(); s = c.session.create(title={title!r})['id']; c.run({prompt!r}, session=s)",
    "an exit": "c = libopencode.Client(); c.run({prompt!r}, title={title!r}); raise SystemExit",
}


@pytest.mark.parametrize("way", ENDS)
def test_a_run_that_is_left_is_sent(client, way):
    client.session.create()
    # A machine that has much to do may need longer than the second that there is; then it is told.
    for n in range(5):
        title = f"left: {way} {n}"
        program = "import libopencode; " + ENDS[way].format(prompt="hello", title=title)
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


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_a_prompt_that_was_not_sent_when_its_time_was_up_is_never_sent(client, face):
    title = f"too late: {face}"

    async def main():
        async with libopencode.AsyncClient() as client:
            await client.ask("hello", title=title, timeout=0.0005)

    with pytest.raises(libopencode.APITimeoutError) as told:
        client.ask("hello", title=title, timeout=0.0005) if face == "blocking" else asyncio.run(main())
    assert told.value.run is None, "there is nothing to pick up"
    # It would have been sent by then.
    client.ask("hello")
    client.ask("hello")
    for session in client.session.list(search=title):
        assert not client.session.messages(session["id"])


def test_what_is_lost_is_a_warning():
    nobody = "http://127.0.0.1:9"
    client = libopencode.Client(nobody)
    run = client.run("x")
    with pytest.warns(RuntimeWarning, match="1 prompt was not sent") as told:
        client.close()
    assert told[0].filename == __file__
    assert isinstance(run.error, libopencode.ClosedError) and not run.error.sent
    client.close()

    async def main():
        async with libopencode.AsyncClient(nobody) as client:
            client.run("x")

    with pytest.warns(RuntimeWarning, match="1 prompt was not sent"):
        asyncio.run(main())


def test_a_drop_waits_for_nothing_and_its_loss_is_told_later():
    nobody = "http://127.0.0.1:9"
    with warnings.catch_warnings(record=True):
        times = []
        for _ in range(5):
            client = libopencode.Client(nobody)
            client.run("x")
            began = time.perf_counter()
            del client
            times.append(time.perf_counter() - began)
    # A close would wait a second for the prompt.
    assert min(times) < 0.2, times

    until = time.monotonic() + 60
    with pytest.warns(RuntimeWarning, match="1 prompt was not sent") as told:
        # Whoever makes the next client is told.
        while not told.list:
            assert time.monotonic() < until, "it was never told"
            libopencode.Client(nobody)
            time.sleep(0.05)
    assert told[0].filename == __file__


AT_EXIT = {
    "a client that stays": "c = libopencode.Client({nobody!r}); run = c.run('x')",
    "a run that stays": "run = libopencode.Client({nobody!r}).run('x')",
    "nothing that stays": "libopencode.Client({nobody!r}).run('x')",
    "a function": "def f():\n    c = libopencode.Client({nobody!r}); c.run('x')\nf()",
}


@pytest.mark.parametrize("way", AT_EXIT)
def test_a_loss_at_the_end_of_a_program_is_one_warning(way):
    program = "import libopencode\n" + AT_EXIT[way].format(nobody="http://127.0.0.1:9")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.count("RuntimeWarning:") == 1 and done.stderr.count("1 prompt was not sent") == 1, done.stderr


CHILD = """
import multiprocessing, sys
import libopencode

def work(address):
    libopencode.Client(address).run("left in a child")

if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=work, args=(sys.argv[2],))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_prompt_that_is_left_in_a_child_of_multiprocessing_is_sent(method, tmp_path):
    program = tmp_path / "child.py"
    title = f"left-{method}"
    program.write_text(CHILD.replace('run("left in a child")', f'run("left in a child", title="{title}")'))
    arguments = [sys.executable, str(program), method, os.environ["OPENCODE_BASE_URL"]]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with libopencode.Client() as client:
        (session,) = client.sessions(search=title)
        deadline = time.monotonic() + 30
        while not client.session.messages(session["id"]):
            assert time.monotonic() < deadline, "the prompt was never sent"
            time.sleep(0.05)
