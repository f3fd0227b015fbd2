"""Calls operations from Python for the conformance run.

Reads `operation TAB arguments TAB options` per line and prints one JSON object per line. With `--async` it
uses the client for asyncio, with `--raw` it asks for the raw answer, which has the status.
"""

import asyncio
import json
import sys

import libopencode

RAW = "--raw" in sys.argv


def prepare(client, line):
    """The function that does it, such as client.session.update, and what it is called with."""
    name, arguments, options = line.rstrip("\n").split("\t")
    arguments, options = json.loads(arguments), json.loads(options)
    given = {"timeout": options["timeout_ms"] / 1000} if "timeout_ms" in options else {}
    if RAW:
        return client.call_raw, {"operation": name, "arguments": arguments} | given
    function = client
    for segment in name.split("."):
        found = getattr(function, segment, None)
        function = getattr(function, segment + "_") if found is None else found
    named = {key: libopencode.NULL if value is None else value for key, value in arguments.items()}
    return function, named | given


def show(answer):
    seen = {}
    if RAW:
        seen["status"] = answer.status
        is_json = "json" in answer.headers.get("content-type", "")
        answer = json.loads(answer.body) if is_json else answer.body or None
    if isinstance(answer, bytes):
        answer = answer.decode()
    print(json.dumps(seen | {"answer": answer}), flush=True)


def show_error(error):
    names = ["kind", "message", "operation", "status", "code", "retryable", "sent"]
    print(json.dumps({"error": {name: getattr(error, name) for name in names}}), flush=True)


def main():
    with libopencode.Client() as client:
        for line in sys.stdin:
            function, given = prepare(client, line)
            try:
                show(function(**given))
            except libopencode.OpencodeError as error:
                show_error(error)


async def main_async():
    async with libopencode.AsyncClient() as client:
        for line in sys.stdin:
            function, given = prepare(client, line)
            try:
                show(await function(**given))
            except libopencode.OpencodeError as error:
                show_error(error)


if __name__ == "__main__":
    if "--async" in sys.argv:
        asyncio.run(main_async())
    else:
        main()
