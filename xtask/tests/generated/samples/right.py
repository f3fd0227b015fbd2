from opencode import types as t
from opencode._operations import AsyncOperations, Operations


def right(client: Operations) -> None:
    session = client.session.create(title="x", directory="/tmp")
    name: str = session["id"]
    client.session.update(name, title="y", timeout=3.0, extra_headers={"x": "y"})
    client.session.update(sessionID=name, title="y")
    for message in client.session.messages(name, limit=20):
        info = message["info"]
        if info["role"] == "assistant":
            cost: float = info["cost"]
            print(cost)
        for part in message["parts"]:
            if part["type"] == "text":
                text: str = part["text"]
                print(text)
    parts: list[t.TextPartInput] = [{"type": "text", "text": "hi"}]
    client.session.prompt(name, parts=parts, model="a/b")
    client.session.prompt(name, parts=[{"type": "text", "text": "hi"}], model={"providerID": "a", "modelID": "b"})
    client.session.summarize(name, model="a/b")
    client.global_.health()["version"]
    client.v2.session.prompt(name, prompt={"text": "x"}, delivery="queue")
    client.config.update(username="me", brand_new=1)
    client.permission.reply("per_1", reply="once")
    client.worktree.remove(directory="/w")
    for event in client.event.subscribe():
        if event["type"] == "session.idle":
            idle: str = event["properties"]["sessionID"]
            print(idle)


async def right_async(client: AsyncOperations) -> None:
    sessions: list[t.Session] = await client.session.list(limit=3)
    print(sessions)
