"""What makes no sense is refused before anything is sent."""

import asyncio
import datetime
import select
import socket

import pytest

import libopencode

NONSENSE = ["soon", -1, float("nan"), True, b"1", [1], datetime.timedelta(seconds=-1)]


@pytest.fixture
def nobody():
    """An address at which nobody may connect."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert not select.select([listener], [], [], 0.3)[0], "something was sent"


@pytest.mark.parametrize("timeout", NONSENSE, ids=str)
def test_ask_with_a_wrong_timeout_sends_nothing(nobody, timeout):
    async def main():
        async with libopencode.AsyncClient(nobody) as client:
            await client.ask("x", timeout=timeout)

    with libopencode.Client(nobody) as client:
        with pytest.raises(libopencode.InvalidArgumentError, match="timeout must be a number of seconds"):
            client.ask("x", timeout=timeout)
    with pytest.raises(libopencode.InvalidArgumentError, match="timeout must be a number of seconds"):
        asyncio.run(main())


@pytest.mark.parametrize("policy", [{"permission": "ask"}, {"question": "ask"}], ids=str)
def test_ask_with_a_policy_that_nobody_could_answer_sends_nothing(nobody, policy):
    async def main():
        async with libopencode.AsyncClient(nobody) as client:
            await client.ask("x", **policy)

    with libopencode.Client(nobody) as client:
        with pytest.raises(libopencode.InvalidArgumentError, match="use run, or another policy"):
            client.ask("x", **policy)
    with pytest.raises(libopencode.InvalidArgumentError, match="use run, or another policy"):
        asyncio.run(main())
    with libopencode.Client(nobody, **policy) as client:
        with pytest.raises(libopencode.InvalidArgumentError, match="use run, or another policy"):
            client.ask("x")


def test_waiting_for_a_request_of_a_terminal_interface_with_a_wrong_timeout_takes_none(nobody):
    async def main():
        async with libopencode.AsyncClient(nobody) as client:
            control = client.tui_control()
            with pytest.raises(libopencode.InvalidArgumentError):
                await control.next("soon")
            assert control._question is None, "it is asked all the same, and what comes is nobody's"

    asyncio.run(main())


def test_a_cancel_with_a_wrong_timeout_cancels_nothing():
    async def main(url):
        client = libopencode.AsyncClient(url)
        run = client.run("x")
        for timeout in NONSENSE:
            with pytest.raises(libopencode.InvalidArgumentError):
                await run.cancel(timeout)
        await asyncio.sleep(0.3)
        assert run.state == "pending"
        assert await run.cancel(60) == "failed"
        await client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(main(f"http://127.0.0.1:{listener.getsockname()[1]}"))


def test_times_without_end_are_fine():
    assert libopencode._options.seconds("timeout", 10**400) == float("inf")
    with libopencode.Client() as client:
        assert client.ask("Say pong", timeout=10**400).text
        assert client.ask("Say pong", timeout=datetime.timedelta(minutes=1)).text
