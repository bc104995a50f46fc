"""What goes over the wire as JSON, as Pydantic models: the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from events.model import Status

EventIdText = Annotated[str, Field(pattern=r"^\d+-\d+$", examples=["1-57"])]


class TaskRequest(BaseModel):
    """What is POSTed to /tasks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    graph: str = Field(description="name of a graph, see GET /graphs", max_length=200)
    input: Any = Field(default_factory=dict[str, Any], description="checked against the graph's input schema")
    thread_id: str | None = Field(default=None, min_length=1, max_length=255)
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any], description="yours; given back as it is")


class Links(BaseModel):
    """Where to go from a task."""

    self: str
    stream: str
    events: str
    cancel: str


class Accepted(BaseModel):
    """A task that will run."""

    task_id: str
    status: Status
    graph: str
    created_at: str
    links: Links


class ResumeRequest(BaseModel):
    """What is POSTed to /tasks/{id}/resume."""

    model_config = ConfigDict(extra="forbid", strict=True)

    value: Any = Field(description="what `interrupt()` returns in the graph")
    interrupt_id: str | None = Field(default=None, description="which question, if there are several")


class Wish(BaseModel):
    """A wish that was taken; what comes of it is told in the task's log."""

    task_id: str
    status: Status


class Failure(BaseModel):
    """Why a task failed."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class Interrupt(BaseModel):
    """A question of a graph's."""

    id: str
    value: Any


class Task(BaseModel):
    """A task, as it is now."""

    task_id: str
    graph: str
    status: Status
    attempt: int
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    last_event_id: EventIdText
    first_event_id: EventIdText
    thread_id: str
    metadata: dict[str, Any]
    result: Any = None
    error: Failure | None = None
    interrupts: list[Interrupt] | None = None
    worker: str | None = None


class TaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[Task]
    next: str | None = Field(description="the cursor of the next page; null at the end")


class Graph(BaseModel):
    """A graph that some worker serves."""

    name: str
    description: str
    input_schema: dict[str, Any]
    mermaid: str
    pool: str


class GraphList(BaseModel):
    """All graphs, by name."""

    graphs: list[Graph]


class EventPage(BaseModel):
    """A page of a task's history."""

    events: list[dict[str, Any]]
    next: EventIdText | None = Field(description="pass it as `after` for the next page; null at the end")
    sealed: bool = Field(description="whether the log has its terminal event")


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
