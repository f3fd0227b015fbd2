# Every line with `# wrong` must be an error, and no other line.
from libopencode import AsyncClient, Client
from libopencode import types as t
from libopencode._operations import Operations


def wrong(client: Operations) -> None:
    client.session.update("ses_1", titel="y")  # wrong
    client.session.update("ses_1", title=1)  # wrong
    client.session.update(1, title="y")  # wrong
    client.session.update()  # wrong
    client.session.update("ses_1", "y")  # wrong
    client.session.updat("ses_1")  # wrong
    client.permission.reply("per_1", reply="perhaps")  # wrong
    client.session.prompt("ses_1", parts=[{"type": "text", "txet": "hi"}])  # wrong
    client.session.get("ses_1")["titel"]  # wrong
    client.session.get("ses_1", timeout="soon")  # wrong
    client.config.update(brand_new=1)


def wrong_arguments(client: Client) -> None:
    first: t.SessionUpdateArguments = {"sessionID": "ses_1", "titel": "y"}  # wrong
    second: t.SessionUpdateArguments = {"sessionID": "ses_1", "title": 1}  # wrong
    third: t.SessionUpdateArguments = {"title": "y"}  # wrong
    t.SessionUpdateArguments(sessionID="ses_1", titel="y")  # wrong
    fourth: t.SessionPromptArguments = {"sessionID": "ses_1", "parts": [{"type": "text", "txet": "hi"}]}  # wrong
    client.session.get(**t.SessionUpdateArguments(sessionID="ses_1", title="y"))  # wrong
    print(first, second, third, fourth)


def wrong_background(client: Client) -> None:
    client.start(client.session.update, "ses_1", titel="y")  # wrong
    client.start(client.session.update, "ses_1", title=1)  # wrong
    client.start(client.session.update)  # wrong
    client.start(client.session.get, "ses_1").result()["titel"]  # wrong
    client.start("session.get", sessionID="ses_1")  # wrong
    client.start("session.get", timeout="soon")  # wrong
    client.call_raw("session.get", {"sessionID": "ses_1"})["id"]  # wrong
    client.session.update("ses_1", titel="y")  # wrong
    number: int = client.session.get("ses_1")["title"]  # wrong
    print(number)


async def wrong_async(client: AsyncClient) -> None:
    await client.session.update("ses_1", titel="y")  # wrong
    await client.session.update("ses_1", title=1)  # wrong
    client.session.get("ses_1")["title"]  # wrong
    (await client.session.get("ses_1"))["titel"]  # wrong
    await client.start(client.session.update, "ses_1", titel="y")  # wrong
    (await client.start(client.session.get, "ses_1"))["titel"]  # wrong
    client.start(client.session.get, "ses_1").result()["title"]  # wrong
    await client.session.updat("ses_1")  # wrong
