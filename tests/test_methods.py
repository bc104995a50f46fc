"""What a path answers to a method it doesn't take, and to a client that takes nothing it offers."""

from __future__ import annotations

import pytest

from tests.support.http import code
from tests.support.pods import RunningPod


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/tasks", "GET, POST"), ("OPTIONS", "/tasks", "GET, POST"), ("POST", "/graphs", "GET"),
        ("GET", "/tasks/{}/cancel", "POST"), ("DELETE", "/tasks/{}", "GET"), ("HEAD", "/tasks", "GET, POST"),
        ("POST", "/tasks/{}/stream", "GET, HEAD"), ("DELETE", "/tasks/{}/stream", "GET, HEAD"),
    ],
)  # fmt: skip
async def test_a_405_names_every_method_there_is(
    pod: RunningPod, task_id: str, method: str, path: str, allowed: str
) -> None:
    """Of all routes on the path together, the stream's as well, which passes the framework by."""
    answer = await pod.client.request(method, path.format(task_id))
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert code(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize("wish", ["cancel", "resume"])
async def test_a_wish_is_not_taken_whose_answer_is_not(pod: RunningPod, task_id: str, wish: str) -> None:
    """406 before anything happens."""
    path, headers = f"/tasks/{task_id}/{wish}", {"Accept": "text/event-stream"}
    assert code(await pod.client.post(path, headers=headers)) == (406, "not_acceptable")
    assert (await pod.client.get(f"/tasks/{task_id}")).json()["status"] == "queued"
