"""The analysts, run as LangGraph runs them, over the prices that are shipped."""

from collections import Counter
from typing import Any

import jsonschema
import pytest

from examples import analysts
from examples.analysts.findings import Decision
from examples.analysts.prices import DAYS, TICKERS
from tests.support.examples import Graph, in_pieces, kept, of_type, parts_of, runs_of, thread

DECISIONS = {
    "ALDER": ("buy", 0.85),
    "BRIAR": ("hold", -0.01),
    "CRANE": ("hold", 0.18),
    "DUNES": ("sell", -0.47),
    "EMBER": ("buy", 0.47),
    "FJORD": ("sell", -0.42),
    "GLYPH": ("sell", -0.35),
    "HAZEL": ("buy", 0.75),
}
DEEP = {"BRIAR", "DUNES", "EMBER", "FJORD", "GLYPH"}


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own TASKREEL_MODEL out of the tests."""
    monkeypatch.delenv("TASKREEL_MODEL", raising=False)


async def analysed(**wanted: Any) -> dict[str, Any]:
    graph: Graph = analysts.graph
    return await graph.ainvoke({"pace": 0, **wanted})


def told(decisions: list[Decision]) -> dict[str, tuple[str, float]]:
    return {one["ticker"]: (one["decision"], one["score"]) for one in decisions}


async def test_decisions_on_the_shipped_prices() -> None:
    """With no input every stock is decided on, and the memo's first line says how."""
    result = await analysed()
    assert told(result["decisions"]) == DECISIONS
    assert result["memo"].splitlines()[0] == (
        "After 250 trading days to 2025-12-17: "
        "buy ALDER, EMBER, HAZEL; hold BRIAR, CRANE; sell DUNES, FJORD, GLYPH."
    )


async def test_every_analyst_looks_at_every_stock() -> None:
    """One node runs for each stock and analyst, one more where a fall was deep, and the others once."""
    parts = await parts_of(kept(analysts.graph), {"pace": 0}, thread())
    assert Counter(runs_of(parts)) == {
        **dict.fromkeys(("trend", "volatility", "drawdown"), 8),
        **dict.fromkeys(("assign", "review", "decide", "write"), 1),
        "recovery": len(DEEP),
    }


async def test_nobody_looks_closer_where_nothing_fell_deep() -> None:
    """Where no fall was deep, the decisions follow at once."""
    parts = await parts_of(kept(analysts.graph), {"pace": 0, "tickers": ["ALDER", "HAZEL"]}, thread())
    assert runs_of(parts)[-3:] == ["review", "decide", "write"]
    assert not {"recovery"} & set(runs_of(parts))


@pytest.mark.parametrize("days", [DAYS, 61])
async def test_progress_goes_to_the_last_day(days: int) -> None:
    """Each analyst reports several times, at later and later days, until the last one."""
    given = {"pace": 0, "tickers": ["EMBER", "FJORD"], "days": days}
    parts = await parts_of(kept(analysts.graph), given, thread())
    told = [event["current"] for event in of_type(parts, "custom") if event.get("total") == days]
    looks = [name for name in runs_of(parts) if name in ("trend", "volatility", "drawdown", "recovery")]
    assert told.count(days) == len(looks)
    assert len(told) > 4 * len(looks)


async def test_memo_streams() -> None:
    """The memo's pieces make the memo, which names each stock with its decision."""
    graph, config = kept(analysts.graph), thread()
    chunks = [chunk for chunk, _ in of_type(await parts_of(graph, {"pace": 0}, config), "messages")]
    memo = (await graph.aget_state(config)).values["memo"]
    assert "".join(chunk.text for chunk in chunks) == memo
    for ticker, (decision, score) in DECISIONS.items():
        assert f"{ticker}: {decision} ({score:+.2f}), for " in memo


async def test_goes_on_from_any_checkpoint() -> None:
    """Stopped before each node, and gone on with from what was kept, it comes to the same end."""
    state, stops = await in_pieces(analysts.graph, {"pace": 0})
    assert stops == 6
    assert {name: state[name] for name in ("decisions", "memo")} == await analysed()


async def test_used_thread() -> None:
    """A second run in a thread decides on its own stocks, by its own findings."""
    graph, config = kept(analysts.graph), thread()
    await graph.ainvoke({"pace": 0, "days": 100}, config)
    again = await graph.ainvoke({"days": DAYS, "tickers": ["GLYPH", "ALDER"]}, config)
    assert told(again["decisions"]) == {name: DECISIONS[name] for name in ("ALDER", "GLYPH")}


@pytest.mark.parametrize("days", [60, 61, 99, 249])
async def test_any_horizon(days: int) -> None:
    """As few days as the schema allows are enough for every analyst."""
    result = await analysed(days=days)
    assert len(result["decisions"]) == len(TICKERS)
    assert f"After {days} trading days" in result["memo"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"tickers": ["ALDER", "ACME"]},
        {"tickers": []},
        {"tickers": ["ALDER", "ALDER"]},
        {"tickers": "ALDER"},
        {"days": 59},
        {"days": 251},
        {"days": 99.5},
        {"pace": -1},
        {"pace": 11},
    ],
    ids=str,
)
def test_schema_refuses(wanted: Any) -> None:
    """The input schema refuses a stock that isn't there or is named twice, and numbers out of bounds."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wanted, analysts.graph.get_input_jsonschema())
