"""Sends a prompt and shows the answer as it comes: `python ask.py PROMPT`."""

import sys

import libopencode

prompt = " ".join(sys.argv[1:]) or "Say pong"

with libopencode.Client() as client:
    for update in client.run(prompt):
        if update.type == "text":
            print(update.delta, end="", flush=True)
        elif update.type == "done":
            reply = update.reply
            seconds = (reply.time["total_ms"] or 0) / 1000
            print(f"\n[cost {reply.cost:.4f}, {reply.tokens['total']} tokens, {seconds:.1f} s]")
        elif update.type == "failed":
            sys.exit(str(update.error))
