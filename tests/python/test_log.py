import logging
import os
import subprocess
import sys

import libopencode


def test_messages_go_to_the_logger(caplog):
    with caplog.at_level(logging.DEBUG, logger="libopencode"), libopencode.Client() as client:
        client.global_.health()
        assert client.ask("Say pong").text
    ours = [record for record in caplog.records if record.name == "libopencode"]
    assert any("GET /global/health" in record.message for record in ours)
    assert any(r.levelname == "INFO" and "done in" in r.message for r in ours)
    assert all(abs(record.created - ours[0].created) < 600 for record in ours)


def test_levels_are_kept(caplog):
    with caplog.at_level(logging.WARNING, logger="libopencode"), libopencode.Client() as client:
        client.global_.health()
        assert not [record for record in caplog.records if record.name == "libopencode"]


def test_nothing_is_printed_unless_it_is_asked_for():
    program = """
import libopencode, logging
with libopencode.Client("http://127.0.0.1:9") as client:
    client.events().next(30)
"""
    env = {name: value for name, value in os.environ.items() if name != "OPENCODE_LOG"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert (done.stdout, done.stderr) == ("", "")
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=env | {"OPENCODE_LOG": "warn"},
    )
    assert "opencode warn" in done.stderr


def test_secrets_are_not_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="libopencode"):
        secret = "hunter2-very-secret"
        with libopencode.Client(password=secret, headers={"x-key": secret}) as client:
            for call in (
                lambda: client.session.list(),
                lambda: client.ask("x"),
                lambda: client.request("GET", "/path", query={"auth_token": secret}),
                lambda: list(client.events()),
            ):
                try:
                    call()
                except libopencode.OpencodeError as error:
                    assert secret not in str(error) and secret not in repr(error)
    assert "session" in caplog.text
    assert secret not in caplog.text
    assert "aHVudGVyMi12ZXJ5" not in caplog.text, "nor encoded"


def test_secrets_are_not_printed():
    program = """
import libopencode
with libopencode.Client(password="hunter2-very-secret") as client:
    try:
        client.request("GET", "/path", query={"auth_token": "hunter2-very-secret"})
    except libopencode.AuthenticationError:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"OPENCODE_LOG": "debug"},
    )
    assert "GET /path?auth_token=***" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_program_may_end_while_messages_come():
    program = """
import logging, libopencode, threading
logging.basicConfig(level=logging.DEBUG)
client = libopencode.Client()
stream = client.events()
run = client.run("Say pong")
threading.Thread(target=lambda: list(stream), daemon=True).start()
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("end\n", 0), done.stderr


def lines_of(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_logging_that_is_set_up_after_the_client_is_followed():
    lines = lines_of("""
import libopencode
with libopencode.Client() as client:
    client.global_.health()
    import logging, sys
    logging.basicConfig(level=logging.DEBUG)
    client.session.list()
    # The level of the moment, whichever logger has it.
    logging.getLogger().setLevel(logging.ERROR)
    client.path.get()
    logging.getLogger("libopencode").setLevel(logging.DEBUG)
    client.call("config.get")
    logging.disable()
    client.vcs.get()
""")
    asked = [line for line in lines if "GET /" in line]
    assert len(asked) == 2 and "GET /session" in asked[0] and "GET /config" in asked[1], lines


def test_a_level_that_changes_while_a_run_goes_on_is_followed():
    lines = lines_of("""
import asyncio, libopencode, logging
logging.basicConfig(level=logging.ERROR)
with libopencode.Client() as client:
    run = client.run('slow @@[{"text": "a b c d e f", "delay_ms": 100}]')
    for update in run:
        if update.type == "text":
            logging.getLogger().setLevel(logging.INFO)
async def main():
    async with libopencode.AsyncClient() as client:
        logging.getLogger().setLevel(logging.ERROR)
        run = client.run('slow @@[{"text": "a b c d e f", "delay_ms": 100}]')
        async for update in run:
            if update.type == "text":
                logging.getLogger().setLevel(logging.INFO)
asyncio.run(main())
""")
    done = [line for line in lines if "done in" in line]
    assert len(done) == 2, lines


def test_a_level_that_the_client_was_given_stays():
    lines = lines_of("""
import libopencode, logging
logging.basicConfig(level=logging.DEBUG)
with libopencode.Client(log="warn") as client:
    client.session.list()
""")
    assert not [line for line in lines if "GET /" in line]
