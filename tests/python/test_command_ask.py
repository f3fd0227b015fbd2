"""`libopencode ask` and its like, in a real terminal, in a pipe, and for machines."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

import libopencode

#: Outside of the project: the server asks.
READ = '{"name":"read","arguments":{"filePath":"/etc/hostname"}}'


def command(*arguments, stdin=subprocess.DEVNULL, **more):
    program = [sys.executable, "-m", "libopencode", *arguments]
    if isinstance(stdin, str):
        more["input"] = stdin
    else:
        more["stdin"] = stdin
    return subprocess.run(program, capture_output=True, text=True, timeout=120, **more)


class Screen:
    """A program at a terminal of its own."""

    def __init__(self, *arguments):
        self.seen = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.execv(sys.executable, [sys.executable, "-m", "libopencode", *arguments])
            finally:
                os._exit(99)

    def until(self, words, seconds=60):
        """Reads until these words came; gives what came before them and them."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            ready = select.select([self._fd], [], [], max(0, end - time.monotonic()))[0]
            piece = self._read() if ready else b""
            assert piece, f"{words!r} did not come; {self.seen!r}"
            self.seen += piece.decode(errors="replace")
        before, _, self.seen = self.seen.partition(words)
        return before + words

    def type(self, text):
        os.write(self._fd, text.encode())

    def end(self):
        """All that comes until the program ends, and its exit code."""
        while piece := self._read():
            self.seen += piece.decode(errors="replace")
        os.close(self._fd)
        return self.seen, os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self):
        try:
            return os.read(self._fd, 65536)
        except OSError:
            # The other side is closed.
            return b""


def plain(text):
    """What a terminal shows, without colours and lines that were taken away."""
    return re.sub(r"\x1b\[[0-9]*[mK]", "", text).replace("\r\n", "\n")


def test_in_a_terminal_the_answer_streams_and_permissions_are_asked():
    steps = f'[{{"text":"Let me look.","tools":[{READ},{READ}]}},{{"text":"It is *17*."}}]'
    screen = Screen("ask", "--title", "at a terminal", f"look @@{steps}")
    asked = plain(screen.until("words for the agent: "))
    assert "Let me look." in asked and "? external_directory asks for: /etc/" in asked
    screen.type("o\n")
    screen.until("words for the agent: ")
    screen.type("not twice\n")
    rest, code = screen.end()
    rest = plain(rest)
    assert code == 0 and "It is *17*.\n[local/test · " in rest, rest
    assert re.search(r"\[local/test · \d+ tokens · [\d.]+ · \d+\.\d s · ses_\w+\]", rest), rest
    assert "- read: " in rest and "\t" not in rest
    with libopencode.Client() as client:
        session = re.search(r"ses_\w+", rest).group()
        texts = json.dumps([message["parts"] for message in client.messages(session)])
    assert '"status": "completed"' in texts and "not twice" in texts, "one ran, and the other was told why not"


def test_ctrl_c_ends_the_run_on_the_server_too():
    screen = Screen("ask", 'wait @@[{"text":"begun and then silent","stall":{"after":2,"ms":60000}}]')
    screen.until("begun")
    screen.type("\x03")
    rest, code = screen.end()
    rest = plain(rest)
    assert code == 130 and "Traceback" not in rest, rest
    session = re.search(r"libopencode: aborted in session (ses_\w+)", rest).group(1)
    with libopencode.Client() as client:
        assert session not in client.session.status()


def test_a_question_of_the_agent_is_asked_with_its_choices():
    question = {"question": "Which way?", "header": "Way", "options": [{"label": "Left", "description": "west"}, {"label": "Right", "description": "east"}]}
    tool = json.dumps({"name": "question", "arguments": {"questions": [question]}})
    screen = Screen("ask", f'choose @@[{{"tools":[{tool}]}},{{"text":"gone"}}]')
    asked = plain(screen.until("to dismiss it: "))
    assert "? Which way?\n" in asked and "  2. Right: east\n" in asked
    screen.type("2\n")
    rest, code = screen.end()
    session = re.search(r"ses_\w+", plain(rest)).group()
    with libopencode.Client() as client:
        parts = json.dumps([message["parts"] for message in client.messages(session)])
    assert code == 0 and '"Right"' in parts


def test_in_a_pipe_the_answer_stands_alone():
    steps = '[{"text":"first","tools":[{"name":"glob","arguments":{"pattern":"*.x"}}]},{"text":"the answer"}]'
    done = command("ask", "-", "and this:", stdin=f"piped @@{steps}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the answer\n", "")
    done = command("ask", "--permission", "ask", "x")
    assert done.returncode == 2 and "needs a terminal" in done.stderr


def test_machines_get_lines_of_json(tmp_path):
    done = command("ask", "--json", 'x @@[{"text":"pong"}]', "-f", __file__, "-m", "local/test")
    reply = json.loads(done.stdout)
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    assert (reply["text"], reply["modelID"]) == ("pong", "test")
    done = command("ask", "--json", "--events", "-s", reply["sessionID"], 'y @@[{"text":"again"}]')
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["type"] == "done" and lines[-1]["reply"]["sessionID"] == reply["sessionID"]
    assert "".join(line["delta"] for line in lines if line["type"] == "text") == "again"
    done = command("ask", "--json", "-m", "local/none", "z")
    failed = json.loads(done.stdout)["error"]
    assert done.returncode == 1 and "none" in failed["message"] and done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the time of the processor in /proc")
def test_a_server_of_its_own_rests_ends_with_ctrl_c_and_its_end_is_told():
    def start():
        program = [sys.executable, "-m", "libopencode", "serve", "--json"]
        serving = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return serving, json.loads(serving.stdout.readline())

    def worked(serving):
        with open(f"/proc/{serving.pid}/stat") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    serving, needed = start()
    with libopencode.Client(needed["OPENCODE_BASE_URL"], password=needed["OPENCODE_SERVER_PASSWORD"]) as client:
        assert client.ask('x @@[{"text":"pong"}]').text == "pong"
        before = worked(serving)
        time.sleep(1)
        assert worked(serving) - before < 0.05, "nothing is done while nothing happens"
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=60)
        assert (serving.returncode, said) == (0, "")
        with pytest.raises(libopencode.APIConnectionError):
            client.global_.health()
    serving, needed = start()
    children = subprocess.run(["pgrep", "-P", str(serving.pid)], capture_output=True, text=True).stdout.split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    _, said = serving.communicate(timeout=60)
    assert serving.returncode == 3 and said.startswith("libopencode: ") and said.count("\n") == 1, said


def test_what_fails_is_one_line_and_the_exit_code_says_how():
    for arguments, code, words in [
        (["ask", "--url", "http://127.0.0.1:9", "x"], 3, "no server listens"),
        (["sessions", "--url", "http://127.0.0.1:9"], 3, "no server listens"),
        (["ask", "-m", "local/none", "x"], 1, "none"),
        (["export", "ses_none"], 1, "ses_none"),
        (["usage", "--since", "yesterday"], 2, "since must be a day"),
        (["ask", " "], 2, "prompt is empty"),
        (["ask", "--timeout", "-1", "x"], 2, "deadline"),
        (["ask", "--model", "", "x"], 2, "model"),
        (["ask", "--url", "ftp://x", "x"], 2, "base_url"),
    ]:
        done = command(*arguments)
        assert done.returncode == code and done.stdout == "", (arguments, done)
        assert done.stderr.startswith("libopencode: ") and done.stderr.count("\n") == 1, done.stderr
        assert words in done.stderr


@pytest.fixture
def project(tmp_path):
    """A directory with one session of its own."""
    with libopencode.Client(directory=str(tmp_path)) as client:
        return client.ask('hello @@[{"text":"there"}]', title="The only one")


def test_sessions_are_listed_exported_counted_and_gone_on_with(project, tmp_path):
    here = ["--directory", str(tmp_path)]
    line = command("sessions", *here).stdout
    assert re.fullmatch(rf"{project.sessionID}  \d{{4}}-\d\d-\d\d \d\d:\d\d  The only one\n", line), line
    assert json.loads(command("sessions", "--json", *here).stdout)["id"] == project.sessionID
    text = command("export", *here).stdout
    assert text.startswith("# The only one\n") and "\nthere\n" in text
    path = tmp_path / "a.json"
    done = command("export", "-o", str(path), project.sessionID, *here)
    assert done.returncode == 0 and "1 sessions, 2 messages" in done.stderr
    assert json.loads(path.read_text())["info"]["id"] == project.sessionID
    counted = command("usage", *here).stdout.splitlines()
    assert [line.split()[0] for line in counted] == ["cost", "day", "model", "all"]
    assert counted[-1].split()[-1] == "1" and "local/test" in counted[2]
    done = command("ask", "-c", 'more @@[{"text":"of it"}]', *here)
    assert (done.stdout, json.loads(command("usage", "--json", *here).stdout)["count"]) == ("of it\n", 2)


def test_events_are_shown_until_ctrl_c(client):
    program = [sys.executable, "-m", "libopencode", "events", "--type", "session.", "--type", "stream.", "--json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as shown:
        assert json.loads(shown.stdout.readline())["type"] == "stream.connected"
        made = client.session.create(title="seen")
        event = json.loads(shown.stdout.readline())
        shown.send_signal(signal.SIGINT)
        shown.stdout.read()
    assert (event["type"], event["properties"]["info"]["id"]) == ("session.created", made["id"])
    assert shown.returncode == 0


def test_an_output_that_nobody_reads_ends_it():
    program = [sys.executable, "-m", "libopencode", "sessions", "--json", "--limit", "0", "--all"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        shown.stdout.close()
        told = shown.stderr.read()
    assert (shown.returncode, told) == (141, "")
    # One that is shorter than a buffer, too.
    with subprocess.Popen([*program[:3], "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        shown.stdout.close()
        told = shown.stderr.read()
    assert (shown.returncode, told) == (141, "")


def test_an_answer_that_nobody_reads_ends_the_run_too(tmp_path):
    prompt = 'two @@[{"text":"one","tools":[{"name":"glob","arguments":{"pattern":"*.x"}}]},{"text":"silent","stall":{"after":2,"ms":60000}}]'
    program = [sys.executable, "-m", "libopencode", "ask", "--json", "--events", "--directory", str(tmp_path), prompt]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        shown.stdout.readline()
        shown.stdout.close()
        told = shown.stderr.read()
    assert (shown.returncode, told) == (141, "")
    with libopencode.Client(directory=str(tmp_path)) as client:
        assert client.session.status() == {}
