"""Asks the agent, from the command line:

    python ai.py [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...

The answer is shown as it comes; --tui sends the prompt into the attached terminal interface instead.
What is not given comes from the environment (AI_SESSION, AI_AGENT, AI_MODEL, OPENCODE_BASE_URL,
OPENCODE_SERVER_USERNAME, OPENCODE_SERVER_PASSWORD), and else from lines NAME=VALUE in the file that
AI_SETTINGS names, or ~/.config/ai.env. Ctrl-C stops the agent.

Ends with 0, 1 for an error, 2 for a wrong command line, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import ChainMap
from pathlib import Path

import libopencode

USAGE = "ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT..."


def read_settings() -> ChainMap[str, str]:
    given = {name: value for name, value in os.environ.items() if value}
    path = Path(given.get("AI_SETTINGS") or "~/.config/ai.env").expanduser()
    lines = path.read_text().splitlines() if path.is_file() else []
    return ChainMap(given, dict(line.split("=", 1) for line in lines if "=" in line))


def parse(settings: ChainMap[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ai", usage=USAGE, allow_abbrev=False)
    parser.add_argument("--session", metavar="ID", default=settings.get("AI_SESSION"))
    parser.add_argument("--agent", metavar="NAME", default=settings.get("AI_AGENT"))
    parser.add_argument("--model", metavar="PROVIDER/MODEL", default=settings.get("AI_MODEL"))
    parser.add_argument("--tui", action="store_true")
    parser.add_argument("prompt", metavar="PROMPT", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.prompt:
        parser.error("the prompt is missing")
    return options


def show(run: libopencode.Run) -> None:
    """Prints the answer as it comes; raises why there is none."""
    begun = False
    for update in run:
        if update.type == "text":
            print("\n" if update.replaces and begun else "", update.delta, sep="", end="", flush=True)
            begun = True
    if begun:
        print()
    run.result()


def main() -> int:
    settings = read_settings()
    options = parse(settings)
    prompt = " ".join(options.prompt)
    code = 0
    try:
        with libopencode.Client(
            settings.get("OPENCODE_BASE_URL"),
            username=settings.get("OPENCODE_SERVER_USERNAME"),
            password=settings.get("OPENCODE_SERVER_PASSWORD"),
        ) as client:
            if options.tui:
                client.tui_prompt(prompt)
                print("[sent to the terminal interface]")
                return 0
            run = client.run(
                prompt, session=options.session, agent=options.agent, model=options.model
            )
            try:
                show(run)
            except libopencode.OpencodeError as error:
                print(f"ai: {error}", file=sys.stderr)
                code = 1
            except KeyboardInterrupt:
                run.cancel()
                print("\nai: stopped", file=sys.stderr)
                code = 130
            if run.sessionID:
                print(f"[session {run.sessionID}]", file=sys.stderr)
    except libopencode.OpencodeError as error:
        print(f"ai: {error}", file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
