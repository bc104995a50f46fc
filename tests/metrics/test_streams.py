"""What a pod counts of its streams: who asked, where they went on, what was delivered and how late."""

from __future__ import annotations

from api.connection import MAX_KEPT_CHUNKS
from api.edge.admission import Admission
from api.edge.limits import Limits
from events.append import Appender
from events.log import EventLog
from events.model import Entry, EventId
from events.settings import Settings
from events.tail import Tail
from events.tasks import TaskStore
from tests.support.attempts import open_attempt, progress
from tests.support.clients import ask, crowd
from tests.support.growing import growing
from tests.support.logs import ids, lose, plant, seal
from tests.support.metrics import ledger
from tests.support.pods import RunningPod, running_pod
from tests.support.readers import Collector, Plain
from tests.support.sockets import begin
from tests.support.waiting import wait_until
from tests.support.wire import listen
from tests.test_slow_clients import BUFFER, IN_SOCKETS, ask_and_stop, write_one_by_one

OUTCOMES = {("start",): 1, ("exact",): 1, ("gap",): 1, ("rewound",): 1, ("ended",): 1}


async def test_open_streams_go_up_and_down(pod: RunningPod, task_id: str) -> None:
    """With each client, and back to where they were; the limit is told beside them."""
    book = await ledger(pod)
    async with listen(pod, task_id) as one, listen(pod, task_id) as other:
        await one.until(b"id: 0-1\n")
        await other.until(b"id: 0-1\n")
        assert await book.grown("taskreel_open_streams") == 2
    await wait_until(lambda: not len(pod.pod.streams))
    assert await book.grown("taskreel_open_streams") == 0
    assert await book.grown_all("taskreel_resumes_total") == {("start",): 2}
    assert "taskreel_open_streams_limit 10000.0" in (await pod.client.get("/metrics")).text


async def test_a_resume_is_counted_by_what_it_came_to(
    pod: RunningPod, log: EventLog, tasks: TaskStore, task_id: str
) -> None:
    """Once each; HEAD and a refusal count for nothing; who is told of a loss is counted with it."""
    await plant(log, task_id, ids("1-2", "1-10"))
    book = await ledger(pod)
    for cursor in (None, "1-3", "3-25"):
        async with listen(pod, task_id, cursor) as wire:
            await wire.until(b"id: 1-10\n")
    await lose(log, task_id, ids("1-4", "1-6"))
    async with listen(pod, task_id, "1-4") as wire:
        await wire.until(b"id: 1-10\n")
    await seal(tasks, task_id, "1-11")
    path = f"/tasks/{task_id}/stream"
    assert (await pod.client.get(path, headers={"Last-Event-ID": "1-11"})).status_code == 204
    assert (await pod.client.get(path, headers={"Last-Event-ID": "x"})).status_code == 400
    assert (await pod.client.head(path)).status_code == 200
    assert await book.grown_all("taskreel_resumes_total") == OUTCOMES
    assert await book.grown_all("taskreel_stream_notices_total") == {("gap",): 1, ("rewound",): 1}


async def test_who_is_told_of_a_loss_in_mid_stream_is_counted(
    pod: RunningPod, log: EventLog, task_id: str
) -> None:
    """Each client of them, at whose stream's beginning all was well; and losses within history as well."""
    await plant(log, task_id, ids("1-2", "1-10"))
    book = await ledger(pod)
    async with listen(pod, task_id, "1-9") as one, listen(pod, task_id, "1-9") as other:
        await one.until(b"id: 1-10\n")
        await other.until(b"id: 1-10\n")
        await plant(log, task_id, ["1-14"])
        await one.until(b"id: 1-14\n")
        await other.until(b"id: 1-14\n")
    assert await book.grown_all("taskreel_stream_notices_total") == {("gap",): 2}
    async with listen(pod, task_id) as wire:
        await wire.until(b"id: 1-14\n")
    assert await book.grown_all("taskreel_stream_notices_total") == {("gap",): 3}
    assert await book.grown_all("taskreel_resumes_total") == {("exact",): 2, ("start",): 1}


async def test_deliveries_are_counted_by_the_path_they_take(
    pod: RunningPod, log: EventLog, appender: Appender, task_id: str
) -> None:
    """History once for each reader of it, live entries once for each client; the lag of each live chunk."""
    writer = await open_attempt(log, appender, task_id, worker="w1")
    book = await ledger(pod)
    async with crowd() as clients:
        clients += [await ask(pod.url, task_id) for _ in range(3)]
        for client in clients:
            await client.gets(writer.last)
        assert await book.grown_all("taskreel_deliveries_total") == {("history",): 6}
        for number in range(5):
            await writer.append(progress(number))
            await writer.flush()
            for client in clients:
                await client.gets(writer.last)
        assert await book.grown_all("taskreel_deliveries_total") == {("history",): 6, ("live",): 15}
        assert await book.grown("taskreel_delivery_lag_seconds_count") == 5
        assert 0 < await book.grown("taskreel_delivery_lag_seconds_sum") < 60
        assert await book.grown("taskreel_shared_read_entries_total") == 5
        assert await book.grown("taskreel_shared_reads_total") >= 5
        assert await book.grown("taskreel_bells_heard_total") >= 5


async def test_an_entry_without_a_time_is_delivered_all_the_same(pod: RunningPod) -> None:
    """Whoever wrote such a thing, or a day that isn't there: nobody else's deliveries end with it."""
    book = await ledger(pod)
    tail, reader = Tail(Plain(), EventId(0, 1)), Collector()
    assert tail.join(reader, EventId(0, 1))
    documents = (b"{}", b'{"ts":"2026-02-31T00:00:00.000Z"}', b'{"data":"' + b" " * 200 + b'"ts":"x"}')
    for seq, document in enumerate(documents, 2):
        tail.deliver([Entry(b"1-%d" % seq, b"progress", document)])
    assert await book.grown("taskreel_deliveries_total", path="live") == 3
    assert await book.grown("taskreel_delivery_lag_seconds_count") == 1
    assert await book.grown("taskreel_delivery_lag_seconds_sum") == 0


async def test_a_slow_client_is_counted_once(
    settings: Settings, tasks: TaskStore, appender: Appender
) -> None:
    """As it is cut off; the stream is gone from the open ones then."""
    (log,) = await growing(tasks, appender, 1)
    async with running_pod(settings, send_buffer=BUFFER) as narrow, crowd() as fast, crowd() as slow:
        book = await ledger(narrow)
        fast += [await ask(narrow.url, log.task_id)]
        slow += [await ask_and_stop(narrow, log)]
        await wait_until(lambda: len(narrow.pod.streams) == 2)
        await write_one_by_one(log, 100_000, MAX_KEPT_CHUNKS // 12 + IN_SOCKETS // 100_000, fast[0])
        await wait_until(lambda: len(narrow.pod.streams) == 1)
        assert await book.grown("taskreel_slow_clients_total") == 1
        assert await book.grown("taskreel_open_streams") == 1


async def test_who_finds_no_place_is_counted(settings: Settings, pod: RunningPod) -> None:
    """Newcomers that are turned away, and silent connections that make place."""
    book = await ledger(pod)
    for patience in (60, 0):
        admission = Admission(Limits(streams=1, connections=1), patience=patience)
        async with running_pod(settings, admission=admission) as full:
            silent, late = await begin(full.url), await begin(full.url)
            assert await (late if patience else silent).rest() == b""
            await silent.leave()
            await late.leave()
    assert await book.grown("taskreel_refused_connections_total") == 1
    assert await book.grown("taskreel_evicted_connections_total") == 1
