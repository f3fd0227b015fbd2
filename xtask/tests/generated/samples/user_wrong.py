"""What users get wrong."""
from libopencode import AsyncClient, Client, Server, Update


def wrong(client: Client) -> None:
    client.session.gett("x")  # wrong
    client.session.get()  # wrong
    client.session.get(3)  # wrong
    client.session.update("x", titel="y")  # wrong
    client.ask("x", sesion="y")  # wrong
    client.ask("x", model=3)  # wrong
    client.run("x", deadline="5")  # wrong
    print(client.ask("x").txt)  # wrong
    print(client.session.get("x")["titel"])  # wrong
    client.start(client.session.get, 3)  # wrong
    Client(timeot=3)  # wrong
    AsyncClient(timeot=3)  # wrong
    Server.start(portt=3)  # wrong
    client.ask("x", permission="maybe")  # wrong
    client.ask("x", permission=[{"permision": "bash"}])  # wrong
    client.events(scope="all")  # wrong
    client.pty("bash", colls=3)  # wrong
    client.usage("x", tre=True)  # wrong
    client.sesion  # wrong
    client.with_options(base_url="http://h")  # wrong
    client.ask("x", format=3)  # wrong


def wrong_update(update: Update) -> None:
    if update.type == "tekst":  # wrong
        print("never")
    if update.type == "done":
        print(update.delta)  # wrong
    if update.type == "text":
        print(update.reply)  # wrong
