"""What it costs to give handles up while their server says nothing: no join, and nothing of the network.

`drops.py NAME PROGRAM [ARGUMENT...]`, for a program that makes handles, prints "ready", waits for a line, and gives them up
between marks. Its thread is traced: what it asks of the system does not depend on how busy the machine is.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

NAME, *COMMAND = sys.argv[1:]
SERVER = int(os.environ["OPENCODE_SERVER_PID"])
NOUNS = ["run", "call", "stream", "pty", "client"]
# What talks to a peer, or waits for one. To end a connection (`shutdown`) tells this system alone, at once.
NETWORK = "socket connect sendto sendmsg recvfrom recvmsg poll ppoll select pselect6 epoll_wait epoll_pwait accept4".split()
SLEEP = ["nanosleep", "clock_nanosleep", "wait4", "waitid"]
# Far more than any lock is held for; a second is what an end of a client may take.
LONGEST = 0.5


def trace():
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        traced = ["strace", "-qq", "-T", "-o", str(out), *COMMAND]
        program = subprocess.Popen(traced, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert program.stdout.readline() == "ready\n"
        os.kill(SERVER, signal.SIGSTOP)
        try:
            program.stdin.write("go\n")
            program.stdin.flush()
            assert program.stdout.readline() == "done\n"
            lines = out.read_text().splitlines()
        finally:
            os.kill(SERVER, signal.SIGCONT)
            program.kill()
            program.wait()
    return lines


def wrong(line):
    name = line.split("(")[0]
    if name in NETWORK or name in SLEEP:
        return "it waits for somebody"
    if name != "futex" or "FUTEX_WAIT" not in line:
        return None
    # The end of a thread is told by the system, to all processes; locks are private.
    if "PRIVATE" not in line:
        return "it joins a thread"
    took = re.search(r"<([0-9.]+)>$", line)
    return "it waits" if took is None or float(took[1]) > LONGEST else None


def test_what_is_dropped_waits_for_nothing():
    noun, seen, faults = None, [], []
    for line in trace():
        if mark := re.search(r'"/(begin|end)-of-drop (\w+)"', line):
            noun = mark[2] if mark[1] == "begin" else None
            seen += [noun] if noun else []
        elif noun and (why := wrong(line)):
            faults.append(f"{noun}: {why}: {line}")
    assert sorted(seen) == sorted(NOUNS * 2), seen
    assert not faults, "\n".join(faults)


test_what_is_dropped_waits_for_nothing()
print(f"{NAME}: what is dropped waits for nothing")
