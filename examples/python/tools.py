"""Gives the agent two functions of this program: `python tools.py PROMPT`. It keeps a shopping list with them."""

import sys

import libopencode


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: python tools.py PROMPT", file=sys.stderr)
        return 2
    shopping: list[str] = []
    with libopencode.Client() as client:

        @client.tool
        def add_item(item: str, count: int) -> str:
            """Adds to the shopping list.

            Args:
                item: What to buy.
                count: How many of it, at least one.
            """
            if count < 1:
                # The agent reads the message as the tool's error.
                raise ValueError("count must be at least 1")
            shopping.append(f"{count} x {item}")
            print(f"added {shopping[-1]}")
            return "added"

        @client.tool
        def list_items() -> list[str]:
            """Reads the shopping list."""
            if not shopping:
                raise LookupError("the list is empty")
            return shopping

        # Handlers run in here, on this thread.
        try:
            reply = client.ask(" ".join(sys.argv[1:]))
        except libopencode.OpencodeError as error:
            print(error, file=sys.stderr)
            return 1
    print(reply.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
