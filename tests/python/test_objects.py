"""Objects of Python, NumPy, pandas and Pydantic: given, and made of what is got."""

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import urllib.parse

import numpy as np
import pandas as pd
import pydantic
import pytest
from conftest import scripted
from serving import serving

import libopencode


class Color(enum.Enum):
    RED = "red"
    DAY = datetime.date(2026, 11, 29)


class Size(enum.IntEnum):
    BIG = 3


class Word(str, enum.Enum):
    YES = "yes"


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.datetime
    inner: "Point | None" = None


class Person(pydantic.BaseModel):
    name: str
    born: datetime.date = pydantic.Field(serialization_alias="bornOn")


NOON = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)

GIVEN = [
    (Color.RED, "red"),
    (Color.DAY, "2026-11-29"),
    (Size.BIG, 3),
    (Word.YES, "yes"),
    (NOON, "2026-11-29T12:00:00+00:00"),
    (datetime.time(1, 2), "01:02:00"),
    (pd.Timestamp("2026-11-29"), "2026-11-29T00:00:00"),
    (decimal.Decimal("0.10"), 0.10),
    (decimal.Decimal("1E+3"), 1000.0),
    (Point(1, NOON, Point(2, NOON)), {"x": 1, "when": NOON.isoformat(), "inner": {"x": 2, "when": NOON.isoformat(), "inner": None}}),
    (Person(name="Ada", born=datetime.date(1815, 12, 10)), {"name": "Ada", "bornOn": "1815-12-10"}),
    (np.int64(2**53 + 1), 2**53 + 1),
    (np.float32(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("text"), "text"),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (pd.Series([1, 2]), [1, 2]),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
]


class Loop:
    """It stands for another one of its kind, for ever."""

    dtype = None

    def tolist(self):
        return Loop()


REFUSED = [
    (object(), "an object of type object"),
    ({1, 2}, "an object of type set"),
    (b"x", "an object of type bytes"),
    (datetime.timedelta(1), "an object of type timedelta"),
    (1 + 2j, "an object of type complex"),
    (decimal.Decimal("NaN"), "not finite"),
    (np.float64("inf"), "not finite"),
    (Point, "an object of type type"),
    (Person, "an object of type ModelMetaclass"),
    (Loop(), "an object of type Loop"),
    ({1: 2}, "keys that are no texts"),
]


@pytest.fixture
def echo():
    """A function that gives what a server got, as JSON, and the query of the last request."""

    def answer(method, path, body):
        echo.query = urllib.parse.urlsplit(path).query
        return "application/json", body or b"null"

    with serving(answer) as url, libopencode.Client(url) as client:

        def echo(value=None, query=None):
            return client.request("POST", "/x", body=value, query=query)

        yield echo


@pytest.mark.parametrize(("value", "sent"), GIVEN, ids=repr)
def test_what_has_one_meaning_in_json_is_taken_at_any_depth(echo, value, sent):
    for made in (value, [value], {"a": {"b": (value,)}}):
        got = echo(made)
        while isinstance(got, (dict, list)) and got != sent:
            got = got[0] if isinstance(got, list) else next(iter(got.values()))
        assert got == sent and type(got) is type(sent)


def test_a_decimal_keeps_its_digits():
    said = []
    with serving(lambda method, path, body: said.append(body) or ("application/json", b"1")) as url:
        with libopencode.Client(url) as client:
            client.request("POST", "/x", body=[decimal.Decimal("0.1000000000000000055511151231257827021181583404541015625")])
    assert said == [b"[0.1000000000000000055511151231257827021181583404541015625]"]


@pytest.mark.parametrize(("value", "why"), REFUSED, ids=repr)
def test_what_has_none_is_refused_with_its_place(echo, value, why):
    with pytest.raises(libopencode.InvalidArgumentError) as caught:
        echo({"a": [1, {"b": value}]})
    said = str(caught.value)
    assert "a[1].b: " in said and why in said and "\n" not in said


def test_options_and_arguments_take_them_too(client):
    reply = client.ask("Say pong", timeout=np.int64(60), deadline=decimal.Decimal("60"), max_steps=np.int32(5))
    assert reply.text
    session = client.session.create(title=Word.YES, metadata={"at": NOON, "point": Point(1, NOON)})
    assert session["title"] == "yes" and session["metadata"]["point"]["x"] == 1
    with pytest.raises(libopencode.InvalidArgumentError, match="timeout"):
        client.ask("x", timeout=np.array([1, 2]))


def test_a_query_takes_them_and_repeats_lists(echo):
    echo(query={"a": [1, None, True], "b": np.array([1, 2]), "c": Color.RED, "d": NOON, "e": Size.BIG, "f": np.bool_(False), "g": None})
    pairs = urllib.parse.parse_qsl(echo.query)
    assert pairs == [
        ("a", "1"), ("a", "true"), ("b", "1"), ("b", "2"), ("c", "red"), ("d", NOON.isoformat()), ("e", "3"), ("f", "false"),
    ]  # fmt: skip
    for wrong in (object(), {"x": 1}, b"x", {1}, [[1]]):
        with pytest.raises(libopencode.InvalidArgumentError, match="query.q"):
            echo(query={"q": wrong})


def test_pandas_reads_what_is_got(client):
    reply = client.ask("Say pong")
    usage = client.usage(reply.sessionID, messages=True)
    table = pd.DataFrame(usage.models)
    assert list(table.columns) == list(usage.models[0]) and table["cost"].sum() == pytest.approx(usage.cost)
    flat = pd.json_normalize(usage.messages)
    assert flat["tokens.total"].sum() == usage.tokens["total"]
    updates = list(client.run(scripted("say", '[{"text": "a b c"}]')))
    assert set(pd.DataFrame(updates)["type"]) >= {"done", "message"}
    assert pd.json_normalize(reply)["cost"][0] == reply.cost
    with client.events() as stream:
        assert pd.DataFrame([stream.next(30)])["type"][0] == "stream.connected"


def test_what_failed_is_a_dict_of_json_and_shows_itself(client):
    update = list(client.run("x", agent="none"))[-1]
    assert isinstance(update, libopencode.FailedUpdate) and "none" in repr(update)
    plain = json.loads(json.dumps(update.to_dict()))
    assert plain["type"] == "failed" and plain["error"]["kind"] == update.error.kind
    assert plain["error"]["message"] == str(update.error)
    # What every object can: dict, keys, in, repr of one line.
    for value in (update, client.doctor(), client.doctor().checks[0], client.server(), client.usage(client.session.create()["id"])):
        assert dict(value) == value and "type" in value or set(value.keys()) == set(dict(value))
        assert repr(value).startswith("<libopencode.") and "\n" not in repr(value)


def test_a_model_is_the_format_of_an_answer_and_reads_it(client):
    class Answer(pydantic.BaseModel):
        zeta: int
        alpha: str

    # As a text: the model that plays it keeps no order of an object.
    tool = {"name": "StructuredOutput", "arguments": '{"zeta": 36, "alpha": "b"}'}
    reply = client.ask(scripted("structured", json.dumps([{"tools": [tool]}])), format=Answer)
    assert list(reply.structured) == ["zeta", "alpha"]
    assert Answer.model_validate(reply.structured).alpha == "b"
