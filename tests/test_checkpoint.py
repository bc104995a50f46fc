"""The saver keeps LangGraph's contract, lets no key live for ever, and never leaves a write half done."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncGenerator, Sequence
from itertools import chain
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.graph import START, StateGraph
from redis.asyncio import Redis

from events.keys import Keys
from tests.support.checkpoints import checkpoint, ids, names, put, thread
from worker.checkpoint import PAGE, RedisSaver
from worker.points import config_of

CAPABILITIES = [it.value for it in Capability]


@pytest.fixture
def saver(redis: Redis, keys: Keys) -> RedisSaver:
    """A saver whose threads live for a minute."""
    return RedisSaver(redis, keys, ttl_seconds=60)


@pytest.mark.parametrize("capability", CAPABILITIES)
async def test_it_conforms(saver: RedisSaver, redis: Redis, keys: Keys, capability: str) -> None:
    """LangGraph's own suite for savers finds nothing, and leaves no key without a TTL."""

    @checkpointer_test(name=f"RedisSaver {capability}")
    async def registered() -> AsyncGenerator[RedisSaver]:
        yield saver

    result = (await validate(registered, capabilities={capability})).results[capability]
    assert result.tests_passed >= 5
    assert (result.passed, result.failures) == (True, [])
    assert all([0 < await redis.ttl(name) <= 120 for name in await names(redis, keys)])


async def test_a_write_puts_off_the_end_of_the_whole_thread(
    saver: RedisSaver, redis: Redis, keys: Keys
) -> None:
    """Also that of what older checkpoints left, since a thread may need its whole past."""
    old = await put(saver, "t", value=1)
    await put(saver, "t", "child", value=2)
    for name in await names(redis, keys):
        await redis.expire(name, 10)
    await saver.aput_writes(old, [("answer", 43)], "another task")
    left = [await redis.ttl(name) for name in await names(redis, keys)]
    assert len(left) == 5
    assert min(left) >= 60


async def test_deleting_a_thread_leaves_no_key(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """Not even the writes of a task whose checkpoint was never stored."""
    await put(saver, "t", value=1)
    await put(saver, "t", "child", value=2)
    await saver.aput_writes(config_of("t", "", "lost"), [("answer", 42)], "task")
    await saver.adelete_thread("t")
    assert await names(redis, keys) == []


async def test_namespaces_do_not_mix_whatever_they_are_called(saver: RedisSaver) -> None:
    """One may begin like another, or hold what separates parts of a key."""
    spaces = ["", "a", "ab", 'a"', "a\0b", "a:b|c", "ä\ud800"]
    stored = {ns: await put(saver, "t", ns, name=ns.encode("utf-8", "replace")) for ns in spaces}
    for ns, config in stored.items():
        assert await ids(saver, thread("t", checkpoint_ns=ns)) == [config["configurable"]["checkpoint_id"]]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        found = await saver.aget_tuple(thread("t", checkpoint_ns=ns))
        assert found is not None
        assert found.config == config
        assert found.checkpoint["channel_values"] == {"name": ns.encode("utf-8", "replace")}
    assert len(await ids(saver, thread("t"))) == len(spaces)


async def test_a_list_longer_than_a_page(saver: RedisSaver) -> None:
    """Pages follow each other without a gap, and the limit counts what the filter lets pass."""
    every = [(await put(saver, "t", n=n))["configurable"]["checkpoint_id"] for n in range(2 * PAGE + 3)][::-1]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    await put(saver, "other", n=0)
    assert await ids(saver, thread("t")) == every
    assert await ids(saver, thread("t"), limit=PAGE + 1) == every[: PAGE + 1]
    assert (
        await ids(saver, thread("t"), before=thread("t", checkpoint_id=every[PAGE]), limit=2)
        == (every[PAGE + 1 : PAGE + 3])
    )
    assert await ids(saver, thread("t"), filter={"source": "input"}) == []
    assert len(await ids(saver, None)) == len(every) + 1


async def test_the_first_of_two_attempts_at_a_task_counts(saver: RedisSaver) -> None:
    """What a worker that was thought dead writes late changes nothing, but an interrupt is replaced."""
    config = await put(saver, "t")
    await saver.aput_writes(config, [("answer", "late"), ("__interrupt__", "first")], "task")
    await saver.aput_writes(config, [("__interrupt__", "second")], "task")
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [("task", "__interrupt__", "second"), ("task", "answer", 42)]


async def test_a_checkpoint_that_is_put_again_replaces_itself(saver: RedisSaver) -> None:
    """There's one checkpoint of an id."""
    new, where = checkpoint(), thread("t", checkpoint_ns="")
    for source in ("input", "update"):
        await saver.aput(where, new, {"source": source}, {})
    assert [found.metadata["source"] async for found in saver.alist(where)] == ["update"]  # pyright: ignore[reportTypedDictNotRequiredAccess]


async def test_an_unchanged_value_is_stored_once(saver: RedisSaver, redis: Redis, keys: Keys) -> None:
    """A long conversation beside a counter doesn't grow with each count."""
    config, first = thread("t", checkpoint_ns=""), checkpoint(big="x" * 100_000)
    await saver.aput(config, first, {}, first["channel_versions"])
    for n in range(10):
        new = checkpoint(big="x" * 100_000, n=n)
        new["channel_versions"] = {**first["channel_versions"], "n": str(n)}
        await saver.aput(config, new, {}, {"n": str(n)})
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"big": "x" * 100_000, "n": 9}
    assert sum([await redis.memory_usage(name) or 0 for name in await names(redis, keys)]) < 400_000


async def test_twenty_threads_at_once(saver: RedisSaver) -> None:
    """Each finds its own twenty checkpoints, and the value of its last."""

    async def one(number: int) -> None:
        for step in range(20):
            await put(saver, f"t{number}", value=[number, step])
        found = await saver.aget_tuple(thread(f"t{number}"))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"value": [number, 19]}
        assert len(await ids(saver, thread(f"t{number}"))) == 20

    await asyncio.gather(*map(one, range(20)))


def extend(old: list[int], new: Sequence[list[int]]) -> list[int]:
    """A reducer of many changes at once."""
    return [*old, *chain.from_iterable(new)]


class Deltas(TypedDict):
    """A channel of which LangGraph stores the changes, and the whole at every fourth."""

    items: Annotated[list[int], DeltaChannel(extend, snapshot_frequency=4)]
    total: Annotated[int, operator.add]


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_pruning_keeps_what_a_channel_of_deltas_is_rebuilt_from(saver: RedisSaver) -> None:
    """Of nine runs on a thread little is left, but all that the newest state needs."""

    def work(state: Deltas) -> dict[str, Any]:
        return {"items": [len(state["items"])], "total": 1}

    builder: Any = StateGraph(Deltas)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    graph: Any = builder.compile(checkpointer=saver)
    kept: list[int] = []
    for run in range(1, 10):
        state = await graph.ainvoke({"items": [], "total": 0}, thread("t"))
        assert state == {"items": list(range(run)), "total": run}
        if run >= 5:
            await saver.aprune(["t"])
            kept.append(len(await ids(saver, thread("t"))))
    assert (await graph.aget_state(thread("t"))).values == {"items": list(range(9)), "total": 9}
    assert 1 < max(kept) <= 4


async def test_a_graph_that_is_run_synchronously_is_told_so(saver: RedisSaver) -> None:
    """And what to call instead."""
    with pytest.raises(NotImplementedError, match="run the graph with ainvoke or astream"):
        saver.get(thread("t"))


async def test_an_unknown_strategy_is_refused(saver: RedisSaver) -> None:
    """Before anything is deleted."""
    await put(saver, "t")
    with pytest.raises(ValueError, match="neither 'keep_latest' nor 'delete'"):
        await saver.aprune(["t"], strategy="keep_all")
    assert len(await ids(saver, thread("t"))) == 1
