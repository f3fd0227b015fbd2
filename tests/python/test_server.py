import asyncio
import gc
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import libopencode

SLOW = 60.0

HOST = """
import libopencode, os, sys
server = libopencode.Server.start(start_timeout=60)
print(server.pid, flush=True)
command = "echo $$ > %s.bash; setsid sh -c 'echo $$ > %s; exec sleep 4321' & sleep 4321" % (sys.argv[1], sys.argv[1])
call = '{"name":"bash","arguments":{"command":"%s","description":"Wait"}}' % command
client = server.client(permission="once")
run = client.run('wait @@[{"tools":[%s]},{"text":"never"}]' % call)
"""


def is_alive(pid: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2][0] not in "ZX"


def eventually(what, check):
    end = time.monotonic() + SLOW
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited for {what}")


def ended(pid: int) -> None:
    eventually("the end", lambda: not is_alive(pid))


def test_a_started_server_answers_its_client_and_ends_with_its_block():
    with libopencode.Server.start(start_timeout=SLOW) as server:
        assert server.poll() == "ready" and server.error is None
        assert f"listening on {server.url}" in server.output()
        client = server.client(timeout=30)
        assert client.base_url == server.url
        assert client.ask('Say pong @@[{"text":"pong"}]').text == "pong"
        # The password of the surroundings belongs to another server.
        secret = server.environment()["OPENCODE_SERVER_PASSWORD"]
        assert secret != os.environ["OPENCODE_SERVER_PASSWORD"]
        assert secret not in repr(server) and secret not in server.output()
        with pytest.raises(libopencode.AuthenticationError):
            libopencode.Client(server.url).global_.health()
        pid = server.pid
        assert is_alive(pid)
    assert not is_alive(pid) and server.pid is None
    assert server.poll() == "closed"
    with pytest.raises(libopencode.ClosedError):
        server.client()


def test_a_program_of_2_x_is_started_as_well():
    with libopencode.Server.start(binary=os.environ["OPENCODE_BIN_2"], start_timeout=SLOW) as server:
        client = server.client()
        assert (client.server().version, client.server().dialect) == ("2.0.15", "2.x")
        made = client.v2.session.create(title="two")["data"]
        assert [session["id"] for session in client.sessions()] == [made["id"]]
        pid = server.pid
    assert not is_alive(pid)


def test_opencode_on_the_path_may_be_of_2_x_and_ends_with_a_host_that_is_killed(tmp_path):
    (tmp_path / "opencode").symlink_to(os.environ["OPENCODE_BIN_2"])
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    variables.pop("OPENCODE_BIN", None)
    code = """
import libopencode, time
server = libopencode.Server.start(start_timeout=60)
print(server.pid, server.client().server().dialect, flush=True)
time.sleep(600)
"""
    host = subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, text=True)
    pid, dialect = host.stdout.readline().split()
    assert dialect == "2.x" and is_alive(int(pid))
    host.kill()
    host.wait(SLOW)
    ended(int(pid))


def test_a_launched_server_is_polled():
    server = libopencode.Server.launch(start_timeout=SLOW, hostname="0.0.0.0", arguments=["--mdns"])
    assert server.poll() == "starting"
    with pytest.raises(libopencode.ServerStartError, match="still starting"):
        server.client()
    assert server.wait(0) == "starting"
    eventually("the server", lambda: server.poll() == "ready")
    assert server.client().global_.health()["healthy"]
    port = server.url.rpartition(":")[2]
    eventually(
        "the announcement in the network",
        lambda: [one for one in libopencode.discover(2) if one.source == "mdns" and one.url.endswith(":" + port)],
    )
    pid = server.pid
    del server
    gc.collect()
    ended(pid)


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(libopencode.ServerStartError, match="npm install -g opencode-ai") as caught:
        libopencode.Server.start(binary="/no/opencode")
    assert caught.value.code == "missing"
    with pytest.raises(libopencode.ServerStartError, match="exit status: 1") as caught:
        libopencode.Server.start(binary=pathlib.Path("/bin/false"))
    assert caught.value.code == "exited"
    with pytest.raises(libopencode.InvalidArgumentError, match="no directory"):
        libopencode.Server.start(directory="/no/place")
    with pytest.raises(TypeError):
        libopencode.Server.start(bianry="x")


def test_its_environment_is_its_own(tmp_path):
    program = tmp_path / "opencode"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/seen; sleep 600\n")
    program.chmod(0o755)
    with libopencode.Server.launch(binary=program, config={"model": "a/b"}, environment={"LANG": None, "X": "1"}):
        seen = eventually("the script", lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text())
    variables = dict(line.split("=", 1) for line in seen.splitlines() if "=" in line)
    assert variables["X"] == "1" and "LANG" not in variables
    assert variables["OPENCODE_CONFIG_CONTENT"] == '{"model":"a/b"}'
    assert "OPENCODE_BASE_URL" not in variables
    assert os.environ["OPENCODE_SERVER_PASSWORD"] not in seen


def test_ctrl_c_ends_a_start(tmp_path):
    program = tmp_path / "opencode"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 600\n")
    program.chmod(0o755)
    code = "import libopencode, sys; libopencode.Server.start(binary=sys.argv[1])"
    host = subprocess.Popen([sys.executable, "-c", code, program], stderr=subprocess.PIPE, text=True)
    pid = int(eventually("the pid", lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    host.send_signal(signal.SIGINT)
    _, errors = host.communicate(timeout=SLOW)
    assert "KeyboardInterrupt" in errors
    # Ctrl-C may come before there is anything to close: then the server ends as that of any host that is gone.
    ended(pid)


def test_nothing_is_left_of_a_server_whose_host_is_gone(tmp_path):
    # The tool is there before the host goes.
    wait = "import time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
    # Side by side: most of it is waiting.
    hosts = []
    for number, end in enumerate(["import time; time.sleep(600)", "raise ValueError", "sys.exit(3)", "os._exit(0)"]):
        tool = tmp_path / f"tool{number}"
        program = [sys.executable, "-c", HOST + wait + end, str(tool)]
        host = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        hosts.append((end, tool, host))
    for end, tool, host in hosts:
        server = int(host.stdout.readline())
        started = int(eventually("the tool", lambda: tool.exists() and tool.read_text()))
        bash = int(pathlib.Path(f"{tool}.bash").read_text())
        if "sleep" in end:
            assert is_alive(server) and is_alive(started) and is_alive(bash)
            host.kill()
        host.wait(SLOW)
        ended(server)
        ended(started)
        ended(bash)


def test_a_host_may_have_closed_its_standard_streams(tmp_path):
    code = """
import os, sys, time
for stream in (0, 1, 2):
    os.close(stream)
import libopencode
server = libopencode.Server.start(start_timeout=60)
# What daemons do.
nothing = os.open(os.devnull, os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(nothing, stream)
time.sleep(1)
healthy = server.client().global_.health()["healthy"]
state = server.poll()
server.close()
open(sys.argv[1], "w").write(f"{healthy} {state} {server.poll()}")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "seen")], timeout=SLOW)
    assert (tmp_path / "seen").read_text() == "True ready closed"


def test_a_forked_child_leaves_the_server_to_its_parent():
    with libopencode.Server.start(start_timeout=SLOW) as server:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                server.close()
                del server
                gc.collect()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert server.client().global_.health()["healthy"]


def test_a_forked_child_does_not_keep_the_server_of_a_killed_parent():
    code = """
import libopencode, os, sys, time
server = libopencode.Server.start(start_timeout=60)
child = os.fork()
if child == 0:
    time.sleep(600)
print(server.pid, child, flush=True)
time.sleep(600)
"""
    host = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    server, child = map(int, host.stdout.readline().split())
    host.kill()
    host.wait()
    try:
        ended(server)
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_asyncio():
    async def use() -> int:
        async with await libopencode.AsyncServer.start(start_timeout=SLOW) as server:
            client = server.client()
            async with client:
                reply = await client.ask('Say pong @@[{"text":"pong"}]')
                assert reply.text == "pong"
            return server.pid

    pid = asyncio.run(use())
    assert not is_alive(pid)


def test_asyncio_cancelling_a_start_ends_it(tmp_path):
    program = tmp_path / "opencode"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 600\n")
    program.chmod(0o755)

    async def use() -> None:
        task = asyncio.ensure_future(libopencode.AsyncServer.start(binary=program))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    # Who cancels does not wait for the end, which comes all the same.
    pid, until = int((tmp_path / "pid").read_text()), time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
