"""Decides what the agent may do: `python permissions.py [--yes | --no | --rules] PROMPT`.

Without an option it asks you; --rules decides by a list of rules, and asks only what they leave open.
"""

from __future__ import annotations

import argparse
import sys
from typing import Literal

import libopencode

# The last one that fits decides.
RULES: list[libopencode.PermissionRule] = [
    {"reply": "ask"},
    {"permission": "bash", "pattern": "echo *", "reply": "once"},
    {"permission": "bash", "pattern": "rm *", "reply": "reject"},
]


def decide(request: libopencode.types.PermissionRequest, mode: str | None) -> Literal["once", "always", "reject"]:
    print(f"{request['permission']}: {', '.join(request['patterns'])}")
    if mode in ("yes", "no"):
        return "once" if mode == "yes" else "reject"
    print("Allow it? [y]es, [a]lways, [n]o: ", end="", flush=True)
    answer = sys.stdin.readline()[:1]
    print()
    return "once" if answer == "y" else "always" if answer == "a" else "reject"


def main() -> int:
    parser = argparse.ArgumentParser()
    for mode in ("yes", "no", "rules"):
        parser.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode)
    parser.add_argument("prompt", nargs="+")
    options = parser.parse_args()

    with libopencode.Client() as client:
        policy: list[libopencode.PermissionRule] | Literal["ask"] = RULES if options.mode == "rules" else "ask"
        run = client.run(" ".join(options.prompt), permission=policy)
        for update in run:
            if update.type == "permission":
                answer = decide(update.request, options.mode)
                run.reply_permission(update.id, answer, "The user does not want that.")
            elif update.type == "failed":
                print(update.error, file=sys.stderr)
                return 1
            elif update.type == "done":
                print(update.reply.text)
                for decision in update.reply.decisions:
                    what = f"{decision['permission']} {', '.join(decision['patterns'])}"
                    print(f"[{what}: {decision['reply']} by {decision['by']}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
