"""Lets the agent use functions of this program: a shelf of notes that it can fill and read.

python tools.py "Note that the sea is wide, and read all notes to me"
"""

import sys

import libopencode

notes: list[str] = []


def main() -> None:
    with libopencode.Client() as client:

        @client.tool
        def write_note(text: str, call: libopencode.ToolCall) -> str:
            """Keeps a note.

            Args:
                text: What it says, in one line.
            """
            if not text.strip():
                # The agent reads the message as the tool's error.
                raise ValueError("a note without words is none")
            notes.append(text)
            return f"kept as number {len(notes)}"

        @client.tool
        def read_notes(first: int = 1) -> list[str]:
            """Gives the notes from a number on."""
            return notes[first - 1 :]

        run = client.run(" ".join(sys.argv[1:]) or "Say hello")
        for text in run.text_stream():
            print(text, end="", flush=True)
        print(f"\n{len(notes)} notes")


if __name__ == "__main__":
    main()
