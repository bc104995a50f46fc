"""Nothing that is read from Redis, or from anywhere, can run code: no pickle, and nothing like it."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from arq.constants import job_key_prefix

from events.log import EventLog
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.tasks import until_status
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "cli", "events", "examples", "worker")
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "jsonpickle", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile"}
METHODS = {("yaml", "load"), ("yaml", "unsafe_load"), ("joblib", "load")}


def offences(tree: ast.AST) -> Iterator[str]:
    """What in a module's code could make data run."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if MODULES & {name.name.partition(".")[0] for name in names}:
                yield f"line {node.lineno} imports {names[0].name}"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in MODULES:
                yield f"line {node.lineno} imports from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                yield f"line {node.lineno} calls {name}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                owner,
                name,
            ) in METHODS:
                yield f"line {node.lineno} calls {owner}.{name}"
            case ast.keyword(arg="pickle_fallback", value=ast.Constant(value=value)) if value:
                yield f"line {node.lineno} lets LangGraph pickle"
            case _:
                pass


def test_no_code_of_ours_runs_data() -> None:
    """Neither by a module that can, nor by a built-in."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 100
    found = [f"{path}: {one}" for path in files for one in offences(ast.parse(path.read_text()))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from cloudpickle import loads", "import marshal", "eval(text)", "exec(text)",
        "yaml.load(text)", "JsonPlusSerializer(pickle_fallback=True)",
    ],
)  # fmt: skip
def test_such_code_would_be_found(code: str) -> None:
    """The search itself finds what it is for."""
    assert len(list(offences(ast.parse(code)))) == 1


class Touch:
    """Makes a file when it's unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


async def test_a_pickle_in_the_queue_is_refused(
    pod: RunningPod, settings: Settings, log: EventLog, tmp_path: Path
) -> None:
    """Whoever can write to Redis can't run code in a worker; the worker goes on with the next task."""
    touched, queue = tmp_path / "touched", log.keys.queue("default")
    job: dict[str, object] = {"t": 1, "f": "run_task", "a": (Touch(touched),), "k": {}, "et": 1}
    await log.redis.set(f"{job_key_prefix}{log.keys.prefix}-evil", pickle.dumps(job), ex=60)
    await log.redis.zadd(queue, {f"{log.keys.prefix}-evil": 1})
    async with running_worker(settings, SPECS):

        async def taken() -> bool:
            return await log.redis.zcard(queue) == 0

        await wait_until(taken)
        await until_status(pod, await pod.submit("counting"), "succeeded")
    assert not touched.exists()
    pickle.loads(pickle.dumps(Touch(touched)))
    assert touched.exists(), "the pickle was harmless, so the test proves nothing"
