"""The examples of docs/clients.md that run as processes, with pods killed under them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.console import ConsoleSystem, console_system
from tests.support.document import ENDLESS
from tests.support.snippets import DIRECT, save, snippets
from tests.support.tasks import log_ids
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

CURL = ("curl-post", "curl-follow", "curl-resume", "curl-history", "curl-cancel")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting_system(redis_port: int) -> AsyncGenerator[ConsoleSystem]:
    """Two pods and a worker for all tests of this file."""
    async with console_system(redis_port) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def system(lasting_system: ConsoleSystem) -> ConsoleSystem:
    """The system, with both pods, whatever the test before has killed."""
    await lasting_system.mend()
    return lasting_system


@pytest.fixture
def texts(system: ConsoleSystem) -> dict[str, str]:
    """The document's examples; only where the pods are is changed."""
    places = {"localhost:8000": system.url, "localhost:8001": system.other_url}
    return snippets(where={place: url.removeprefix("http://") for place, url in places.items()})


class Script:
    """An example that runs as a process, and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[str] = []
        self.process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    async def more(self, count: int) -> None:
        """Wait until it has printed so many more lines."""
        wanted = len(self.lines) + count
        await wait_until(lambda: len(self.lines) >= wanted or self._reading.done())
        assert len(self.lines) >= wanted, self.lines

    async def end(self) -> str:
        """Wait for a good end; gives all that was printed."""
        assert await self.process.wait() == 0
        await self._reading
        return "\n".join(self.lines)

    def ids(self) -> list[str]:
        """The ids of the log's events that it has printed, in their order."""
        found = [re.match(r"(\d+-\d+) (?!stream\.|connection\.)\w+\.?\w+", line) for line in self.lines]
        return [match[1] for match in found if match]


async def script(folder: Path, *command: str) -> Script:
    """Start an example in a folder."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **DIRECT}, stdout=pipe
    )
    return Script(process)


async def test_every_example_has_a_name_and_a_test() -> None:
    """What the document shows, some test takes out of it by its name."""
    folder = Path(__file__).parent
    tests = [*folder.glob("test_clients_*.py"), *folder.glob("console/test_clients_*.py")]
    code = "".join(path.read_text() for path in [*tests, folder / "support" / "document.py"])
    assert [name for name in snippets() if f'"{name}"' not in code] == []


async def test_a_block_without_a_name_is_refused(tmp_path: Path) -> None:
    """Else it would be an example that nobody runs."""
    page = tmp_path / "page.md"
    for text in ("```sh\ntrue\n```\n", "<!-- a -->\n```sh\n1\n```\n<!-- a -->\n```sh\n2\n```\n"):
        page.write_text(text)
        with pytest.raises(ValueError, match="sh block has no name of its own"):
            snippets(page)


async def test_curl(system: ConsoleSystem, texts: dict[str, str], tmp_path: Path) -> None:
    """Submit, follow, answer, resume at another pod, read history, cancel: in one shell, from the top."""
    code = "".join(f"{texts[name]}\necho; echo '=== {name}'\n" for name in CURL)
    printed = await (await script(tmp_path, "sh", "-euc", code)).end()
    parts = re.split(r"\n=== .*\n?", printed)
    posted, followed, resumed, steps, cancelled = parts[:5]
    assert "event: message.delta" in posted
    assert "event: task.succeeded" in posted
    assert not followed.strip()
    assert '"status":"queued"' in resumed
    seen = (tmp_path / "seen.txt").read_text()
    task_id = re.findall(r'"task_id":"([^"]+)"', resumed)[0]
    assert re.findall(r"^id: (.*)$", seen + resumed, re.MULTILINE) == await log_ids(system.client, task_id)
    assert steps.split("\n")[0] == "Checking the amount, 120.00 euros"
    assert steps.strip().split("\n")[-1] == "Decided by person: approve"
    assert '"cancelling"' in cancelled
    assert cancelled.strip().endswith("task.cancelled")


async def test_curl_resumes_after_the_last_whole_frame(texts: dict[str, str], tmp_path: Path) -> None:
    """An id whose data did not come whole is no cursor."""
    (tmp_path / "seen.txt").write_text("retry: 1\n\nid: 1-2\ndata: {}\n\n: hb\n\nid: 1-3\ndata: {")
    line = next(line for line in texts["curl-resume"].split("\n") if line.startswith("LAST="))
    found = await script(tmp_path, "sh", "-euc", f"{line}\necho $LAST")
    assert await found.end() == "1-2"


@pytest.mark.parametrize("name", ["follow.py", "client.py"])
async def test_python_from_submission_to_the_end(
    system: ConsoleSystem, texts: dict[str, str], tmp_path: Path, name: str
) -> None:
    """Run without a task it submits one, and prints each of its events."""
    save(texts, tmp_path, "view.py", "follow.py", "client.py")
    running = await script(tmp_path, sys.executable, name)
    printed = await running.end()
    task = (await system.client.get("/tasks", params={"graph": "digest", "limit": 1})).json()["tasks"][0]
    assert running.ids() == await log_ids(system.client, task["task_id"])
    if name == "client.py":
        assert running.lines[-1] == "succeeded"
        return
    result = (await system.task(task["task_id"]))["result"]
    assert printed.endswith(f"task.succeeded 14/14\n{result['digest']}")


@pytest.mark.parametrize("name", ["follow.py", "client.py"])
async def test_python_with_its_pod_killed(
    system: ConsoleSystem, texts: dict[str, str], tmp_path: Path, name: str
) -> None:
    """In mid-stream, while events go on: each comes once, in order, and none is missing."""
    save(texts, tmp_path, "view.py", "follow.py", "client.py")
    task_id = await system.submit("counting", **ENDLESS)
    running = await script(tmp_path, sys.executable, name, task_id)
    await running.more(20)
    await system.pod.kill()
    await wait_until(lambda: any("connection.lost" in line for line in running.lines))
    await system.pod.start()
    await running.more(20)
    await system.client.post(f"/tasks/{task_id}/cancel")
    printed = await running.end()
    assert "connection.lost" in printed
    assert " task.cancelled" in printed
    assert running.ids() == await log_ids(system.client, task_id)
