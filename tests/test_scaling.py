"""The model behind docs/scaling.md, and what its figures are measured with."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from bench import load
from bench.report import markdown
from bench.scaling.known import figures
from bench.scaling.model import BUSY, MOST_STREAMS, RATES, SIZES, Load, plan, tables
from bench.scaling.stand import Share, Used, stand
from tests.chaos.followers import wave

DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"


def test_the_document_has_the_tables_that_the_figures_give() -> None:
    """Whoever measures anew puts in what `python -m bench.scaling.model` prints."""
    document = DOCUMENT.read_text()
    for table in tables():
        assert markdown(table) in document, markdown(table)


def test_each_figure_has_a_source() -> None:
    """A command that measures it, or where it's from."""
    assert all(it.source and it.value > 0 for it in figures())


@pytest.mark.parametrize("rate", RATES)
def test_more_streams_never_need_less(rate: float) -> None:
    """Neither pods nor primaries; and no pod has more streams than it takes."""
    plans = [plan(Load(streams, rate)) for streams in range(1_000, 400_000, 7_000)]
    for fewer, more in itertools.pairwise(plans):
        assert more.pods >= fewer.pods
        assert more.shards is None or (fewer.shards is not None and more.shards >= fewer.shards)
        assert more.streams <= MOST_STREAMS


def test_a_pod_may_fail() -> None:
    """What the others have then is still within what a pod takes."""
    for streams in SIZES:
        it = plan(Load(streams, 0.01))
        assert streams / (it.pods - 1) <= MOST_STREAMS


def test_a_bus_that_is_full_is_not_helped_by_more_primaries() -> None:
    """Each hears of every bell, so there is a rate at which no number of them is enough."""
    assert plan(Load(1_000_000, 1.0)).bells > BUSY
    assert plan(Load(1_000_000, 1.0)).shards is None


def test_a_wave_is_measured_from_its_first_to_its_last() -> None:
    """Ten come in a second, four of them in one tenth of it: four times the mean."""
    times = [5.0, 5.15, 5.25, 5.35, 5.45, 5.51, 5.52, 5.53, 5.54, 5.99]
    found = wave([*times, 99.0], 4.0, 10.0)
    assert found is not None
    assert (found.count, found.peak) == (10, 4)
    assert found.ratio == pytest.approx(4.0)
    assert wave(times, 6.0, 7.0) is None


@pytest.mark.skipif(load.missing() is not None, reason=load.missing() or "")
@pytest.mark.parametrize("same", [True, False])
async def test_several_pods_deliver_everything(same: bool) -> None:
    """Each event is written once, and read once by each pod that has clients of its task."""

    def play() -> Used:
        with stand(2) as it:
            return it.play(Share(clients=10, tasks=2, rate=20, seconds=0.5, same=same))

    used = await asyncio.to_thread(play)
    assert used.events == (10 if same else 20)
    assert used.wrong == 0
    assert used.deliveries == 2 * 10 * 5
    assert used.commands["xadd"] == used.events
    assert used.commands["publish"] >= 2
    assert used.commands["xread"] >= 2
