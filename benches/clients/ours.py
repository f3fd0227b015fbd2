"""The shipped Python package. `ours.py ROW URL COUNT`"""

import sys
import threading
import time

import bench
import libopencode

ROW, URL, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = libopencode.Client(URL)


def events(count):
    got = lost = 0
    with client.events(scope="global") as stream:
        for event in stream:
            if event.type == "stream.lagged":
                lost += event.properties["count"]
            elif not event.type.startswith("stream."):
                got += 1
            if got + lost >= count:
                return got, lost


def cancel(count):
    """From the cancel until the function that waited has returned."""
    times = []
    for _ in range(count):
        call = client.start("global.health")
        returned = []

        def wait(call=call, returned=returned):
            try:
                call.result()
            except libopencode.OpencodeError:
                returned.append(time.perf_counter_ns())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.005)
        before = time.perf_counter_ns()
        call.cancel()
        thread.join()
        times.append(returned[0] - before)
    times.sort()
    bench.say(us=times[count // 2] / 1e3, p99_us=times[count - 1 - count // 100] / 1e3)


if ROW == "get_health":
    bench.get(lambda: client.global_.health(), COUNT)
elif ROW == "get_session":
    bench.get(lambda: client.session.get("ses_1"), COUNT)
elif ROW == "sessions":
    bench.get(lambda: client.session.list(limit=COUNT), bench.rounds(COUNT))
elif ROW == "history":
    bench.history(lambda: client.session.messages(f"ses_{COUNT}"))
elif ROW == "events":
    bench.events(events, COUNT)
elif ROW == "cancel":
    cancel(COUNT)
client.close()
