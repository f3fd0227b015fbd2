import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

import libopencode


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *(code.split() if code.startswith("-m ") else ["-c", code])],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return done.stdout


FIND = "import json, libopencode; print(json.dumps([one.to_dict() for one in libopencode.discover(4)]))"


@pytest.fixture
def second():
    """A background service of OpenCode 2.x, which wants a password."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers.get("authorization") == "Basic b3BlbmNvZGU6aHVudGVyMg=="
            body = json.dumps({"version": "2.0.5", "pid": 7}).encode()
            status = 401 if not known else 200 if self.path == "/api/info" else 404
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body) if status == 200 else 0))
            self.end_headers()
            if status == 200:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_server_of_the_environment_is_found():
    found = [one for one in libopencode.discover(4) if one.source == "environment"]
    assert len(found) == 1
    assert found[0].url == os.environ["OPENCODE_BASE_URL"]
    assert (found[0].version, found[0].dialect, found[0].needs_password) == ("1.18.33", "1.x", True)


def test_a_service_of_2_x_is_found_by_its_file(second, tmp_path):
    folder = tmp_path / "opencode"
    folder.mkdir()
    (folder / "service.json").write_text(json.dumps({"url": second, "pid": 7, "password": "hunter2"}))
    text = python(FIND, XDG_STATE_HOME=str(tmp_path))
    assert "hunter2" not in text
    found = {one["url"]: one for one in json.loads(text)}
    assert found[second] == {
        "url": second,
        "version": "2.0.5",
        "dialect": "2.x",
        "needs_password": True,
        "source": "service",
    }
    # The password of the environment is for the server of the environment alone.
    (folder / "service.json").write_text(json.dumps({"url": second, "pid": 7}))
    found = {one["url"]: one for one in json.loads(python(FIND, XDG_STATE_HOME=str(tmp_path)))}
    assert found[second]["needs_password"] and found[second]["version"] is None


def test_the_real_service_of_2_x_is_found(tmp_path):
    (tmp_path / "home").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = {"OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME", "OPENCODE_PASSWORD"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path / "home")}
    command = [os.environ["OPENCODE_BIN_2"], "serve", "--service", "--hostname", "127.0.0.1", "--port", str(port)]
    with open(tmp_path / "output", "wb") as output:
        service = subprocess.Popen(command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        found = []
        while not found and time.monotonic() < end:
            assert service.poll() is None, (tmp_path / "output").read_text()
            if not (tmp_path / "opencode" / "service.json").exists():
                time.sleep(0.05)
                continue
            text = python(FIND.replace("4", "2"), XDG_STATE_HOME=str(tmp_path))
            found = [one for one in json.loads(text) if one["source"] == "service" and one["version"]]
        assert found[0]["url"].endswith(f":{port}") and found[0]["needs_password"]
        assert (found[0]["version"], found[0]["dialect"]) == ("2.0.15", "2.x")
        password = json.loads((tmp_path / "opencode" / "service.json").read_text())["password"]
        assert password and password not in text
    finally:
        service.terminate()
        service.wait(60)


def test_a_port_that_hangs_costs_no_more_than_the_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        code = (
            "import libopencode, time; began = time.monotonic(); found = libopencode.discover(2); "
            "print(time.monotonic() - began, [one.url for one in found])"
        )
        taken, found = python(code, OPENCODE_BASE_URL=url).split(" ", 1)
    assert url not in found
    assert float(taken) < 3 * 2


def test_a_client_tells_what_its_server_is(client):
    info = client.server()
    assert (info.version, info.dialect, repr(info)) == ("1.18.33", "1.x", "<libopencode.ServerInfo 1.18.33 (1.x)>")

    async def ask():
        async with libopencode.AsyncClient(dialect="auto") as other:
            return await other.server()

    assert asyncio.run(ask()) == info
    with pytest.raises(libopencode.APIConnectionError):
        libopencode.Client("http://127.0.0.1:9").server()
    with pytest.raises(libopencode.InvalidArgumentError, match='"auto", 1 or 2'):
        libopencode.Client(dialect=3)
    with libopencode.Client(dialect=2) as second, pytest.raises(libopencode.UnsupportedError, match="2.x only"):
        second.session.list()


def test_a_doctor_says_what_works(client):
    found = client.doctor()
    names = [check.check for check in found.checks]
    assert names == ["server", "password", "version", "directory", "model", "ripgrep", "events", "clock"]
    assert found.ok and str(found).count("\n") == len(names) - 1
    assert {check.status for check in found.checks} <= {"ok", "warn"}
    dead = libopencode.Client("http://127.0.0.1:9").doctor()
    assert not dead.ok and "opencode serve" in dead.checks[0].advice

    async def use():
        async with libopencode.AsyncClient() as other:
            return await other.doctor()

    assert asyncio.run(use()).ok


def test_the_command_line():
    text = python("-m libopencode doctor")
    assert text.startswith("ok   server") and "1.18.33 (1.x)" in text
    assert os.environ["OPENCODE_SERVER_PASSWORD"] not in text
    assert os.environ["OPENCODE_BASE_URL"] in python("-m libopencode discover")
    done = subprocess.run(
        [sys.executable, "-m", "libopencode", "doctor", "http://127.0.0.1:9"], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stdout.startswith("fail server")


def test_a_doctor_does_not_wait_for_a_server_that_hangs():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        # Five seconds are its own limit; a loaded machine may need more to get a turn.
        assert libopencode.Client(url).doctor().elapsed_ms < 3 * 5000
        done = subprocess.run(
            [sys.executable, "-m", "libopencode", "doctor", url], capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 1 and "does not answer" in done.stdout
