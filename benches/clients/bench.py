"""What the clients in Python share: how they measure, and how they say what they saw."""

import json
import resource
import time


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def get(work, count):
    for _ in range(count // 10 + 1):
        work()
    times, cpu = [], time.process_time()
    for _ in range(count):
        before = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - before)
    cpu = (time.process_time() - cpu) / count
    times.sort()
    say(us=times[count // 2] / 1e3, p99_us=times[count - 1 - count // 100] / 1e3, cpu_us=cpu * 1e6)


def rounds(size):
    """How often something of this size is done: long things a few times."""
    return min(max(20_000 // size, 20), 500)


def history(work):
    before = time.perf_counter()
    answer = work()
    took = time.perf_counter() - before
    if not len(answer):
        raise ValueError("the history is empty")
    say(ms=took * 1e3, rss_mb=peak_mb())


def events(work, count):
    """`work` gives how many came, and how many were lost on the way."""
    before = time.perf_counter()
    got, lost = work(count)
    took = time.perf_counter() - before
    if got + lost < count:
        raise ValueError(f"{got} events came, {lost} were lost, and {count} were sent")
    say(per_s=got / took, got=got, lost=lost, rss_mb=peak_mb())


def say(**numbers):
    print(json.dumps({name: round(number, 3) for name, number in numbers.items()}))
