"""The redactor: every kind of secret goes, whatever it stands in, and all else stays."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.model import EventType
from events.patterns import MARK
from events.redaction import USUAL, Redactor
from tests.secrets.samples import CARRIED, INNOCENT, SAMPLES
from tests.support.values import SCALARS, TEXT

AROUND = ("{}", "the key {} is wrong", "['{}']", "a={},b", "line\n{}\nline", '{{\\"a\\":\\n{}}}', "é{}☃")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_secret_is_known_by_its_look(kind: str, around: str) -> None:
    """Whatever is around it, nothing of it is left, and the cheap look has suspected its JSON."""
    text = around.format(SAMPLES[kind])
    assert USUAL.suspects(orjson.dumps({"text": text}))
    told = USUAL.value({"text": text})["text"]
    assert MARK in told
    assert SAMPLES[kind][-12:] not in told


@pytest.mark.parametrize("kind", CARRIED)
def test_a_secret_is_known_by_what_is_around_it(kind: str) -> None:
    """The secret goes and what is around it stays."""
    around, secret = CARRIED[kind]
    text = around.format(secret)
    assert USUAL.suspects(orjson.dumps([text]))
    assert USUAL.value([text]) == [around.format(MARK)]


def test_a_header_of_cookies_goes_as_a_whole() -> None:
    """A server knows its session by any of them."""
    assert USUAL.text("Cookie: theme=dark; session=4711\nHost: a") == f"Cookie: {MARK}\nHost: a"


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    """Ids, prose, certificates and class names are told as they are."""
    assert USUAL.text(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "PASSWD", "apiKey", "x-api-key", "OPENAI_API_KEY", "client_secret",
     "Authorization", "Set-Cookie", "accessToken", "refresh-token", "private key", "aws_secret_access_key"],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(name: str) -> None:
    """Any text or number under such a name goes, in lists too; what is there or not there may be told."""
    value = {name: ["hunter2", 12345, True, None, {"plain": "text"}]}
    assert USUAL.suspects(orjson.dumps(value))
    assert USUAL.value(value) == {name: [MARK, MARK, True, None, {"plain": "text"}]}


def test_counts_and_pieces_of_text_under_token_stay() -> None:
    """A model's usage, and a graph that streams `token`s, are no secrets; what looks like one is."""
    plain = {
        "tokens": 512,
        "max_tokens": 5,
        "token": " the",
        "nextToken": 7,
        "token_count": "12",
        "monkey": "a",
    }
    assert USUAL.value(plain) == plain
    assert USUAL.value({"token": "abcdefghijklmnop1"}) == {"token": MARK}


def test_names_that_hold_secrets_keep_their_number() -> None:
    """Two keys that become one by redaction stay two."""
    value = {SAMPLES["github"]: 1, SAMPLES["gitlab"]: 2, "plain": 3, SAMPLES["npm"]: 4}
    assert USUAL.value(value) == {MARK: 1, f"{MARK} 2": 2, "plain": 3, f"{MARK} 3": 4}


def test_ids_that_others_refer_to_stay() -> None:
    """An expression that matches everything's id leaves the ids of questions and messages alone."""
    ids = Redactor([r"\b[0-9a-f]{8}\b"])
    assert ids.data(EventType.MESSAGE_DELTA, {"message_id": "cb7a5eab", "text": "cb7a5eab"}) == {
        "message_id": "cb7a5eab", "text": MARK,
    }  # fmt: skip
    question = {"id": "cb7a5eab", "value": "cb7a5eab"}
    told = ids.data(EventType.TASK_INTERRUPTED, {"interrupts": [question]})
    assert told == {"interrupts": [{"id": "cb7a5eab", "value": MARK}]}


def test_more_expressions_and_no_defaults() -> None:
    """Of an expression with a group the group goes; without defaults nothing else does."""
    redactor = Redactor([r"ACME-\d{4}", r"pin (\d{4})"], defaults=False)
    assert redactor.suspects(b"{}")
    text = f"ACME-1234, pin 4711, {SAMPLES['github']}"
    assert redactor.text(text) == f"{MARK}, pin {MARK}, {SAMPLES['github']}"
    assert not Redactor(defaults=False).suspects(SAMPLES["github"])


def test_any_two_secrets_may_be_glued() -> None:
    """What is left after the first look has no other secret in it, whichever was found first."""
    pairs = [first + second for first in SAMPLES.values() for second in SAMPLES.values()]
    once = [USUAL.text(pair) for pair in pairs]
    assert [USUAL.text(text) for text in once] == once


PIECES = st.sampled_from([*SAMPLES.values(), *(around.format(secret) for around, secret in CARRIED.values())])
JOINTS = st.sampled_from(
    ["", " ", ".", "_", "-", "=", ":", '"', "\\n", "\n", "@", "/", "password=", "token: "]
)
SECRETIVE = st.lists(PIECES | JOINTS | TEXT, max_size=6).map("".join)

SECRETIVE_VALUES = st.recursive(
    SCALARS | SECRETIVE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SECRETIVE, inner, max_size=4),
    max_leaves=8,
)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(SECRETIVE)
def test_once_is_enough(text: str) -> None:
    """What has been redacted stays as it is, however secrets are glued together."""
    told = USUAL.text(text)
    assert USUAL.text(told) == told


@UNHURRIED
@given(SECRETIVE)
def test_whatever_is_redacted_was_suspected(text: str) -> None:
    """The cheap look never says no where a secret is: not of the text, and not of its JSON."""
    if USUAL.text(text) != text:
        assert USUAL.suspects(text)
        assert USUAL.suspects(orjson.dumps({"a": [text]}))


@UNHURRIED
@given(SECRETIVE_VALUES)
def test_the_shape_stays(value: Any) -> None:
    """Objects keep their number of keys and lists their length; a number may become a text, and no more."""
    told = USUAL.value(value)
    assert _shape(told) == _shape(value)
    assert USUAL.value(told) == told


def test_deep_values_are_no_trouble() -> None:
    """As deep as JSON can be written."""
    value: Any = SAMPLES["github"]
    for _ in range(250):
        value = {"a": [value]} if _ % 2 else value
    assert SAMPLES["github"] not in str(USUAL.value(value))


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [_shape(item) for item in value.values()]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return ("list", [_shape(item) for item in value])  # pyright: ignore[reportUnknownVariableType]
    return value if value is None or isinstance(value, bool) else "scalar"
