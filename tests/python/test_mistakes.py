"""Whatever is wrong: one line that says what to do."""

import pytest
from conftest import scripted

import libopencode


def one_line(error):
    assert "\n" not in str(error)
    return str(error)


def test_no_server():
    with libopencode.Client("http://127.0.0.1:9") as client:
        with pytest.raises(libopencode.APIConnectionError, match="opencode serve") as caught:
            client.session.list()
        assert isinstance(caught.value, ConnectionError)
        assert caught.value.retryable and not caught.value.sent
        with pytest.raises(libopencode.APIConnectionError, match="no server listens"):
            client.ask("x", server_timeout=0.3)


def test_wrong_password():
    with libopencode.Client(password="wrong") as client:
        with pytest.raises(libopencode.AuthenticationError, match="OPENCODE_SERVER_PASSWORD") as caught:
            client.session.list()
        assert caught.value.status == 401
        assert "wrong" not in repr(client)
        with pytest.raises(libopencode.AuthenticationError):
            client.ask("x")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://user:secret@", "not a url"])
def test_wrong_address(url):
    with pytest.raises(ValueError, match="base_url") as caught:
        libopencode.Client(url)
    assert "secret" not in one_line(caught.value)


def test_unknown_session(client):
    with pytest.raises(libopencode.NotFoundError, match="Session not found: ses_none") as caught:
        client.session.get("ses_none")
    assert caught.value.operation == "session.get"
    assert caught.value.code == "NotFoundError"
    with pytest.raises(libopencode.NotFoundError, match="ses_none"):
        client.ask("x", session="ses_none")


def test_unknown_operation(client):
    with pytest.raises(libopencode.InvalidArgumentError, match="did you mean 'session.list'"):
        client.call("session.lst")
    with pytest.raises(AttributeError, match="no operation 'session.lst'"):
        client.session.lst()
    with pytest.raises(AttributeError, match="no attribute 'sesion'"):
        client.sesion


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.session.get(), "'sessionID' is missing"),
        (lambda c: c.session.update("ses_1", tilte="x"), "did you mean 'title'"),
        (lambda c: c.session.get(True), "must be a text"),
        (lambda c: c.session.get("a", sessionID="b"), "given twice"),
        (lambda c: c.session.get("a", "b"), "by position"),
        (lambda c: c.session.create(title=object()), "type object cannot be sent"),
        (lambda c: c.session.create(metadata={1: 2}), "keys that are no texts"),
        (lambda c: c.session.create(metadata={"n": float("nan")}), "not finite"),
        (lambda c: c.session.create(title="\ud800"), "surrogate"),
        (lambda c: c.run(""), "empty"),
        (lambda c: c.run("x", model="gpt"), "provider/model"),
        (lambda c: c.run("x", deadline="soon"), "number of seconds"),
        (lambda c: c.session.list(timeout=-1), "timeout must be a number of seconds"),
    ],
)
def test_wrong_arguments(client, call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(client)
    one_line(caught.value)


@pytest.mark.parametrize("name", ["run", "ask", "events", "sessions", "pty"])
def test_an_option_that_is_none_is_named(client, name):
    with pytest.raises(TypeError, match="sesion"):
        getattr(client, name)(sesion="y")


def test_unknown_model_and_agent(client):
    with pytest.raises(libopencode.AgentError, match="no/such"):
        client.ask("x", model="no/such")
    with pytest.raises(libopencode.AgentError, match="nobody"):
        client.ask("x", agent="nobody")


def test_a_server_that_goes_away_ends_the_run(doomed):
    slow = scripted("doomed", '[{"text":"a b c d e f g h i j k l m n o p","delay_ms":500}]')
    with pytest.raises(libopencode.APIConnectionError, match="out of reach"):
        doomed.ask(slow, server_timeout=0.5)
