"""Answers as objects of the type that `format` was."""

import asyncio
import dataclasses
import datetime
import enum
import json
import pickle
import types
import typing

import pydantic
import pytest
from conftest import scripted

import libopencode
from libopencode._formats import format_of


class Kind(enum.Enum):
    BUG = "bug"
    WISH = "wish"


class Place(typing.TypedDict):
    file: str
    line: typing.Optional[int]


class Author(typing.TypedDict, total=False):
    name: str


@dataclasses.dataclass
class Finding:
    """What was found."""

    kind: Kind
    place: Place
    level: typing.Literal["low", "high"] = "low"
    notes: list[typing.Annotated[str, "one line"]] = dataclasses.field(default_factory=list)
    since: "datetime.date | None" = None
    author: "Author | None" = None
    inner: "list[Finding]" = dataclasses.field(default_factory=list)


class Cat(pydantic.BaseModel):
    type: typing.Literal["cat"]
    lives: int = 9


class Dog(pydantic.BaseModel):
    type: typing.Literal["dog"]
    name: typing.Optional[str] = None


class Home(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    pets: list[typing.Annotated[typing.Union[Cat, Dog], pydantic.Field(discriminator="type")]]
    street: typing.Optional[str]
    since: datetime.date


def answering(value) -> str:
    return scripted("structured", json.dumps([{"tools": [{"name": "StructuredOutput", "arguments": value}]}]))


HOME = {"pets": [{"type": "cat"}, {"type": "dog", "name": "Rex"}], "street": None, "since": "2026-01-02"}
FINDING = {
    "kind": "bug",
    "place": {"file": "a.py", "line": None},
    "notes": ["x"],
    "since": "2026-01-02",
    "inner": [{"kind": "wish", "place": {"file": "b.py", "line": 7}, "author": {}}],
}


def test_a_model_of_pydantic_with_definitions_nulls_and_a_discriminator_gives_its_object(client):
    assert {"$defs", "properties"} <= set(Home.model_json_schema())
    reply = client.ask(answering(HOME), format=Home)
    assert reply.parsed == Home(pets=[Cat(type="cat"), Dog(type="dog", name="Rex")], street=None, since=datetime.date(2026, 1, 2))
    assert reply.parsed is reply.parsed and reply.structured == HOME
    # With the name of the standard, as schemas of other tools begin.
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Home.model_json_schema()}
    reply = client.ask(answering(HOME), format=schema)
    assert reply.structured == HOME and reply.parsed is None
    with pytest.raises(libopencode.OpencodeError, match="pets"):
        client.ask(answering({**HOME, "pets": [{"type": "cow"}]}), format=schema)


def test_a_dataclass_gives_its_object(client):
    run = client.run(answering(FINDING), format=Finding)
    found = run.result().parsed
    assert isinstance(found, Finding) and found.kind is Kind.BUG and found.level == "low"
    assert found.since == datetime.date(2026, 1, 2) and found.place == {"file": "a.py", "line": None}
    assert found.inner == [Finding(Kind.WISH, {"file": "b.py", "line": 7}, author={})]
    assert run.reply.parsed == found
    resumed = client.resume(run.sessionID, run.messageID, format=Finding)
    assert list(resumed)[-1].reply.parsed == found


def test_a_typed_dict_gives_its_object_and_so_does_asyncio():
    async def main():
        async with libopencode.AsyncClient() as client:
            reply = await client.ask(answering({"file": "x", "line": 3}), format=Place)
            assert reply.parsed == {"file": "x", "line": 3}
            assert (await client.run(answering({"file": "x", "line": None}), format=Place)).parsed["line"] is None

    asyncio.run(main())


def test_what_only_the_type_refuses_is_told_by_parsed(client):
    class Even(pydantic.BaseModel):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def is_even(cls, number):
            if number % 2:
                raise ValueError("odd")
            return number

    reply = client.ask(answering({"number": 3}), format=Even)
    with pytest.raises(libopencode.APIResponseValidationError, match="is no Even: .*odd") as told:
        _ = reply.parsed
    assert "\n" not in str(told.value) and reply.structured == {"number": 3}


def test_schemas_are_what_the_hints_say():
    schema, _ = format_of(Place)
    assert schema == {
        "type": "object",
        "title": "Place",
        "properties": {"file": {"type": "string"}, "line": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        "required": ["file", "line"],
    }
    schema, read = format_of(Finding)
    finding = schema["$defs"]["Finding"]
    assert {**schema, "$defs": None} == {**finding, "$defs": None} and finding["required"] == ["kind", "place"]
    assert finding["description"] == "What was found." and finding["properties"]["kind"] == {"enum": ["bug", "wish"]}
    assert finding["properties"]["notes"]["items"] == {"type": "string", "description": "one line"}
    assert schema["$defs"]["Author"]["required"] == []
    for value, part in (
        ({**FINDING, "kind": "cow"}, "cow"),
        ({"kind": "bug"}, "Finding.place is missing"),
        ({**FINDING, "notes": [1]}, r"Finding.notes\[0\] is 1"),
        ({**FINDING, "place": {"file": "x", "line": True}}, "Finding.place.line is True"),
    ):
        with pytest.raises(libopencode.APIResponseValidationError, match=part):
            read(value)

    @dataclasses.dataclass
    class Odd:
        names: set

    for given, part in ((Odd, "Odd.names: set cannot be written"), (int, "not int"), (7, "not int"), (list[int], "not list")):
        with pytest.raises(libopencode.InvalidArgumentError, match=part):
            format_of(given)


# A module whose hints are texts.
LATER = types.ModuleType("later")
LATER_SOURCE = """
from __future__ import annotations
import typing

class Item(typing.TypedDict):
    name: str
    note: NotRequired[str]
    mark: typing.Annotated[NotRequired[int], "a mark"]

class Loose(typing.TypedDict, total=False):
    name: Required[str]
    note: str
"""


def test_fields_that_may_be_left_out_are_known_by_hints_that_are_texts():
    typing_extensions = pytest.importorskip("typing_extensions")
    for word in ("Required", "NotRequired"):
        setattr(LATER, word, getattr(typing, word, getattr(typing_extensions, word)))
    exec(LATER_SOURCE, vars(LATER))
    vars(LATER)["__name__"] = "later"
    import sys

    sys.modules["later"] = LATER
    for kind in (LATER.Item, LATER.Loose):
        kind.__module__ = "later"
        schema, read = format_of(kind)
        assert schema["required"] == ["name"], kind
        assert read({"name": "a"}) == {"name": "a"}
    assert format_of(LATER.Item)[0]["properties"]["mark"] == {"type": "integer", "description": "a mark"}


def test_classes_of_one_name_are_told_apart():
    first = pydantic.create_model("Cat", lives=(int, ...))
    second = pydantic.create_model("Cat", name=(str, ...))
    home = pydantic.create_model("Shelter", cats=(list[second], ...))

    @dataclasses.dataclass
    class Zoo:
        a: first
        b: second
        c: home
        d: second

    Zoo.__annotations__ = {"a": first, "b": second, "c": home, "d": second}
    schema = format_of(Zoo)[0]
    a, b, c, d = (schema["properties"][name]["$ref"].rpartition("/")[2] for name in "abcd")
    fields = {name: set(body["properties"]) for name, body in schema["$defs"].items()}
    assert (fields[a], fields[b], b) == ({"lives"}, {"name"}, d)
    cats = schema["$defs"][c]["properties"]["cats"]["items"]["$ref"].rpartition("/")[2]
    assert fields[cats] == {"name"}


def test_replies_with_objects_are_pickled():
    reply = libopencode.Reply({"structured": {"kind": "bug"}, "text": "x"}, lambda value: value["kind"])
    for copy in (pickle.loads(pickle.dumps(reply)), pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(reply))))):
        assert (copy, copy.parsed, type(copy)) == (reply, "bug", libopencode.Reply)
    odd = libopencode.Reply({"structured": {}, "text": "x"}, lambda value: value["kind"])
    assert pickle.loads(pickle.dumps(odd)).parsed is None
