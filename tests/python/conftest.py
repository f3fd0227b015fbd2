import os

import pytest

import libopencode


@pytest.fixture
def client():
    with libopencode.Client() as client:
        yield client


@pytest.fixture
def doomed():
    """A client whose server goes away soon after the first prompt."""
    with libopencode.Client(os.environ["OPENCODE_DOOMED_URL"]) as client:
        yield client


def scripted(words: str, steps: str) -> str:
    """A prompt with what the model shall answer."""
    return f"{words} @@{steps}"
