"""The short form of each chaos scenario, and what is found wrong with a log. In full: `make chaos`."""

from __future__ import annotations

import orjson
import pytest

from events.model import Entry, EventId
from tests.chaos.__main__ import SCENARIOS
from tests.chaos.outcome import NotHere
from tests.chaos.tasks import check_log

pytestmark = pytest.mark.alone

SEED = 20261121


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_fault_loses_and_doubles_nothing(name: str) -> None:
    """Whatever was killed, paused or cut off: each log ends once, and nothing is missing or there twice."""
    scenario = SCENARIOS[name]
    try:
        outcomes = await scenario.run(scenario.SHORT, SEED)
    except NotHere as reason:
        pytest.skip(str(reason))
    for outcome in outcomes:
        assert list(outcome.failures) == [], outcome.fault


def log_of(*words: str) -> list[Entry]:
    """Entries, each from its id and type."""
    entries: list[Entry] = []
    for word in words:
        raw_id, raw_type = word.encode().split()
        attempt, seq = EventId.parse(raw_id)
        entries.append(Entry(raw_id, raw_type, orjson.dumps({"attempt": attempt, "seq": seq})))
    return entries


def test_a_whole_log_is_found_in_order() -> None:
    """Two attempts, one end."""
    words = ("0-1 task.submitted", "1-2 attempt.started", "2-3 attempt.started", "2-4 task.failed")
    assert check_log(log_of(*words)) == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("0-1 task.submitted", "1-3 task.succeeded"), "aren't dense"),
        (("0-1 task.submitted", "1-2 progress", "1-2 progress", "1-3 task.succeeded"), "aren't dense"),
        (("0-1 task.submitted", "2-2 attempt.started", "1-3 task.succeeded"), "go back"),
        (("0-1 task.submitted", "1-2 attempt.started"), "0 terminal"),
        (("0-1 task.submitted", "1-2 task.failed", "2-3 task.cancelled"), "2 terminal"),
        (("0-1 task.submitted", "1-2 task.failed", "1-3 progress"), "last entry is 1-3"),
        ((), "0 terminal"),
    ],
)
def test_a_log_that_is_wrong_is_found_so(words: tuple[str, ...], complaint: str) -> None:
    """A hole, a double, an older attempt's entry, no end, two ends, something after the end."""
    assert complaint in " ".join(check_log(log_of(*words)))
