"""The examples for hosts, each in its real host: python3 hosts.py FOLDER_OF_MODULES HOST..."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = Path(sys.argv[1])
EXAMPLES = Path(__file__).parent.parent.parent / "examples"
HERE = Path(__file__).parent / "host"
PATIENCE = 60


def scripted(words, *steps):
    return f"{words} @@{json.dumps(list(steps))}"


def module(flavour):
    return MODULES / flavour / "libopencode.so"


def place(*pairs):
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def run(command, folder, **variables):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, timeout=PATIENCE, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    return done.stdout


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def post(port, text):
    """The body of an answer."""
    body = text.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        head = f"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode()


def test_love(folder):
    """Frames go on whatever the server does; the game needs nothing on LUA_CPATH."""
    game = folder / "game"
    place(
        (module("lua51"), folder / "libopencode.so"),
        (EXAMPLES / "love/main.lua", game / "game.lua"),
        (HERE / "love/main.lua", game / "main.lua"),
        (HERE / "love/conf.lua", game / "conf.lua"),
    )
    read = {"name": "read", "arguments": {"filePath": "/etc/hostname"}}
    servers = {
        "slow": scripted("slow", {"tools": [read]}, {"text": "a slow answer", "delay_ms": 100}),
        "flood": scripted("flood", {"text": "word " * 8000, "chunk": 8, "delay_ms": 0}),
        "dead": "nobody hears this",
    }
    for name, prompt in servers.items():
        dead = {"OPENCODE_BASE_URL": "http://127.0.0.1:9"} if name == "dead" else {}
        said = run(["love", str(game)], folder, PROMPT=prompt, XDG_DATA_HOME=str(folder), **dead)
        lines = [line for line in said.splitlines() if line.startswith("{")]
        assert lines, said
        seen = json.loads(lines[-1])
        print(f"LÖVE, {name}: {seen}")
        # The machine of the tests may be busy; a wait of ours would be in each of these frames.
        assert seen["frames"] > 50 and seen["slow"] <= seen["frames"] / 20, seen
        if name == "slow":
            assert seen["answer"] == len("a slow answer") and seen["asked"], seen
        if name == "flood":
            assert seen["answer"] == 40000, seen


def test_haproxy(folder):
    """A service answers, and others are answered meanwhile."""
    port = free_port()
    hosts = EXAMPLES / "lua/hosts"
    variables = {
        **os.environ, "LUA_CPATH": str(MODULES / "lua53/?.so"), "OPENCODE_HAPROXY_PORT": str(port),
        "OPENCODE_HAPROXY_LUA": str(hosts / "haproxy.lua"),
    }
    with subprocess.Popen(["haproxy", "-db", "-f", str(hosts / "haproxy.cfg")], env=variables) as haproxy:
        try:
            side_by_side(port, haproxy)
        finally:
            haproxy.terminate()


def test_nginx(folder):
    """The same, as a stream."""
    port = free_port()
    text = (EXAMPLES / "lua/hosts/nginx.conf").read_text()
    text = text.replace("8082", str(port)).replace("/usr/local/lib/lua/5.1", str(MODULES / "lua51"))
    # An nginx that is only unpacked has no folders of its own.
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    text = text.replace("http {", "http { access_log off;" + "".join(f" {name}_temp_path {folder}/{name};" for name in places))
    (folder / "nginx.conf").write_text(text)
    (folder / "modules").symlink_to(os.environ.get("NGINX_MODULES", "/usr/lib/nginx/modules"))
    settings = f"pid {folder}/nginx.pid; error_log stderr;"
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", settings]
    with subprocess.Popen(command) as nginx:
        try:
            side_by_side(port, nginx)
        finally:
            nginx.terminate()


def side_by_side(port, host):
    """A slow answer holds no quick one up."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert host.poll() is None, "the host has ended"
            assert time.monotonic() < until, "the host does not listen"
            time.sleep(0.05)
    slow = subprocess.Popen(
        [sys.executable, __file__, str(MODULES), f"--post={port}",
         scripted("slow", {"text": "one two three", "first_delay_ms": 3000})],
        stdout=subprocess.PIPE, text=True,
    )
    time.sleep(0.5)
    assert "quick" in (answer := post(port, scripted("q", {"text": "quick"}))), answer
    assert slow.poll() is None, "the slow one was answered first"
    said = slow.communicate(timeout=PATIENCE)[0]
    assert "three" in said, said
    nothing = post(port, "")
    assert " 400 " in nothing.splitlines()[0] and "send a prompt" in nothing, nothing


def test_luanti(folder):
    """Chat lines, permissions, one prompt at a time; steps are as long with a run as without."""
    mods = folder / "world/worldmods"
    place(
        *((EXAMPLES / "luanti" / name, mods / "ai" / name) for name in ("init.lua", "mod.conf")),
        (module("lua51"), mods / "ai/libopencode.so"),
        (HERE / "luanti/init.lua", mods / "ai_test/init.lua"),
        (HERE / "luanti/mod.conf", mods / "ai_test/mod.conf"),
    )
    (folder / "world/world.mt").write_text(
        "gameid = devtest\nbackend = dummy\nplayer_backend = dummy\nauth_backend = files\n"
        "load_mod_ai = true\nload_mod_ai_test = true\n"
    )
    (folder / "minetest.conf").write_text(
        f"secure.trusted_mods = ai\ndedicated_server_step = 0.05\nport = {free_port()}\nai_pause = 1\n"
    )
    read = {"name": "read", "arguments": {"filePath": "/etc/hostname"}}
    program = shutil.which("minetestserver") or "/usr/games/minetestserver"
    said = run(
        [program, "--config", str(folder / "minetest.conf"), "--world", str(folder / "world"), "--logfile", ""],
        folder, PROMPT=scripted("tell", {"tools": [read]}, {"text": "first line\nsecond line", "delay_ms": 300}),
    )
    seen = [line.split("AI_TEST ", 1)[1] for line in said.splitlines() if "AI_TEST " in line]
    print("Luanti:", *seen, sep="\n  ")
    for part in ("[ai] first line", "[ai] second line", "The agent wants: external_directory", "still answers"):
        assert any(part in line for line in seen), (part, said)


def test_mpv(folder):
    """A script message asks, and the answer is shown."""
    path = folder / "socket"
    command = ["mpv", "--no-config", "--idle", "--vo=null", "--ao=null", f"--input-ipc-server={path}"]
    command.append(f"--script={EXAMPLES}/lua/hosts/mpv.lua")
    variables = {**os.environ, "LUA_CPATH": str(MODULES / "lua52/?.so")}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as mpv:
        try:
            until = time.monotonic() + PATIENCE
            while not path.exists() and time.monotonic() < until:
                time.sleep(0.05)
            message = ["script-message", "ask", scripted("why", {"text": "because it is so"})]
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(str(path))
                control.sendall(json.dumps({"command": message}).encode() + b"\n")
                said = ""
                while "because it is so" not in said and (line := mpv.stdout.readline()):
                    said += line
                control.sendall(b'{"command": ["quit"]}\n')
            assert "because it is so" in said, said
        finally:
            mpv.terminate()


def test_tshark(folder):
    """The agent is told what a capture holds."""
    frame = bytes(12) + b"\x08\x00" + bytes.fromhex("4500001c00000000401100007f0000017f000001") + bytes.fromhex("0035003500080000")
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    (folder / "x.pcap").write_bytes(header + struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    said = run(
        ["tshark", "-q", "-X", f"lua_script:{EXAMPLES}/lua/hosts/tshark.lua", "-r", "x.pcap"], folder,
        LUA_CPATH=str(MODULES / "lua52/?.so"), TSHARK_QUESTION=scripted("see", {"text": "one frame, no more"}),
    )
    assert "one frame, no more" in said, said


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[2].startswith("--post="):
        print(post(int(sys.argv[2].removeprefix("--post=")), sys.argv[3]))
        sys.exit()
    for host in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            globals()[f"test_{host}"](Path(folder))
            print(f"ok {host} ({time.monotonic() - begin:.1f} s)")
