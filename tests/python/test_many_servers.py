"""The example for more than one machine: Dask spreads prompts over two servers."""

import os
import pathlib
import subprocess
import sys

import libopencode
from conftest import scripted

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/dask/many_servers.py"


def test_dask_spreads_prompts_over_two_servers_and_collects_what_failed(tmp_path):
    answers = [scripted(f"number {n}", f'[{{"text":"answer {n}"}}]') for n in range(3)]
    file, project = tmp_path / "prompts.txt", tmp_path / "project"
    file.write_text("\n".join([*answers, scripted("none", '[{"status":400,"body":{"error":{"message":"no"}}}]')]))
    project.mkdir()
    with libopencode.Server.start(directory=project, start_timeout=120) as server:
        secret = server.environment()["OPENCODE_SERVER_PASSWORD"]
        second = server.url.replace("://", f"://opencode:{secret}@")
        done = subprocess.run(
            [sys.executable, EXAMPLE, file, os.environ["OPENCODE_BASE_URL"], second],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        there = server.client().session.list(directory=str(project))
    assert done.returncode == 1, done.stderr
    assert "4/4" in done.stderr, "how far it is"
    *told, sums = done.stdout.splitlines()
    assert len(told) == 4 and sums.startswith("3 answers, 1 failures, 0."), done.stdout
    for number, prompt in enumerate(answers):
        assert f"{prompt} -> answer {number}" in told, done.stdout
    # Two of the four were given to each.
    assert len(there) == 2, there
    assert secret not in done.stdout + done.stderr
