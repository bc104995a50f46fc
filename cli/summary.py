"""One event in one line of words. Pure."""

from __future__ import annotations

from typing import Any, cast

from cli.hints import broken, command
from cli.pretty import pretty, prose
from cli.text import clean, json_line, shorten
from cli.wire import Event, Notice, event_id

LONGEST_DETAIL = 200
LONGEST_OUTCOME = 4000


def line(event: Event) -> str:
    """An event as `id  time  type  node  detail`, safe to print."""
    words = [event_id(event), str(event.get("ts", ""))[11:23], str(event.get("type", "")), node_name(event)]
    return "  ".join(clean(word) for word in (*words, detail(event)) if word)


def node_name(event: Event) -> str:
    """The node an event came from, with the path of subgraphs that leads to it; empty if from none."""
    steps = [*_list(data_of(event).get("path")), event.get("node")]
    return "/".join(str(step) for step in steps if step)


def data_of(event: Event) -> dict[str, Any]:
    """What belongs to the event's type."""
    data = event.get("data")
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def detail(event: Event) -> str:
    """What an event says, in few words; not yet safe to print."""
    data = data_of(event)
    match event.get("type"):
        case "progress":
            return _progress(data)
        case "message.delta" | "message.completed":
            return shorten(str(data.get("text", "")), LONGEST_DETAIL)
        case "node.failed":
            return shorten(str(data.get("message", "")), LONGEST_DETAIL)
        case "attempt.started":
            return _attempt(event, data)
        case "task.succeeded" | "task.failed":
            return shorten(outcome(event), LONGEST_OUTCOME)
        case _:
            return shorten(json_line(data), LONGEST_DETAIL) if data else ""


def outcome(event: Event) -> str:
    """What a terminal event brought: the result as JSON, or the failure as `code: message (node)`."""
    data = data_of(event)
    if event.get("type") != "task.failed":
        return json_line(data.get("result")) if "result" in data else ""
    node = f" (node {data['node']})" if data.get("node") else ""
    return f"{data.get('code')}: {data.get('message')}{node}"


def interrupts_of(event: Event) -> list[dict[str, Any]]:
    """The questions of a `task.interrupted`: `{id, value}` each."""
    found = _list(data_of(event).get("interrupts"))
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def question(value: Any) -> tuple[str, Any]:
    """What an `interrupt()` asks: the line to read first, safe to print, and what comes with it."""
    if isinstance(value, str):
        return clean(value, keep="\n"), None
    if not isinstance(value, dict):
        return "the task waits for an answer", value
    rest = dict(cast("dict[str, Any]", value))
    for name in ("question", "message", "prompt"):
        if isinstance(rest.get(name), str):
            return clean(rest.pop(name), keep="\n"), rest
    return "the task waits for an answer", rest


def closing(event: Event, task_id: str, width: int, most: int, url: str) -> list[str]:
    """What a terminal event brought, laid out for people in at most so many lines, safe to print."""
    data = data_of(event)
    if event.get("type") == "task.failed":
        node = f" in node {data['node']}" if data.get("node") else ""
        told = prose(str(data.get("message")), width - 2)
        lines = [clean(f"error: {data.get('code')}{node}"), *(f"  {line}" for line in told)]
        if data.get("traceback_id"):
            lines.append(clean(f"  the worker's log has the traceback: {data['traceback_id']}"))
    elif "result" in data:
        lines = ["result:", *(f"  {line}" for line in pretty(data["result"], width - 2))]
    else:
        lines = []
    if len(lines) <= most:
        return lines
    everything = broken(command("show", task_id, "--json", url=url), width)
    kept = max(most - 1 - len(everything), 1)
    return [*lines[:kept], f"… {len(lines) - kept} more lines; all of it:", *everything]


def notice_line(notice: Notice) -> str:
    """A notice as a sentence, safe to print."""
    return clean(_sentence(notice.type, notice.data))


def _sentence(kind: str, data: dict[str, Any]) -> str:
    match kind:
        case "stream.gap":
            return (
                f"{data.get('missing')} events after {data.get('requested')} are lost;"
                f" it goes on with {data.get('first_available')}"
            )
        case "stream.rewound":
            return (
                f"the log was rolled back: what came after {data.get('last')} is void,"
                f" up to {data.get('requested')}"
            )
        case "connection.lost":
            return f"lost {data['url']}: {data['reason']}; trying again in {data['retry_in']:.1f} s"
        case "connection.back":
            return f"connected to {data['url']}, going on after {data['cursor'] or 'the start'}"
        case _:
            return f"{kind} {json_line(data)}"


def _progress(data: dict[str, Any]) -> str:
    if not isinstance(data.get("message"), str):
        return shorten(json_line(data), LONGEST_DETAIL)
    total = f" ({data.get('current')}/{data['total']})" if data.get("total") is not None else ""
    return shorten(data["message"], LONGEST_DETAIL) + total


def _attempt(event: Event, data: dict[str, Any]) -> str:
    again = _list(data.get("supersedes"))
    redone = f", doing {len(again)} event{'s' * (len(again) != 1)} again" if again else ""
    return f"attempt {event.get('attempt')} by {data.get('worker')}{redone}"


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
