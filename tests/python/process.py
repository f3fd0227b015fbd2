"""What this process has."""

import os


def threads():
    """The names of all threads; one that ends meanwhile is left out."""
    return list(named_threads().values())


def named_threads():
    """The names of all threads by their ids."""
    found = {}
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as file:
                found[task] = file.read().strip()
        except OSError:
            continue
    return found
