"""What answers and events cost, counted: nothing here depends on how busy the machine is."""

import asyncio
import gc
import json
import subprocess
import sys

import pytest
from serving import serving

import libopencode

EVENTS = 2_000


def stream_of(count):
    """A server whose stream has so many events and ends."""
    data = [{"type": "server.connected", "properties": {}}]
    data += [{"id": f"evt_{n:012x}x", "type": "tick", "properties": {"n": n}} for n in range(count)]
    body = "".join(f"data: {json.dumps({'payload': event})}\n\n" for event in data).encode()

    def answer(method, path, _):
        if path == "/global/event":
            return "text/event-stream", body
        return "application/json", b'{"healthy": true, "version": "1.18.33"}'

    return serving(answer)


class Counting:
    """The native half of a stream, which counts how often it is asked for events."""

    def __init__(self, native):
        self.native = native
        self.calls = 0

    def __getattr__(self, name):
        found = getattr(self.native, name)
        if name not in ("poll", "next", "poll_many", "take_many"):
            return found

        def counted(*args):
            self.calls += 1
            return found(*args)

        return counted


def is_last(event):
    return event.type == "tick" and event.properties["n"] == EVENTS - 1


def test_one_native_call_gives_many_events():
    with stream_of(EVENTS) as url, libopencode.Client(url) as client:
        stream, other = client.events(scope="global"), client.events(scope="global")
        # The first stream is told first: what the second one has, the first one has too.
        assert any(is_last(event) for event in other)
        stream._native = counting = Counting(stream._native)
        seen = []
        for event in stream:
            if event.type == "tick":
                seen.append(event.properties["n"])
                if is_last(event):
                    break
        assert seen == list(range(EVENTS))
        assert counting.calls <= EVENTS / 100, counting.calls


def test_asyncio_too_takes_many_events_with_one_native_call():
    async def main(url):
        async with libopencode.AsyncClient(url) as client:
            stream, other = client.events(scope="global"), client.events(scope="global")
            async for event in other:
                if is_last(event):
                    break
            stream._native = counting = Counting(stream._native)
            seen = []
            async for event in stream:
                if event.type == "tick":
                    seen.append(event.properties["n"])
                    if is_last(event):
                        break
            assert seen == list(range(EVENTS))
            assert counting.calls <= EVENTS / 100, counting.calls

    with stream_of(EVENTS) as url:
        asyncio.run(main(url))


def test_what_was_taken_is_the_next_readers_until_the_end():
    with stream_of(EVENTS) as url, libopencode.Client(url) as client:
        stream, other = client.events(scope="global"), client.events(scope="global")
        assert any(is_last(event) for event in other)
        for event in stream:
            if event.type == "tick":
                break
        # Whoever reads on, and however, misses nothing.
        assert stream.next(0).properties["n"] == 1
        assert stream.poll().properties["n"] == 2
        assert next(iter(stream)).properties["n"] == 3
        assert type(event) is libopencode.Event and event.properties == {"n": 0}
        stream.close()
        with pytest.raises(libopencode.ClosedError):
            stream.next(0)
        assert next(event for event in other).type
        client.close()
        with pytest.raises(libopencode.ClosedError):
            other.poll()


def test_the_collector_rests_while_a_large_answer_is_decoded():
    large = json.dumps([{"id": n, "in": {"a": [n]}} for n in range(50_000)]).encode()
    with serving(lambda *_: ("application/json", large)) as url, libopencode.Client(url) as client:
        collections = []
        gc.callbacks.append(lambda phase, info: collections.append(phase))
        try:
            gc.collect()
            del collections[:]
            answer = client.request("GET", "/x")
            made = len(collections)
            assert gc.isenabled()
            gc.disable()
            client.request("GET", "/x")
            assert not gc.isenabled(), "what the program has switched off stays off"
        finally:
            gc.enable()
            gc.callbacks.pop()
        assert len(answer) == 50_000
        assert made <= 4, f"{made / 2} collections for 150,000 objects"


def test_names_in_answers_are_one_object():
    answer = b'[{"a_name_of_some_length": 1}, {"a_name_of_some_length": 2}]'
    # In a program of its own: the names that one program shares are limited, and the tests before have used them.
    look = """
import subprocess
import sys
import libopencode

with libopencode.Client(sys.argv[1]) as client:
    names = [name for _ in range(2) for item in client.request("GET", "/x") for name in item]
assert len(names) == 4 and len({id(name) for name in names}) == 1
# What a program looks up by is the same object too.
assert names[0] is sys.intern("a_name_of_some_length")
"""
    with serving(lambda *_: ("application/json", answer)) as url:
        done = subprocess.run([sys.executable, "-c", look, url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
