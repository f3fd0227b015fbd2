import os
import sys

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What is skipped proves nothing. On Linux everything can run, so there it has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and sys.platform == "linux":
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr[2]}"
    return report


def scripted(words: str, steps: str) -> str:
    """A prompt with what the model shall answer."""
    return f"{words} @@{steps}"
