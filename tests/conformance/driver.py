"""Calls operations from Python for the conformance run.

Reads `operation TAB arguments TAB options` per line and prints one JSON object per line. With `--async` it
uses the client for asyncio.
"""

import asyncio
import json
import sys

import opencode


def prepare(client, line):
    """The function of the operation, such as client.session.update, and what it is called with."""
    name, arguments, options = line.rstrip("\n").split("\t")
    function = client
    for segment in name.split("."):
        found = getattr(function, segment, None)
        function = getattr(function, segment + "_") if found is None else found
    given = {key: opencode.NULL if value is None else value for key, value in json.loads(arguments).items()}
    options = json.loads(options)
    if "timeout_ms" in options:
        given["timeout"] = options["timeout_ms"] / 1000
    return function, given


def show(answer):
    if isinstance(answer, bytes):
        answer = answer.decode()
    print(json.dumps({"answer": answer}), flush=True)


def show_error(error):
    names = ["kind", "message", "operation", "status", "code", "retryable", "sent"]
    print(json.dumps({"error": {name: getattr(error, name) for name in names}}), flush=True)


def main():
    with opencode.Client() as client:
        for line in sys.stdin:
            function, given = prepare(client, line)
            try:
                show(function(**given))
            except opencode.OpencodeError as error:
                show_error(error)


async def main_async():
    async with opencode.AsyncClient() as client:
        for line in sys.stdin:
            function, given = prepare(client, line)
            try:
                show(await function(**given))
            except opencode.OpencodeError as error:
                show_error(error)


if __name__ == "__main__":
    if "--async" in sys.argv:
        asyncio.run(main_async())
    else:
        main()
