"""A whole system of processes, and the `taskreel` command run against it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest

from cli.main import main
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from tests.support.server import free_port

T = TypeVar("T")


SLOW = json.dumps({"count": 40, "pause": 0.3})
"""An input with which the graph `counting` takes twelve seconds."""


@dataclass
class Done:
    """What a command that ran in the test's own process came to."""

    returncode: int
    stdout: str
    stderr: str


Taskreel = Callable[..., Done]
"""Runs a command in the test's own process."""


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Taskreel:
    """What runs them, by the fixtures of the test."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["taskreel", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        printed = capsys.readouterr()
        return Done(ended.value.code, printed.out, printed.err)

    return run


def command(*words: str) -> list[str]:
    """A command line of `taskreel`."""
    return [sys.executable, "-m", "cli.main", *words]


@dataclass
class System:
    """A worker and two pods, and how to reach them."""

    environment: dict[str, str]
    urls: list[str]

    def run(self, *words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environment = self.environment | more
        return subprocess.run(
            command(*words), input=stdin, env=environment, capture_output=True, text=True, timeout=60
        )

    def begin(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a command whose outputs are pipes, unbuffered here: `communicate` would miss the buffer."""
        pipe, environment = subprocess.PIPE, self.environment | more
        return subprocess.Popen(command(*words), env=environment, stdout=pipe, stderr=pipe, bufsize=0)

    def submit(self, *words: str) -> str:
        """Submit a task; gives its id."""
        done = self.run("submit", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    def store(self, use: Callable[[EventLog], Coroutine[Any, Any, T]]) -> T:
        """Use the log directly."""

        async def connected() -> T:
            redis = connect(self.environment["TASKREEL_REDIS_URL"])
            try:
                return await use(EventLog(redis, Keys(self.environment["TASKREEL_KEY_PREFIX"])))
            finally:
                await redis.aclose()

        return asyncio.run(connected())


def start_pod(environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """A pod on a free port, and its URL."""
    port = free_port()
    return subprocess.Popen(command("api", "--port", str(port)), env=environment), f"http://127.0.0.1:{port}"


def wait_for(url: str, word: str) -> None:
    """Wait until an answer holds the word."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if word in httpx.get(url, trust_env=False).text:
                return
        time.sleep(0.05)
    pytest.fail(f"{url} never had {word}")
