"""JSON on its way between the server and Python."""

import json
import math
import random
import sys
import threading

import pytest
from serving import serving

import libopencode


@pytest.fixture
def echo():
    """A client whose server gives back what it gets, as JSON."""
    with serving(lambda method, path, body: ("application/json", body)) as url:
        with libopencode.Client(url) as client:
            client.said = lambda value: client.request("POST", "/x", body=value)
            yield client


@pytest.fixture
def say():
    """A function that gives what the client makes of the bytes of an answer."""
    said = [b""]
    with serving(lambda *_: ("application/json", said[0])) as url:
        with libopencode.Client(url, max_retries=0) as client:

            def say(text):
                said[0] = text if isinstance(text, bytes) else text.encode()
                return client.request("GET", "/x")

            yield say


def nested(levels, inside=1):
    value = inside
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def depth(value):
    levels = 0
    while isinstance(value, (list, dict)):
        value = value[0] if isinstance(value, list) else value["in"]
        levels += 1
    return levels


def on_a_small_stack(work):
    """Runs something on a thread with the smallest stack that Python gives, and gives its result."""
    result = []
    before = threading.stack_size(64 << 10)
    try:
        thread = threading.Thread(target=lambda: result.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(60)
    return result[0]


def test_a_thousand_levels_are_read_and_sent(echo, say):
    for levels in (120, 130, 1000):
        assert depth(echo.said(nested(levels))) == levels
        text = "[" * levels + "1" + "]" * levels
        assert depth(say(text)) == levels
    assert depth(on_a_small_stack(lambda: echo.said(nested(1000)))) == 1000


def test_more_levels_are_one_clear_error(echo, say):
    for levels in (1001, 5000, 200_000):
        with pytest.raises(libopencode.APIResponseValidationError, match="levels deep") as caught:
            say("[" * levels + "1" + "]" * levels)
        assert caught.value.kind == "decode" and "\n" not in str(caught.value)
    with pytest.raises(libopencode.InvalidArgumentError, match="nested too deeply"):
        echo.said(nested(1001))
    loop = []
    loop.append(loop)
    with pytest.raises(libopencode.InvalidArgumentError, match="contains itself"):
        echo.said(loop)


def test_keys_keep_their_order_and_integers_their_digits(echo):
    value = {"zeta": 1, "alpha": 2**64, "mid": -(2**63) - 1, "a": 10**40, "Z": 2**63 - 1}
    read = echo.said(value)
    assert list(read) == list(value)
    assert read == value and all(type(number) is int for number in read.values())


def test_values_are_those_of_the_json_module(say):
    texts = [
        "0", "-0", "-1", "1e3", "1.5", "-2.5E-3", "1E+2", "12345678901234567890", "1e400", "-1e400", "5e-324",
        '""', '"a"', '"\\u00e9\\n\\t\\\\\\/\\"\\ud83d\\ude00"', '"é 😀 日本"', "true", "false", "null",
        "[]", "{}", " [ 1 , 2 ] ", '{"a":{},"b":[[]],"a":1}', '{"":0}', "[[],[[]],{}]",
    ]  # fmt: skip
    for text in texts:
        want, got = json.loads(text), say(text)
        assert (got, type(got)) == (want, type(want)), text
    texts = [
        "", "[", "]", "{", "[1", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}", "[1 2]", "tru", "nul",
        "01", "-", "1.", ".5", "1e", "1e+", "+1", "--1", "NaN", "Infinity", '"', '"\\x"', '"\\u12"', '"\t"', "[]]",
        "1 2", "'a'", '{"a" 1}', b'"\xff"', b"\xff", '"\\', '["\\"]',
    ]  # fmt: skip
    for text in texts[1:]:
        with pytest.raises(libopencode.APIResponseValidationError):
            say(text)
    assert say("") is None
    assert math.isinf(say("1e999"))


def test_any_value_is_read_as_it_was_written(echo):
    luck = random.Random(7)

    def value(left):
        kind = luck.randrange(8 if left else 6)
        if kind == 6:
            return [value(left - 1) for _ in range(luck.randrange(5))]
        if kind == 7:
            return {text(): value(left - 1) for _ in range(luck.randrange(5))}
        return [None, True, luck.randrange(-(2**70), 2**70), luck.uniform(-1e9, 1e9), text(), 7][kind]

    def text():
        signs = 'ab"\\/\n\t\r\x00\x1f\x7f é😀 {}[]:,'
        return "".join(luck.choices(signs, k=luck.randrange(24)))

    values = [value(6) for _ in range(500)]
    assert echo.said(values) == values


def test_a_number_that_python_refuses_is_an_error_of_ours(say):
    with pytest.raises(libopencode.APIResponseValidationError, match="5000 digits"):
        say("[" + "1" * 5000 + "]")


def test_keys_that_are_data_are_not_kept_for_ever(say):
    # Some versions of CPython keep what is interned until the program ends.
    for name in ("ses_0123456789", "src/main.rs"):
        key, = say(json.dumps({name: 1}))
        again = "".join(list(name))
        assert key == again and key is not sys.intern(again)
