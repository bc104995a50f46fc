"""What goes over the wire as JSON, as Pydantic models: the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.openapi.formats import EventIdText, Moment, TaskId
from events.apikeys import Role
from events.model import EventType, Status
from events.settings import Auth


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

    task_id: TaskId
    status: Status
    graph: str
    created_at: Moment
    links: Links


class ResumeRequest(BaseModel):
    """What is POSTed to /tasks/{id}/resume."""

    model_config = ConfigDict(extra="forbid", strict=True)

    value: Any = Field(description="what `interrupt()` returns in the graph")
    interrupt_id: str | None = Field(default=None, description="which question, if there are several")


class Wish(BaseModel):
    """A wish that was taken; what comes of it is told in the task's log."""

    task_id: TaskId
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


class TaskSummary(BaseModel):
    """A task, as it is now, without its result."""

    task_id: TaskId
    graph: str
    status: Status
    attempt: int
    created_at: Moment
    started_at: Moment | None = None
    ended_at: Moment | None = None
    last_event_id: EventIdText
    first_event_id: EventIdText
    thread_id: str
    metadata: dict[str, Any]
    error: Failure | None = None
    interrupts: list[Interrupt] | None = None
    worker: str | None = None


class Task(TaskSummary):
    """A task, as it is now."""

    result: Any = None


class TaskList(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskSummary]
    next: str | None = Field(description="the cursor of the next page; null at the end")


class GraphNode(BaseModel):
    """A node of a graph; what runs inside a subgraph isn't told."""

    id: str = Field(description="the `node` of its events")
    name: str
    kind: Literal["start", "end", "node", "subgraph"]


class GraphEdge(BaseModel):
    """An edge of a graph."""

    source: str
    target: str
    conditional: bool = Field(description="whether it is taken only at times")
    label: str | None = Field(default=None, description="what the graph calls it, if not by its target")


class Box(BaseModel):
    """Where a node is drawn: its left upper corner and its size, in px."""

    id: str
    x: float
    y: float
    width: float
    height: float


class Line(BaseModel):
    """How an edge is drawn, from its source to its target."""

    points: list[tuple[float, float]] = Field(description="from border to border, in px")
    conditional: bool


class Drawing(BaseModel):
    """A graph, laid out from top to bottom. Names are in a monospaced font of 13 px."""

    width: float
    height: float
    nodes: list[Box] = Field(description="in the order of the graph's nodes")
    edges: list[Line] = Field(description="in the order of the graph's edges")


class Graph(BaseModel):
    """A graph that some worker serves."""

    name: str
    description: str
    input_schema: dict[str, Any]
    mermaid: str
    pool: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    drawing: Drawing | None = Field(description="null if it can't be drawn")


class GraphList(BaseModel):
    """All graphs, by name."""

    graphs: list[Graph]


class LoggedEvent(BaseModel):
    """An event as the log holds it; docs/protocol.md has the `data` of each type."""

    seq: int = Field(ge=1, description="dense from 1 over the whole task")
    attempt: int = Field(ge=0)
    type: EventType
    ts: Moment
    node: str | None = Field(default=None, description="of which node, if of one")
    run: str | None = Field(default=None, description="of which execution of it")
    data: dict[str, Any]


class EventPage(BaseModel):
    """A page of a task's history."""

    events: list[LoggedEvent]
    next: EventIdText | None = Field(description="pass it as `after` for the next page; null at the end")
    sealed: bool = Field(description="whether the log has its terminal event")


class Ticket(BaseModel):
    """What lets an EventSource in, once."""

    ticket: str
    expires_at: Moment = Field(description="when it ends, unless it is used before")
    stream: str = Field(description="the path to open, with the ticket in it; add a cursor if you have one")


class Caller(BaseModel):
    """Who a credential stands for."""

    auth: Auth = Field(description="how the pod knows: by nothing, by API keys, or by JSON Web Tokens")
    tenant: str
    subject: str
    role: Role
    expires_at: Moment | None = Field(description="when the credential ends; null: never")


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
