# Every line with `# wrong` must be an error, and no other line.
from opencode._operations import Operations


def wrong(client: Operations) -> None:
    client.session.update("ses_1", titel="y")  # wrong
    client.session.update()  # wrong
    client.session.updat("ses_1")  # wrong
    client.permission.reply("per_1", reply="perhaps")  # wrong
    client.session.prompt("ses_1", parts=[{"type": "text", "txet": "hi"}])  # wrong
    client.session.get("ses_1")["titel"]  # wrong
    client.config.update(brand_new=1)
