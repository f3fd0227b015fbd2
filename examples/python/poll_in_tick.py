"""A game that goes on while the agent works: the tick polls, and never waits. `python poll_in_tick.py PROMPT`"""

import sys
import time

import libopencode

FRAME = 1 / 60


def main() -> int:
    prompt = " ".join(sys.argv[1:]) or "Say pong"
    with libopencode.Client() as client:
        run = client.run(prompt)
        ticks, slowest, state = 0, 0.0, "pending"
        while state not in ("done", "failed"):
            time.sleep(FRAME)  # The host draws a frame.
            before = time.perf_counter()
            state, updates = run.poll()
            slowest = max(slowest, time.perf_counter() - before)
            for update in updates:
                if update.type == "text":
                    print(update.delta, end="", flush=True)
                elif update.type == "failed":
                    print(update.error, file=sys.stderr)
            ticks += 1
        print(f"\n[{ticks} ticks, the slowest poll took {slowest * 1e6:.0f} us]")
        return 1 if state == "failed" else 0


if __name__ == "__main__":
    sys.exit(main())
