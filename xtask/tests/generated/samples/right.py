from libopencode import AsyncClient, Client, RawResponse
from libopencode import types as t
from libopencode._operations import Operations


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


def right_arguments(client: Client) -> None:
    given: t.SessionUpdateArguments = {"sessionID": "ses_1", "title": "y", "directory": "/tmp"}
    client.session.update(**given)
    client.session.update(**given, timeout=3.0)
    client.call("session.update", given)
    title: str = client.start(client.session.update, **given).result()["title"]
    client.start("session.update", t.SessionUpdateArguments(sessionID="ses_1", title=title))
    prompt: t.SessionPromptArguments = {"sessionID": "ses_1", "parts": [{"type": "text", "text": "hi"}], "model": "a/b"}
    client.session.prompt(**prompt)
    health: t.GlobalHealthArguments = {}
    client.global_.health(**health)


def right_background(client: Client) -> None:
    call = client.start(client.session.create, title="x", timeout=3.0)
    name: str = call.result(10.0)["id"]
    client.start("session.update", {"sessionID": name, "title": "y"}).wait(1.0)
    raw: RawResponse = client.start("session.get", {"sessionID": name}, raw=True).result()
    body: bytes = raw.body
    status: int = client.call_raw("session.get", {"sessionID": name}).status
    print(body, status)
    for message in client.messages(name):
        print(message["info"]["id"])


async def right_async(client: AsyncClient) -> None:
    sessions: list[t.Session] = await client.session.list(limit=3)
    print(sessions)
    session = await client.start(client.session.get, "ses_1", max_retries=0)
    title: str = session["title"]
    health = client.start(client.global_.health)
    print(title, (await health.result())["version"])
    raw: RawResponse = await client.call_raw("global.health")
    print(raw.headers["content-type"])
    async for message in client.messages("ses_1"):
        print(message["info"]["id"])
