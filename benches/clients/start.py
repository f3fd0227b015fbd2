"""What an import and a client add to an interpreter that runs already: `start.py PACKAGE URL`"""

import sys
import time

URL = sys.argv[2]


def kilobytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def ours():
    import libopencode

    return libopencode.Client(URL)


def json_only():
    import json

    return json


def urllib3():
    import urllib3

    return urllib3.PoolManager()


def requests():
    import requests

    return requests.Session()


def httpx():
    import httpx

    return httpx.Client()


def sdk():
    import opencode_ai

    return opencode_ai.Opencode(base_url=URL)


work = globals()[sys.argv[1]]
memory, began = kilobytes(), time.perf_counter()
client = work()
took, memory = time.perf_counter() - began, kilobytes() - memory
print('{"ms": %.3f, "rss_mb": %.2f}' % (took * 1e3, memory / 1024))
