"""What the analysts measure and make of it, checked by hand and against plain definitions."""

from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.analysts import findings, invent, measure
from examples.analysts.findings import Finding
from examples.analysts.prices import DAYS, TICKERS, Close, closes

prices = st.lists(st.floats(min_value=0.01, max_value=1e6), min_size=1, max_size=80)


def series(*of: float) -> list[Close]:
    return [Close(f"day {number:03}", price) for number, price in enumerate(of, 1)]


# --- prices


def test_shipped_prices_are_the_invented_ones() -> None:
    """The file is what its maker makes, and has the stocks and days that the code names."""
    header, *rows = invent.table()
    assert header.split(",")[1:] == list(TICKERS)
    assert [float(row.split(",")[1]) for row in rows] == [close.price for close in closes("ALDER")]
    assert [row.split(",")[0] for row in rows] == [close.day for close in closes("HAZEL")]
    assert len(rows) == DAYS


# --- measures


def test_drawdown_by_hand() -> None:
    """From 100 to 80 is a fall of 20 %; later ones from a higher peak are less deep."""
    days = series(90, 100, 95, 80, 120, 108, 119)
    deepest = max(measure.falls(days), key=lambda fall: fall.depth)
    assert (deepest.peak.day, deepest.day) == ("day 002", "day 004")
    assert deepest.depth == pytest.approx(0.2)
    assert [fall.depth for fall in measure.falls(days)] == pytest.approx([0, 0, 0.05, 0.2, 0, 0.1, 1 / 120])


def test_recovery_by_hand() -> None:
    """Of the 20 lost, 10 and then all and more are won back."""
    days = series(90, 100, 95, 80, 90, 110)
    assert [step.share for step in measure.regained(days, 100, "day 004")] == pytest.approx([0, 0.5, 1.5])


@settings(deadline=None)
@given(prices)
def test_drawdown_is_the_worst_trade(found: list[float]) -> None:
    """The deepest fall is the most that anybody could lose by buying at one close and selling at a later."""
    worst = max(1 - later / one for place, one in enumerate(found) for later in found[place:])
    assert max(step.depth for step in measure.falls(series(*found))) == pytest.approx(max(0, worst))


@settings(deadline=None)
@given(st.lists(st.floats(min_value=1, max_value=1e4), min_size=measure.LONG, max_size=90))
def test_averages_are_means_of_windows(found: list[float]) -> None:
    """Each step has the means of the last 20 and 50 closes."""
    for place, step in enumerate(measure.averages(series(*found)), measure.LONG):
        assert step.short == pytest.approx(fmean(found[place - measure.SHORT : place]))
        assert step.long == pytest.approx(fmean(found[place - measure.LONG : place]))


def test_averages_cross() -> None:
    """A price that turns has its short mean cross its long one, some days after."""
    found = [*range(200, 140, -1), *range(140, 200)]
    steps = list(measure.averages(series(*found)))
    assert (steps[0].above, steps[-1].above) == (False, True)
    crossed = next(
        day for day in range(50, 120) if fmean(found[day - 20 : day]) > fmean(found[day - 50 : day])
    )
    assert measure.last_cross(steps) == f"day {crossed:03}"
    assert measure.last_cross(steps[:20]) is None


def test_volatility_of_a_seesaw() -> None:
    """A price that goes up and down by as much each day has the standard deviation of such returns."""
    steps = list(measure.spreads(series(*([100, 101] * 30))))
    returns = [0.00995033, -0.00995033] * 10
    assert [step.annual for step in steps] == pytest.approx([stdev(returns) * 252**0.5] * 40, rel=1e-5)


def test_slope_of_steady_growth() -> None:
    """A price that grows by the same share each day grows in a month by that share 21 times."""
    assert measure.slope(series(*(100 * 1.002**day for day in range(80)))) == pytest.approx(1.002**21 - 1)


# --- findings


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=1), st.floats(min_value=-1, max_value=5), st.floats(0, 9))
def test_scores_are_within_bounds(depth: float, share: float, annual: float) -> None:
    """Whatever is measured, a score is from -1 to 1."""
    fall = measure.Fall("b", depth, Close("a", 1.0), 1 - depth)
    found = [
        findings.drawdown("ALDER", fall),
        findings.recovery("ALDER", [measure.Regained("b", share)]),
        findings.volatility("ALDER", [measure.Spread("b", annual)]),
        findings.trend("ALDER", share, measure.Averages("b", 1 + share, 1.0), None),
    ]
    assert all(-1 <= one["score"] <= 1 for one in found)


@pytest.mark.parametrize(
    ("score", "decision"), [(1, "buy"), (0.25, "buy"), (0.24, "hold"), (-0.24, "hold"), (-0.25, "sell")]
)
def test_decision_by_score(score: float, decision: str) -> None:
    """The manager buys from 0.25 on, sells from -0.25 down, and holds between."""
    [decided] = findings.decisions([Finding(ticker="ALDER", analyst="trend", score=score, says="so")])
    assert (decided["decision"], decided["score"], decided["reasons"]) == (decision, score, ["so"])


def test_decisions_weigh_whatever_the_order() -> None:
    """The weightiest reason comes first, and the order in which analysts finish changes nothing."""
    found = [
        Finding(ticker="HAZEL", analyst="trend", score=0.5, says="it rises"),
        Finding(ticker="HAZEL", analyst="drawdown", score=-0.2, says="it fell"),
        Finding(ticker="HAZEL", analyst="volatility", score=-1, says="it is wild"),
        Finding(ticker="ALDER", analyst="trend", score=0.1, says="it stands"),
    ]
    shuffled = Random(5).sample(found, len(found))
    assert findings.decisions(found) == findings.decisions(shuffled)
    assert [one["ticker"] for one in findings.decisions(shuffled)] == ["ALDER", "HAZEL"]
    hazel = findings.decisions(shuffled)[1]
    assert hazel["score"] == round((4 * 0.5 - 2 * 0.2 - 1) / 7, 2)
    assert hazel["reasons"] == ["it rises", "it is wild", "it fell"]
