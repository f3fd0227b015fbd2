"""What an idle poll costs in instructions, beside a call of Lua's own: `instructions.py HOST FOLDER_OF_THE_MODULE`.

Instructions do not depend on how busy the machine is. Counted are two loops of different length: their difference holds
nothing but calls.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HOST, MODULE = sys.argv[1:3]

# The address leads nowhere: the run waits for its server, and nothing happens.
PROGRAM = """
local what, count = ...
local client = assert(require "libopencode".client { base_url = "http://127.0.0.1:9" })
local run = assert(client:run("x", { server_timeout_ms = 600000 }))
local getmetatable = getmetatable
if what == "poll" then
  for _ = 1, count do run:poll() end
else
  for _ = 1, count do getmetatable(run) end
end
assert(run:state() == "pending")
os.exit(0)
"""
FEW, MANY = 10_000, 60_000


def instructions(script, what, count):
    """Of the thread that polls: what the others do meanwhile is not the tick's."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out"]
        environment = {**os.environ, "LUA_CPATH": os.path.join(MODULE, "?.so")}
        subprocess.run([*command, HOST, script, what, str(count)], env=environment, check=True, capture_output=True)
        text = pathlib.Path(folder, "out-01").read_text()
    return int(re.search(r"^totals: (\d+)", text, re.MULTILINE)[1])


def test_an_idle_poll_costs_a_few_calls_of_lua():
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(PROGRAM)
        script.flush()
        costs = {}
        for what in ["poll", "getmetatable"]:
            counts = [instructions(script.name, what, count) for count in (FEW, MANY)]
            costs[what] = (counts[1] - counts[0]) / (MANY - FEW)
    print(f"{HOST}: {costs['poll']:.0f} instructions a poll, {costs['getmetatable']:.0f} a call of getmetatable")
    assert costs["poll"] <= MOST * costs["getmetatable"], costs


# One that makes a parcel for its arguments costs more than three of them, and one with a table more.
MOST = 2.5

test_an_idle_poll_costs_a_few_calls_of_lua()
