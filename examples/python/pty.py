"""Types a command into a shell on the server's machine and shows the screen: `python pty.py COMMAND`.

Ends with the exit code of the command.
"""

import sys

import libopencode

command = " ".join(sys.argv[1:]) or "echo $((6 * 7))"

with libopencode.Client() as client, client.pty("sh", cols=100, rows=30) as pty:
    pty.write(f"{command}; exit\n")
    for text in pty:
        print(text, end="", flush=True)
    print(f"[exit code {pty.exit_code}]")
    sys.exit(pty.exit_code)
