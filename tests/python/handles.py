"""Gives up handles of a server that says nothing, one after the other, between marks for a tracer."""

import os
import sys

import libopencode


def make():
    client = libopencode.Client()
    run = client.run('x @@[{"text":"a b","stall":{"after":1,"ms":60000}}]')
    while not run.text:
        run.poll()
    call = client.start("tui.control.next")
    stream = client.events()
    assert stream.next(60)
    return {"client": client, "run": run, "call": call, "stream": stream, "pty": client.pty(command="cat")}


worlds = [make(), make()]
print("ready", flush=True)
# The server is stopped meanwhile.
sys.stdin.readline()
for world, order in zip(worlds, ["run call stream pty client", "client pty stream call run"], strict=True):
    for noun in order.split():
        os.access(f"/begin-of-drop {noun}", os.F_OK)
        del world[noun]
        os.access(f"/end-of-drop {noun}", os.F_OK)
print("done", flush=True)
sys.stdin.readline()
