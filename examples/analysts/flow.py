"""The analysts' graph: three looks at each stock, a closer one where it fell deep, decisions, a memo."""

from collections.abc import Callable, Iterable
from operator import add
from typing import Annotated, Literal, Protocol, TypedDict, TypeVar

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, ConfigDict, Field

from examples.analysts import findings, measure
from examples.analysts.findings import DEEP, Decision, Finding
from examples.analysts.prices import DAYS, TICKERS, Close, Ticker, closes
from examples.model import chat_model
from examples.offline import Copyist
from examples.pace import linger

ANALYSTS = ("trend", "volatility", "drawdown")

REPORTS = 10
"""How often an analyst tells about how far the work has come."""

ORDER = (
    "Write a short memo to an investor from the decisions that follow, in their order. Keep each decision, "
    "its score and its reasons, and add nothing that they do not say."
)


class Dated(Protocol):
    """A step of a measure, up to a day."""

    @property
    def day(self) -> str:
        """An ISO date."""
        ...


Step = TypeVar("Step", bound=Dated)


class Input(BaseModel):
    """Which stocks to look at, and how far back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"tickers": ["ALDER", "BRIAR", "EMBER", "GLYPH"], "days": 250}]}
    )

    tickers: list[Ticker] = Field(
        default=list(TICKERS),
        min_length=1,
        max_length=len(TICKERS),
        description="The stocks to look at, all of them invented.",
        json_schema_extra={"uniqueItems": True},
    )
    days: int = Field(default=DAYS, ge=60, le=DAYS, description="How many trading days to look back.")
    pace: float = Field(
        default=1.0, ge=0, le=10, description="How long to linger, as a network would; 0 is not at all."
    )


class Output(BaseModel):
    """What to do with each stock, and the memo that says so."""

    decisions: list[Decision]
    memo: str


class Assignment(TypedDict):
    """What one analyst gets."""

    ticker: Ticker
    days: int
    pace: float


class Closer(Assignment):
    """What one analyst gets who looks closer at a fall from a price of `peak` to the day of its `bottom`."""

    peak: float
    bottom: str


class State(TypedDict):
    """All that the nodes share; `findings` and `deep` collect what each analyst found."""

    tickers: list[Ticker]
    days: int
    pace: float
    findings: Annotated[list[Finding], add]
    deep: Annotated[list[Closer], add]
    decisions: list[Decision]
    memo: str


Found = dict[str, list[Finding]]


def assign(state: Input) -> Command[Literal["trend", "volatility", "drawdown"]]:
    """Give each analyst each of the stocks."""
    tickers = list(dict.fromkeys(state.tickers))
    jobs = [Assignment(ticker=ticker, days=state.days, pace=state.pace) for ticker in tickers]
    get_stream_writer()({"message": f"{len(tickers)} stocks to {len(ANALYSTS)} analysts"})
    # Overwrite, for a second run in the same thread would find the first one's findings there.
    fresh = {"findings": Overwrite([]), "deep": Overwrite([])}
    update = {"tickers": tickers, "days": state.days, "pace": state.pace, **fresh}
    return Command(update=update, goto=[Send(analyst, job) for job in jobs for analyst in ANALYSTS])


async def trend(state: Assignment) -> Found:
    """Follow two moving averages, and fit a line."""
    days = closes(state["ticker"], state["days"])
    steps = await _followed(
        state, days, measure.averages(days), lambda step: f"short mean {step.gap:+.1%} from the long one"
    )
    crossed = measure.last_cross(steps)
    return {"findings": [findings.trend(state["ticker"], measure.slope(days), steps[-1], crossed)]}


async def volatility(state: Assignment) -> Found:
    """Follow how far a day's return is from the others'."""
    days = closes(state["ticker"], state["days"])
    steps = await _followed(state, days, measure.spreads(days), lambda step: f"volatility {step.annual:.0%}")
    return {"findings": [findings.volatility(state["ticker"], steps)]}


async def drawdown(state: Assignment) -> dict[str, list[Finding] | list[Closer]]:
    """Find the deepest fall."""
    days = closes(state["ticker"], state["days"])
    steps = await _followed(state, days, measure.falls(days), lambda step: f"{step.depth:.1%} below its high")
    deepest = max(steps, key=lambda step: step.depth)
    closer = Closer(**state, peak=deepest.peak.price, bottom=deepest.day)
    found = [findings.drawdown(state["ticker"], deepest)]
    return {"findings": found, "deep": [closer] if deepest.depth >= DEEP else []}


def review(state: State) -> Command[Literal["recovery", "decide"]]:
    """Have an analyst look closer at each stock that fell deep, if any did."""
    names = ", ".join(closer["ticker"] for closer in state["deep"])
    get_stream_writer()({"message": f"To look closer at: {names or 'none'}"})
    return Command(goto=[Send("recovery", closer) for closer in state["deep"]] or "decide")


async def recovery(state: Closer) -> Found:
    """Follow how much of a deep fall has been won back."""
    days = closes(state["ticker"], state["days"])
    steps = await _followed(
        state,
        days,
        measure.regained(days, state["peak"], state["bottom"]),
        lambda step: f"{step.share:.0%} of the fall won back",
    )
    return {"findings": [findings.recovery(state["ticker"], steps)]}


async def decide(state: State) -> dict[str, list[Decision]]:
    """Weigh what the analysts found, stock by stock."""
    report, decided = get_stream_writer(), findings.decisions(state["findings"])
    for number, one in enumerate(decided, 1):
        message = f"{one['ticker']}: {one['decision']}, {one['score']:+.2f}"
        report({"message": message, "current": number, "total": len(decided)})
        await linger(0.15 * state["pace"])
    return {"decisions": decided}


async def write(state: State) -> dict[str, str]:
    """Have the model write the memo."""
    until = closes(state["tickers"][0])[-1].day
    notes = findings.memo(state["decisions"], state["days"], until)
    model = chat_model(Copyist(delay=0.015 * state["pace"]))
    answer = await model.ainvoke([SystemMessage(ORDER), HumanMessage(notes)])
    return {"memo": answer.text}


async def _followed(
    job: Assignment, days: list[Close], steps: Iterable[Step], told: Callable[[Step], str]
) -> list[Step]:
    """Take all steps, and report REPORTS times or so at which day they are."""
    report, taken = get_stream_writer(), list[Step]()
    places = {close.day: number for number, close in enumerate(days, 1)}
    for step in steps:
        taken.append(step)
        current = places[step.day]
        if current % (len(days) // REPORTS) == 0 or current == len(days):
            message = f"{job['ticker']} to {step.day}: {told(step)}"
            report({"message": message, "current": current, "total": len(days)})
            await linger(0.4 * job["pace"])
    return taken


builder = StateGraph(State, input_schema=Input, output_schema=Output)
builder.add_node(assign)
for analyst in (trend, volatility, drawdown):
    builder.add_node(analyst)
    builder.add_edge(analyst.__name__, "review")
builder.add_node(review)
builder.add_node(recovery)
builder.add_node(decide)
builder.add_node(write)
builder.add_edge(START, "assign")
builder.add_edge("recovery", "decide")
builder.add_edge("decide", "write")
graph = builder.compile(name="analysts")
