"""What the analysts make of their measures, and what the manager makes of their findings. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

from typing_extensions import TypedDict  # which pydantic wants, until Python 3.12 is the oldest

from examples.analysts.measure import Averages, Fall, Regained, Spread
from examples.analysts.prices import Ticker

Analyst = Literal["trend", "volatility", "drawdown", "recovery"]
Verdict = Literal["buy", "hold", "sell"]

WEIGHTS: dict[Analyst, int] = {"trend": 4, "volatility": 1, "drawdown": 2, "recovery": 2}
"""How much each analyst's word counts with the manager."""

CONVINCED = 0.25
"""The score from which the manager buys; below its negative the manager sells."""

DEEP = 0.2
"""A fall from which on somebody looks whether it was recovered from: a bear market, as is usual."""


class Finding(TypedDict):
    """What an analyst says of a stock, and how good that is: `score` is from -1 to 1."""

    ticker: Ticker
    analyst: Analyst
    score: float
    says: str


class Decision(TypedDict):
    """What to do with a stock, how sure that is (`score`, -1 to 1), and why: the weightiest reason first."""

    ticker: Ticker
    decision: Verdict
    score: float
    reasons: list[str]


def trend(ticker: Ticker, growth: float, last: Averages, crossed: str | None) -> Finding:
    """Growing 4 % a month is as good as it gets, and so is a short mean 5 % above the long one."""
    way, since = ("above" if last.above else "below"), f"since {crossed}" if crossed else "all the time"
    moves = f"{'rises' if growth > 0 else 'falls'} by {abs(growth):.1%} a month"
    says = f"the price {moves}, its short mean {way} its long one {since}"
    return _finding(ticker, "trend", (_within(growth / 0.04) + _within(last.gap / 0.05)) / 2, says)


def volatility(ticker: Ticker, steps: Sequence[Spread]) -> Finding:
    """A volatility of 30 % is neither good nor bad; none at all would be best, 60 % is worst."""
    last, wildest = steps[-1], max(steps, key=lambda step: step.annual)
    says = f"volatility is {last.annual:.0%}, at most {wildest.annual:.0%} on {wildest.day}"
    return _finding(ticker, "volatility", 1 - last.annual / 0.3, says)


def drawdown(ticker: Ticker, deepest: Fall) -> Finding:
    """No fall at all is best, one of 15 % is neither good nor bad, one of 30 % is worst."""
    says = f"its deepest fall was by {deepest.depth:.1%}, from {deepest.peak.day} to {deepest.day}"
    return _finding(ticker, "drawdown", 1 - deepest.depth / 0.15, says)


def recovery(ticker: Ticker, steps: Sequence[Regained]) -> Finding:
    """To have won half of the fall back is neither good nor bad."""
    share = min(1.0, steps[-1].share)
    says = f"{share:.0%} of its deepest fall has been won back since {steps[0].day}"
    return _finding(ticker, "recovery", 2 * share - 1, says)


def decisions(findings: Iterable[Finding]) -> list[Decision]:
    """Weigh the findings on each stock, in alphabetical order."""
    of = dict[Ticker, list[Finding]]()
    for one in sorted(findings, key=lambda one: (one["ticker"], one["analyst"])):
        of.setdefault(one["ticker"], []).append(one)
    return [_decision(ticker, found) for ticker, found in of.items()]


def _decision(ticker: Ticker, findings: Sequence[Finding]) -> Decision:
    weighed = [(WEIGHTS[one["analyst"]] * one["score"], one["says"]) for one in findings]
    score = sum(weight for weight, _ in weighed) / sum(WEIGHTS[one["analyst"]] for one in findings)
    verdict: Verdict = "buy" if score >= CONVINCED else "sell" if score <= -CONVINCED else "hold"
    reasons = [says for _, says in sorted(weighed, key=lambda one: -abs(one[0]))]
    return Decision(ticker=ticker, decision=verdict, score=round(score, 2), reasons=reasons)


def memo(decided: Sequence[Decision], days: int, until: str) -> str:
    """Return the memo: a line of what to do, then for each stock what speaks for it and against it."""
    by_verdict = {verdict: _names(decided, verdict) for verdict in ("buy", "hold", "sell")}
    gist = "; ".join(f"{verdict} {names}" for verdict, names in by_verdict.items() if names)
    told = [
        f"{one['ticker']}: {one['decision']} ({one['score']:+.2f}), for {', and '.join(one['reasons'][:2])}."
        for one in decided
    ]
    return "\n\n".join([f"After {days} trading days to {until}: {gist}.", *told])


def _names(decided: Iterable[Decision], verdict: str) -> str:
    return ", ".join(one["ticker"] for one in decided if one["decision"] == verdict)


def _finding(ticker: Ticker, analyst: Analyst, score: float, says: str) -> Finding:
    return Finding(ticker=ticker, analyst=analyst, score=round(_within(score), 3), says=says)


def _within(score: float) -> float:
    return max(-1.0, min(1.0, score))
