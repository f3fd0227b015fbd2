"""What was recorded with the real server is played back without one."""

import os
import subprocess
import sys

import libopencode
import pytest


def test_a_question_is_answered_from_the_tape(tmp_path):
    tape = tmp_path / "tape.jsonl"
    with libopencode.Client(record=tape) as client:
        real = client.ask('Say pong @@[{"text":"pong at last"}]')
    assert os.environ["OPENCODE_SERVER_PASSWORD"] not in tape.read_text()
    with libopencode.Replay(tape) as replay, libopencode.Client(replay.url) as client:
        texts = []
        run = client.run('Say pong @@[{"text":"pong at last"}]')
        for update in run:
            if update.type == "text":
                texts.append(update.delta)
        assert "".join(texts) == real.text == run.reply.text
        with pytest.raises(libopencode.NotFoundError, match="nothing is recorded"):
            client.find.text(pattern="x")
    with pytest.raises(libopencode.APIConnectionError):
        libopencode.Client(replay.url).session.list()


def test_mistakes_with_tapes(tmp_path):
    with pytest.raises(libopencode.NotFoundError):
        libopencode.Replay(tmp_path / "none")
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(libopencode.APIResponseValidationError, match="line 1"):
        libopencode.Replay(tmp_path / "x")
    with pytest.raises(libopencode.InvalidArgumentError, match="cannot be written"):
        libopencode.Client(record=tmp_path / "no" / "such" / "folder")


def test_a_tape_is_played_from_the_command_line(tmp_path):
    tape = tmp_path / "tape.jsonl"
    environment = {**os.environ, "OPENCODE_RECORD": str(tape)}
    script = "import libopencode; print(libopencode.Client().ask('Say pong').text)"
    real = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert real.returncode == 0, real.stderr
    player = subprocess.Popen([sys.executable, "-m", "libopencode", "replay", str(tape)], stdout=subprocess.PIPE, text=True)
    try:
        environment = {**os.environ, "OPENCODE_BASE_URL": player.stdout.readline().strip()}
        again = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    finally:
        player.terminate()
        player.wait(10)
    assert again.stdout == real.stdout, again.stderr
