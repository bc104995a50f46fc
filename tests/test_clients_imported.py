"""The Python examples of docs/clients.md that other code imports, and Streamlit's script."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from uuid_utils import uuid7

from events.settings import Settings
from tests.support.pods import RunningPod, running_worker
from tests.support.snippets import DIRECT, NEXT_ATTEMPT, STORY, save, snippets
from tests.support.tasks import log_ids

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

ADA = {"customer": "Ada", "amount": 120}
GRAPHS = ("approval=examples.approval:graph", "digest=examples.digest:graph")


@pytest.fixture
async def system(pod: RunningPod, settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod, and a worker that serves the graphs of the document."""
    async with running_worker(settings, GRAPHS):
        yield pod


@pytest.fixture
def modules(pod: RunningPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The document's `view` and `follow`, imported for this test alone; its `app.py` lies beside them."""
    texts = snippets(where={"localhost:8000": pod.url.removeprefix("http://")})
    save(texts, tmp_path, "view.py", "follow.py", "app.py")
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in DIRECT.items():
        monkeypatch.setenv(name, value)
    found: dict[str, ModuleType] = {}
    for name in ("view", "follow"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        del sys.modules[name]
        found[name] = import_module(name)
    return found


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[[], AppTest]]:
    """Streamlit with the document's script; imported late, for every process of pytest-xdist reads this."""
    from streamlit.testing.v1 import app_test

    yield lambda: app_test.AppTest.from_file(str(tmp_path / "app.py"), default_timeout=60)
    app_test.TMP_DIR.cleanup()  # it would warn of that itself when the interpreter ends


async def task(system: RunningPod, task_id: str) -> dict[str, Any]:
    """The task as it is now."""
    return (await system.client.get(f"/tasks/{task_id}")).json()


async def test_httpx_sse_stops_where_there_is_nothing_to_come(
    system: RunningPod, modules: dict[str, ModuleType]
) -> None:
    """204 ends it, a task that isn't there raises, and silence is told so that a caller may go on."""
    follow = modules["follow"].follow
    waiting = await system.submit("approval", input=ADA)

    def look() -> None:
        with httpx.Client(base_url=system.url, timeout=httpx.Timeout(5, read=0.5)) as client:
            told = follow(client, waiting)
            kinds = [next(told)[0]]
            while kinds[-2:] != ["task.interrupted", "connection.lost"]:
                kinds.append(next(told)[0])
            client.post(f"/tasks/{waiting}/resume", json={"value": "approve"})
            rest = list(told)
            assert rest[-1][0] == "task.succeeded"
            assert list(follow(client, waiting, rest[-1][2])) == []
            kind, event, cursor = next(follow(client, waiting, "9-999"))
            assert (kind, event["last"], cursor) == ("stream.rewound", rest[-1][2], rest[-1][2])
            with pytest.raises(LookupError, match="task_not_found"):
                next(follow(client, str(uuid7())))

    await asyncio.to_thread(look)


async def test_the_view_of_a_story(modules: dict[str, ModuleType]) -> None:
    """What is superseded, rolled back or comes again doesn't count, and a gap is told."""
    view = modules["view"].View()
    for kind, event in STORY:
        view.take(kind, event)
    assert (view.started, view.completed, view.lost) == ({"a", "b"}, {"b"}, 2)
    assert (view.bar("a"), view.bar("b"), view.bar("c")) == (0.5, 1, None)
    assert (view.texts, view.questions) == ({"m": "Once twice "}, [{"id": "q", "value": "Why?"}])
    for kind, event in NEXT_ATTEMPT:
        view.take(kind, event)
    assert (view.started, view.completed, view.questions) == ({"b"}, {"b"}, [])
    assert [view.bar(run) for run in "abcd"] == [None, 1, None, None]
    assert (view.texts, view.end["type"]) == ({"n": "Anew."}, "task.failed")


def use(app: AppTest) -> None:
    """Submit, wait for the question, touch something else, answer, and see the end."""
    app.run()
    app.selectbox[0].set_value("approval").run()
    app.button[0].click().run()
    assert [radio.label for radio in app.radio] == ["Answer"]
    app.selectbox[0].set_value("digest").run()  # it has nothing to do with the task, and runs the script anew
    app.radio[0].set_value("approve")
    app.button[1].click().run()
    assert not app.exception


async def test_streamlit_goes_on_after_a_rerun(
    system: RunningPod, modules: dict[str, ModuleType], app: Callable[[], AppTest]
) -> None:
    """However often the script runs it is one task, and each event is taken in once."""
    it = app()
    await asyncio.to_thread(use, it)
    task_id = it.session_state["task"]
    ids = await log_ids(system.client, task_id)
    result = (await task(system, task_id))["result"]
    kept = it.session_state["view"].kept.values()
    told = [f"{event['attempt']}-{event['seq']}" for event in kept]
    assert told == [one for one in ids if one != "1-7"]  # the node that asked has begun anew
    assert it.session_state["cursor"] == ids[-1]
    assert (result["decision"], not it.radio) == ("approve", True)
    assert json.loads(it.json[0].value) == {"result": result}


async def test_streamlit_shows_progress_and_text_from_where_a_run_was_ended(
    system: RunningPod, modules: dict[str, ModuleType], app: Callable[[], AppTest]
) -> None:
    """It was ended, at worst, with an event taken in and the cursor not kept: that one comes again."""
    it, task_id = app(), await system.submit("digest", input={"sentences": 3})

    def go_on() -> None:
        view, cursors = modules["view"].View(), [""]
        with httpx.Client(base_url=system.url) as client:
            told = modules["follow"].follow(client, task_id)
            while len(view.kept) < 60:
                kind, event, cursor = next(told)
                view.take(kind, event)
                cursors.append(cursor)
        for name, value in (("task", task_id), ("cursor", cursors[-2]), ("view", view)):
            it.session_state[name] = value
        it.run()

    await asyncio.to_thread(go_on)
    assert not it.exception
    count = len(await log_ids(system.client, task_id))
    assert list(it.session_state["view"].kept) == list(range(1, count + 1))
    result = (await task(system, task_id))["result"]
    assert [text.value for text in it.text] == [result["digest"], "task.succeeded"]
    assert [(bar.value, bar.text) for bar in it.progress] == [(100, "14 of 14")]
