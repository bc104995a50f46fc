"""The credential of the client and the commands: sent to pods alone, and what comes when it doesn't hold."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator

import pytest

from cli.client import Client
from cli.failures import BadAnswer, InvalidRequest, Refused
from cli.wire import Notice
from events.apikeys import KeyDirectory, Role
from events.settings import Settings
from tests.support.credentials import made
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.scripted import TASK, problem, says, scripted
from tests.support.secured import secured_pod
from tests.support.system import Done, command


@pytest.fixture
async def secured(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod that asks for API keys, and a worker."""
    async with secured_pod(settings) as pod, running_worker(settings, SPECS):
        yield pod


async def taskreel(*words: str, token: str | None = None) -> Done:
    """A command in a process of its own; this one has the pod."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    environment |= {} if token is None else {"TASKREEL_TOKEN": token}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command(*words), env=environment, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_a_client_with_a_key_is_served(secured: RunningPod, directory: KeyDirectory) -> None:
    """From the submit to the end of the stream, its history and its state."""
    key, _ = await made(directory)
    async with Client(secured.url, token=key) as client:
        task = await client.submit("counting", {"count": 2})
        async with client.follow(task["task_id"]) as events:
            live = [event async for event in events]
        assert [event async for event in client.events(task["task_id"])] == live
        assert (await client.task(task["task_id"]))["status"] == "succeeded"
        assert [one["task_id"] async for one in client.tasks()] == [task["task_id"]]


async def test_the_commands_send_what_the_environment_has(
    secured: RunningPod, directory: KeyDirectory
) -> None:
    """With blanks around it or without; to each of the pods' requests, a stream's as well."""
    key, _ = await made(directory)
    done = await taskreel("submit", "counting", "--follow", "--json", "--url", secured.url, token=f" {key}\n")
    assert (done.returncode, "task.succeeded" in done.stdout) == (0, True), done.stderr
    listed = await taskreel("ls", "--json", "--url", secured.url, token=key)
    assert listed.stdout.count("\n") == 1
    assert key not in done.stdout + done.stderr + listed.stdout + listed.stderr


async def test_what_a_credential_lacks_is_one_line(secured: RunningPod, directory: KeyDirectory) -> None:
    """With what to do about it, status 3, and the token in none of it."""
    key, record = await made(directory, role=Role.READ)
    wrong = f"{key[:-8]}AAAAAAAA"
    await directory.revoke((await made(directory))[1].id)
    for token, words, hint in (
        (None, ("ls",), "unauthenticated: .*Set TASKREEL_TOKEN to a key or a token"),
        (wrong, ("ls",), r"unauthenticated: .*Is TASKREEL_TOKEN right\?"),
        (wrong, ("tail", TASK), r"unauthenticated: .*Is TASKREEL_TOKEN right\?"),
        (wrong, ("replay", TASK), r"unauthenticated: .*Is TASKREEL_TOKEN right\?"),
        (key, ("submit", "counting"), "forbidden: .*TASKREEL_TOKEN has to be of another role"),
        (f"{key} {key}", ("ls",), r"the token \(TASKREEL_TOKEN\) is none"),
    ):
        done = await taskreel(*words, "--url", secured.url, token=token)
        assert (done.returncode, done.stdout) == (3, "")
        assert re.fullmatch(f"taskreel: {hint}.*\n", done.stderr), done.stderr
        assert record.id not in done.stderr


async def test_a_revoked_follower_is_told_and_does_not_come_back(
    secured: RunningPod, directory: KeyDirectory
) -> None:
    """Its stream ends, and what it hears on its way back is final."""
    key, record = await made(directory)
    notices: list[Notice] = []
    async with Client(secured.url, token=key) as client:
        task = await client.submit("counting", {"count": 1000, "pause": 0.05})
        async with client.follow(task["task_id"], on_notice=notices.append) as events:
            await anext(events)
            await directory.revoke(record.id)
            with pytest.raises(Refused, match="unauthenticated") as refused:
                _ = [event async for event in events]
    assert refused.value.status == 401
    assert [notice.type for notice in notices] == ["connection.lost"]
    other, _ = await made(directory)
    async with Client(secured.url, token=other) as client:
        await client.cancel(task["task_id"])


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "forbidden")])
async def test_a_refusal_is_final(status: int, code: str) -> None:
    """No other pod is asked, whatever is asked for: it would say the same."""
    answers = [problem(status, code)] * 3
    async with (
        scripted(*answers) as one,
        scripted(problem(500, "x")) as other,
        Client([one.url, other.url], token="canary") as client,
    ):
        with pytest.raises(Refused, match=code):
            await client.task(TASK)
        with pytest.raises(Refused, match=code):
            _ = [event async for event in client.follow(TASK)]
        with pytest.raises(Refused, match=code):
            _ = [event async for event in client.events(TASK)]
    assert one.header("Authorization") == ["bearer canary"] * 3
    assert other.requests == []


async def test_a_redirect_is_not_followed() -> None:
    """The host it leads to would get the token."""
    async with scripted(says(200)) as thief:
        leads_away = says(307, Location=f"{thief.url}/tasks/{TASK}")
        async with scripted(*[leads_away] * 3) as pod, Client(pod.url, token="canary") as client:
            with pytest.raises(BadAnswer, match="answered 307"):
                await client.task(TASK)
            with pytest.raises(BadAnswer, match="answered 307"):
                [event async for event in client.follow(TASK)]
            with pytest.raises(BadAnswer, match="answered 307"):
                [event async for event in client.events(TASK)]
        assert len(pod.requests) == 3
        assert thief.requests == []


@pytest.mark.parametrize("token", ["canary\nX: y", "canary canary", "canaryé", "canary\0"])
def test_what_can_be_no_token_is_refused_unrepeated(token: str) -> None:
    """It would be another header, or another credential."""
    with pytest.raises(InvalidRequest, match="TASKREEL_TOKEN") as error:
        Client("http://127.0.0.1:1", token=token)
    assert "canary" not in str(error.value)
