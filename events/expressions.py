"""Regular expressions from a setting: read from one text, and refused if they would do harm."""

from __future__ import annotations

import re
import time

from pydantic import TypeAdapter, ValidationError

from events.patterns import MARK

SLOW_SECONDS = 0.1
"""Of processor time, on a text of at most 32 KiB; one that is linear takes a hundredth of that."""

_STRINGS = TypeAdapter(list[str])

_FEW = range(8, 41, 2)
_MANY = [2**power for power in range(6, 16)]
"""Lengths of what is tried: a little more each time, since each letter may double the time; then twice."""

_USUAL_PROBES = ("a", "A", "0", " ", "-", "_", ".", "\n", "a0", "a ", "a.", "aA0-_.")


def expressions(value: object) -> object:
    """The expressions in a setting's text: a JSON array of strings, or one a line.

    Raises:
        ValueError: it is neither, or one of them is wrong; one line says which and why.
    """
    if not isinstance(value, str):
        return value
    found = _array(value) if value.lstrip().startswith('["') else value.splitlines()
    sources = [source.strip() for source in found if source.strip()]
    for source in sources:
        _check(source)
    return sources


def _array(text: str) -> list[str]:
    try:
        return _STRINGS.validate_json(text)
    except ValidationError:
        what = "a JSON array of strings (a backslash is doubled there), or one expression a line"
        raise ValueError(what) from None


def _check(source: str) -> None:
    try:
        pattern = re.compile(source)
    except re.error as error:
        raise ValueError(f"regular expressions of Python's; {source!r} is none: {error}") from None
    if pattern.search("") or pattern.search(MARK):
        raise ValueError(
            f"expressions that match secrets alone; {source!r} matches an empty text,"
            f" or {MARK}, which stands in a secret's place"
        )
    for probe in _probes(source):
        if _is_slow(pattern, probe):
            raise ValueError(
                f"expressions that take time in proportion to the text; {source!r} takes far more"
                f" on many {probe!r}: bound its repetitions, as in {{1,64}}, and put none into another"
            )


def _probes(source: str) -> list[str]:
    """What the expression may go astray on when it is repeated: what it's made of itself, and all sorts."""
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"\\.", " ", source))
    letters = sorted(set(re.sub(r"\\.", "", source)))
    return list(dict.fromkeys([*words, *letters, *_USUAL_PROBES]))


def _is_slow(pattern: re.Pattern[str], probe: str) -> bool:
    """Whether the time grows faster than the text; each try is a little larger, so that none takes long."""
    lengths = (*_FEW, *_MANY)
    return any(_seconds(pattern, (probe * length)[:length]) > SLOW_SECONDS for length in lengths)


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    """Of this thread's processor time, lest a busy machine makes an expression look slow."""
    began = time.thread_time()
    pattern.search(f"{text}\x00")
    return time.thread_time() - began
