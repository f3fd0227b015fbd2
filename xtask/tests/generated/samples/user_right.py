"""What users write: it is right, and no checker of types says otherwise."""
from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import libopencode
from libopencode import AsyncClient, Client, Reply, Run, Server, TextUpdate, ToolUpdate, Update
from libopencode.types import Session, SessionUpdateArguments


@dataclass
class Outcome:
    text: str
    cost: float
    total: int


def ask(client: Client, prompt: str) -> Outcome:
    reply: Reply = client.ask(prompt, title="x", timeout=30, model="local/test")
    return Outcome(reply.text, reply.cost, reply.tokens["total"])


def parsed(client: Client, prompt: str) -> float:
    project = client.with_options(directory="/x", timeout=5)
    return project.ask(prompt, format=Outcome).parsed.cost + project.run(prompt, format=Outcome).result(5).parsed.total


def only_text(client: Client, prompt: str) -> str:
    return "".join(client.run(prompt).text_stream())


def stream(client: Client, prompt: str) -> Iterator[str]:
    for update in client.run(prompt, session=None):
        if update.type == "text":
            yield update.delta
        elif update.type == "failed":
            raise update.error
        elif update.type == "tool":
            print(update.part["state"]["status"])


def permission(client: Client, prompt: str) -> Reply:
    run = client.run(prompt, permission="ask", deadline=60)
    for update in run:
        if update.type == "permission":
            run.reply_permission(update.id, "once")
    return run.result()


def sessions(client: Client) -> list[str]:
    made = client.session.create(title="a")
    session: Session = client.session.get(made["id"])
    arguments: SessionUpdateArguments = {"sessionID": session["id"], "title": "b"}
    client.session.update(**arguments)
    titles = [item["title"] for item in client.session.list(limit=5)]
    for found in client.sessions(scope="global", roots=True):
        titles.append(found["title"])
    for message in client.messages(session["id"]):
        if message["info"]["role"] == "assistant":
            print(message["info"]["cost"], message["info"]["tokens"]["input"])
        for part in message["parts"]:
            if part["type"] == "text":
                titles.append(part["text"])
    return titles


def background(client: Client) -> str:
    call = client.start(client.session.get, "ses_1", timeout=5)
    session = call.result()
    named = client.start("session.get", {"sessionID": "ses_1"})
    print(named.result())
    return session["title"]


def errors(client: Client) -> int | None:
    try:
        client.session.get("nope")
    except libopencode.NotFoundError as error:
        return error.status
    except libopencode.APIStatusError as error:
        print(error.body, error.code)
    except libopencode.APITimeoutError:
        pass
    except libopencode.OpencodeError as error:
        print(error.kind, error.retryable)
    return None


async def astream(client: AsyncClient, prompt: str) -> AsyncIterator[str]:
    async for update in client.run(prompt):
        if update.type == "text":
            yield update.delta


async def amain() -> list[str]:
    async with AsyncClient(timeout=5, headers={"a": "b"}) as client:
        reply = await client.ask("hi", timeout=10)
        again = await client.run("hi", session=reply.sessionID)
        session = await client.session.get(reply.sessionID)
        pieces = [piece async for piece in astream(client, "x")]
        replies = await asyncio.gather(*(client.ask(p) for p in ("a", "b")))
        call = client.start(client.session.get, "x")
        print((await call)["title"], again.text, session["title"])
        async for event in client.events(scope="global"):
            print(event.type, event.properties)
            break
        async for message in client.messages("ses"):
            print(message["info"]["id"])
        return pieces + [r.text for r in replies]


def server(directory: Path) -> str | None:
    with Server.start(directory=directory, config={"share": "disabled"}) as running:
        return running.client().ask("hi").text or running.url


def poll(run: Run) -> list[Update]:
    state, updates = run.poll()
    if state == "done":
        return updates
    return []


def files(client: Client) -> str:
    part = libopencode.attach("a.txt", lines="1-3")
    return client.ask(["look", part], files=["b.txt"]).text


def usage(client: Client) -> dict[str, float]:
    return {share.name: share.cost for share in client.usage("ses_1").models}


def pty(client: Client) -> int | None:
    with client.pty("bash", ["--norc"], cols=80, rows=24) as terminal:
        terminal.write("exit\n")
        for text in terminal:
            sys.stdout.write(text)
        return terminal.exit_code


def matched(update: Update) -> str:
    match update:
        case TextUpdate():
            return update.delta
        case ToolUpdate():
            return update.part["tool"]
        case _:
            return update.type


def left(client: Client) -> Reply:
    with client.run("x", permission=[{"permission": "bash", "pattern": "git *", "reply": "once"}]) as run:
        try:
            return run.result(5)
        except libopencode.APITimeoutError as error:
            if error.run is not None:
                return client.resume(error.run.sessionID, error.run.messageID).result()
            raise


async def kept(client: AsyncClient) -> Reply:
    async with client.run("x") as run:
        async for update in run:
            print(update.type)
    return await client.ask("x", leave=True)
