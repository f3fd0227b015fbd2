"""A small MCP server on standard input and output: one tool, one resource, one prompt."""

import json
import sys

ANSWERS = {
    "initialize": {
        "protocolVersion": "2025-03-26",
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "small", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "shout", "description": "Shouts", "inputSchema": {"type": "object"}}]},
    "resources/list": {"resources": [{"uri": "small://notes", "name": "notes", "mimeType": "text/plain"}]},
    "prompts/list": {"prompts": [{"name": "greet", "description": "Greets", "arguments": []}]},
}

for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": ANSWERS.get(asked["method"], {})}
        print(json.dumps(answer), flush=True)
