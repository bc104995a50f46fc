"""One line a record, whose fields are ours and whose message can pass for none of them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.logfields import FIELDS, about, also, known
from tests.logs.lines import in_json, in_text, raised, record
from tests.secrets.samples import SAMPLES

ALWAYS = ("timestamp", "level", "logger", "message")
HEAD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING worker\.run( \[([^\]]*)\])?: ")


class Untold(Exception):
    """An error whose text can't be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_a_line_of_json_holds() -> None:
    """The time in UTC, and what is known of whose it is; nothing empty."""
    with about(task="acme/1", attempt=2, trace_id=""):
        told = in_json(record("it %s", "broke", status=503, other="left out"))
    at = datetime.fromisoformat(told.pop("timestamp"))
    assert at.utcoffset() == UTC.utcoffset(None)
    assert told == {
        "level": "warning", "logger": "worker.run", "message": "it broke",
        "task": "acme/1", "attempt": 2, "status": 503,
    }  # fmt: skip


def test_what_a_line_of_text_holds() -> None:
    """The same, with the message last."""
    with about(task="acme/1", attempt=2):
        line = in_text(record("it broke", subject="a] b=c"))
    assert HEAD.match(line)
    assert line.endswith(' [task=acme/1 attempt=2 subject="a\\u005d b=c"]: it broke')


def test_an_error_is_a_field_of_its_own() -> None:
    """Its type, its text and its traceback; on a terminal they are at the line's end."""
    it = record("failed", error=raised(ValueError(f"with {SAMPLES['anthropic']}\nand more")))
    told = in_json(it)["exception"]
    assert told["type"] == "ValueError"
    assert told["message"] == "with [redacted]\nand more"
    assert told["stacktrace"].startswith("Traceback (most recent call last):\n")
    line = in_text(it)
    assert "\n" not in line
    assert line.endswith("ValueError: with [redacted]\\nand more")


def test_an_error_without_a_text_is_told() -> None:
    """What it can't say is no reason to say nothing."""
    assert in_json(record("failed", error=raised(Untold())))["exception"]["type"] == "Untold"


@given(st.text(alphabet=st.characters(), max_size=200))
@pytest.mark.parametrize("where", ["message", "error", "field"])
def test_no_text_can_forge(where: str, text: str) -> None:
    """Neither a line nor a field, in either form, whatever it is."""
    it = {
        "message": lambda: record("%s", text),
        "error": lambda: record("it", error=raised(ValueError(text))),
        "field": lambda: record("it", subject=text),
    }[where]()
    with about(task="t"):
        told, line = in_json(it), in_text(it)
    assert set(told) <= {*ALWAYS, *FIELDS, "exception"}
    assert told["task"] == "t"
    assert told["level"] == "warning"
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", line)
    head = HEAD.match(line)
    assert head is not None
    assert head[2].startswith("task=t")
    assert where != "message" or head[2] == "task=t"


@pytest.mark.parametrize("kind", SAMPLES)
def test_secrets_are_redacted_wherever_they_stand(kind: str) -> None:
    """In the message, in a field and in an error, in both forms."""
    secret = SAMPLES[kind]
    it = record("with %s", secret, error=raised(ValueError(secret)), subject=secret)
    for line in (in_text(it), orjson.dumps(in_json(it)).decode()):
        assert secret.splitlines()[-2 if "END" in secret else -1][-16:] not in line


def test_fields_hold_as_long_as_their_context() -> None:
    """What is learned later holds until the context that it's learned in ends."""
    with about(task="t"):
        with about(attempt=1):
            also(trace_id="x")
            assert known().items() >= {"task": "t", "attempt": 1, "trace_id": "x"}.items()
        assert {"attempt", "trace_id"}.isdisjoint(known())
    also(task="nobody's")
    assert "task" not in known()


PROGRAM = """
import logging, sys, threading, warnings
from cli import logs
logs.configure(form={form!r}, level={level!r})
log = logging.getLogger("api.x")
log.debug("a detail")
log.info("a fact")
logging.getLogger("library").info("of a library")
warnings.warn("beware")
log.warning("%d", "no number")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("the end")
"""


def run(form: str = "auto", level: str = "info", **more: Any) -> subprocess.CompletedProcess[str]:
    """A program that ends badly."""
    code = PROGRAM.format(form=form, level=level)
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, **more)


def test_a_process_tells_everything_by_lines_of_json() -> None:
    """What it logs, what is warned of, and what nobody has caught; of what it can't write, whose it was."""
    lines = run(stderr=subprocess.PIPE, level="debug").stderr.splitlines()
    unwritten = "a record of api.x cannot be written: TypeError"
    assert unwritten in lines
    told = [orjson.loads(line) for line in lines if line != unwritten]
    assert [(it["level"], it["message"].splitlines()[0].rpartition(": ")[2]) for it in told] == [
        ("debug", "a detail"), ("info", "a fact"), ("warning", "beware"), ("error", "a thread ends"),
        ("critical", "the process ends"),
    ]  # fmt: skip
    assert [it["exception"]["type"] for it in told if "exception" in it] == [
        "ZeroDivisionError",
        "RuntimeError",
    ]


def test_on_a_terminal_it_tells_in_text() -> None:
    """Unless JSON is asked for; what is below the level isn't told."""
    for form in ("auto", "json"):
        ours, theirs = pty.openpty()
        run(form, stderr=theirs)
        os.close(theirs)
        with os.fdopen(ours, "rb") as terminal:
            said = _all_of(terminal)
        assert ("INFO api.x: a fact" in said) is (form == "auto")
        assert ('"message":"a fact"' in said) is (form == "json")
        assert "a detail" not in said


def _all_of(terminal: Any) -> str:
    said = b""
    while True:
        try:
            more = terminal.read1(65536)
        except OSError:  # Linux, when nobody writes any more
            return said.decode()
        if not more:
            return said.decode()
        said += more
