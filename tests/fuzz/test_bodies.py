"""Request bodies and `Accept` headers: any bytes are a value, a choice, or a problem of the table's."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from api.accept import choose, takes_event_stream
from api.body import read_json
from api.problems import Problem
from tests.fuzz.hostile import BYTES
from tests.support.values import VALUES

OFFERED = ("application/json", "text/event-stream")
REFUSALS = {(400, "invalid_json"), (400, "too_deep")}

TOKENS = st.sampled_from(
    [b"[", b"]", b"{", b"}", b'"', b":", b",", b"NaN", b"1e999", b"-0", b"\xef\xbb\xbf", b"\xff", b"\\ud800",
     b"null", b"9" * 30, b"[" * 70, b'{"a":' * 70, b"\0", b'"a":', b"//", b"'", b"0x1", b"1_0", b"Infinity"]
)  # fmt: skip
BODIES = st.one_of(
    BYTES,
    st.lists(TOKENS, max_size=12).map(b"".join),
    VALUES.map(orjson.dumps),
    st.tuples(VALUES.map(orjson.dumps), st.integers(0, 60), BYTES).map(lambda it: it[0][: it[1]] + it[2]),
)
QUALITIES = st.sampled_from(
    ["", ";q=1", ";q=0", ";q=nan", ";q=-1", ";q=1e9", ";q=", ";Q=0.5", ";q=1;q=0", ";x"]
)
RANGES = st.sampled_from(
    [*OFFERED, "*/*", "text/*", "*", "application/*", "TEXT/EVENT-STREAM", '"a,b"', "a/b"]
)
ACCEPTS = st.one_of(
    BYTES.map(lambda raw: raw.decode("latin-1")),
    st.lists(st.tuples(RANGES, QUALITIES).map("".join), max_size=6).map(",".join),
)


async def read(body: bytes) -> Any:
    """A body as a route reads it, in pieces of a few bytes."""
    pieces = [body[at : at + 9] for at in range(0, len(body), 9)] if len(body) < 500 else [body]

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    headers = [(b"content-type", b"application/json")]
    return await read_json(Request({"type": "http", "method": "POST", "headers": headers}, receive))


@given(BODIES)
@example(b"")
@example(b'{"a":1,"a":2}')
@example(b"20000000000000000001")
@example(b"[590295810358705700000,18446744073709551615,-9223372036854775809]")
@example(b"9" * 5000)
def test_a_body_is_json_or_refused(body: bytes) -> None:
    """What is taken can be stored as it is; Python's own reader, strict, agrees with what it is."""
    try:
        value = asyncio.run(read(body))
    except Problem as problem:
        assert (problem.status, problem.code) in REFUSALS  # noqa: PT017
    else:
        assert orjson.loads(orjson.dumps(value)) == value
        assert json.loads(body, parse_constant=_refuse, parse_int=_as_kept) == value


def test_no_digit_is_lost_in_silence() -> None:
    """An integer that no double can hold is refused; what JavaScript writes of a large number is taken."""
    with pytest.raises(Problem, match="lose digits"):
        asyncio.run(read(b'{"id": [1, 20000000000000000001]}'))
    assert asyncio.run(read(b"[590295810358705700000, 590295810358705651712]")) == [2.0**69, 2.0**69]


@given(ACCEPTS)
def test_a_choice_is_one_that_is_offered(accept: str) -> None:
    """And nothing else happens but 406; one that is taken is named, by itself, its group or all."""
    try:
        chosen = choose(accept, OFFERED)
    except Problem as problem:
        assert (problem.status, problem.code) == (406, "not_acceptable")  # noqa: PT017
    else:
        assert chosen in OFFERED
        group = chosen.partition("/")[0]
        named = any(word in accept.lower() for word in (chosen, f"{group}/*", "*/*"))
        assert named or not accept.strip(" ,\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0")
    takes_event_stream(accept)


def _as_kept(digits: str) -> int | float:
    """An integer of 64 bits, or a float that is written so or is exactly that."""
    exact = int(Decimal(digits))
    if -(2**63) <= exact < 2**64:
        return exact
    kept = float(digits)
    assert exact in (int(Decimal(repr(kept))), int(kept))
    return kept


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
