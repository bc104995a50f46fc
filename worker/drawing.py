"""How a graph is drawn: boxes in layers from top to bottom, and lines between their borders. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple, NotRequired, TypedDict

from langchain_core.runnables.graph import Edge, Graph, Node
from langgraph.pregel.protocol import PregelProtocol

from worker.layers import Route, centres_of, layers_of, routes_of

HEIGHT = 34.0
CHARACTER_WIDTH = 0.6 * 13
"""Of a monospaced font of 13 px."""

PADDING = 14.0
ROW_GAP = 44.0
LOOP = 14.0
"""How far an edge from a node to itself stands out to the right."""

PORT_GAP = 18.0
"""Between two edges that meet a box on the same side, if there is room."""

MARGIN = 16.0

Point = tuple[float, float]
Kind = Literal["start", "end", "node", "subgraph"]


class GraphNode(TypedDict):
    """A node of a graph."""

    id: str
    name: str
    kind: Kind


class GraphEdge(TypedDict):
    """An edge of a graph, and what it's called if its name is another than its target's."""

    source: str
    target: str
    conditional: bool
    label: NotRequired[str]


class Box(TypedDict):
    """Where a node is drawn: its left upper corner and its size, in px."""

    id: str
    x: float
    y: float
    width: float
    height: float


class Line(TypedDict):
    """How an edge is drawn: from the border of its source to that of its target."""

    points: Sequence[Point]
    conditional: bool


class Drawing(TypedDict):
    """A graph's drawing. Its edges are in the order of the graph's."""

    width: float
    height: float
    nodes: list[Box]
    edges: list[Line]


class Vertex(NamedTuple):
    """The middle, upper border and width of a box, or of the place where an edge passes a layer."""

    centre: float
    top: float
    width: float


def nodes_of(graph: Graph) -> list[GraphNode]:
    """The nodes of what LangGraph's `get_graph` gives."""
    return [_node(node) for node in graph.nodes.values()]


def edges_of(graph: Graph) -> list[GraphEdge]:
    """The edges of what LangGraph's `get_graph` gives."""
    return [_edge(edge) for edge in graph.edges]


def draw(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Drawing:
    """Lay a graph out. Boxes don't overlap, lines cross none, and one that closes a cycle leads upwards."""
    number = {node["id"]: at for at, node in enumerate(nodes)}
    ends = [(number[edge["source"]], number[edge["target"]]) for edge in edges]
    layers = layers_of(len(nodes), ends)
    for at, node in enumerate(nodes):
        if node["kind"] == "end":
            layers[at] = max(layers)
    routes = routes_of(ends, layers)
    widths = [len(node["name"]) * CHARACTER_WIDTH + 2 * PADDING for node in nodes]
    widths += [0.0] * (len(layers) - len(nodes))
    centres = centres_of(layers, widths, routes)
    rows = [MARGIN + layer * (HEIGHT + ROW_GAP) for layer in layers]
    vertices = [Vertex(*its) for its in zip(centres, rows, widths, strict=True)]
    ports = _ports(routes, vertices)
    lines = [_line(edge, source, routes[edge], vertices, ports) for edge, (source, _) in enumerate(ends)]
    return _on_canvas(nodes, vertices, lines, edges)


def _node(node: Node) -> GraphNode:
    if node.id == "__start__":
        return {"id": node.id, "name": "start", "kind": "start"}
    if node.id == "__end__":
        return {"id": node.id, "name": "end", "kind": "end"}
    kind: Kind = "subgraph" if isinstance(node.data, PregelProtocol) else "node"
    return {"id": node.id, "name": node.name, "kind": kind}


def _edge(edge: Edge) -> GraphEdge:
    made = GraphEdge(source=edge.source, target=edge.target, conditional=edge.conditional)
    if edge.data is not None and str(edge.data) != edge.target:
        made["label"] = str(edge.data)
    return made


def _ports(routes: Sequence[Route], vertices: Sequence[Vertex]) -> dict[tuple[int, int], float]:
    """The x at which each edge meets each of its two nodes, in the order of where it comes from."""
    met: dict[tuple[int, bool], list[tuple[float, int]]] = defaultdict(list)
    for edge, route in enumerate(routes):
        if route[0] == route[-1]:
            continue  # a loop stands out to the right
        met[route[0], True].append((vertices[route[1]].centre, edge))
        met[route[-1], False].append((vertices[route[-2]].centre, edge))
    ports: dict[tuple[int, int], float] = {}
    for (at, _), arriving in met.items():
        step = min(PORT_GAP, vertices[at].width / (len(arriving) + 1))
        first = vertices[at].centre - step * (len(arriving) - 1) / 2
        for place, (_, edge) in enumerate(sorted(arriving)):
            ports[edge, at] = first + step * place
    return ports


def _line(
    edge: int, source: int, route: Route, vertices: Sequence[Vertex], ports: dict[tuple[int, int], float]
) -> list[Point]:
    upper, *passed, lower = route
    if upper == lower:
        return _loop(vertices[upper])
    points = [(ports[edge, upper], vertices[upper].top + HEIGHT)]
    for vertex in (vertices[at] for at in passed):
        points += [(vertex.centre, vertex.top), (vertex.centre, vertex.top + HEIGHT)]
    points.append((ports[edge, lower], vertices[lower].top))
    return points if source == upper else points[::-1]


def _loop(vertex: Vertex) -> list[Point]:
    right = vertex.centre + vertex.width / 2
    first, last = vertex.top + HEIGHT / 4, vertex.top + HEIGHT * 3 / 4
    return [(right, first), (right + LOOP, first), (right + LOOP, last), (right, last)]


def _on_canvas(
    nodes: Sequence[GraphNode],
    vertices: Sequence[Vertex],
    lines: Sequence[Sequence[Point]],
    edges: Sequence[GraphEdge],
) -> Drawing:
    """Move everything so that it begins at the margin, and tell how much room it takes."""
    boxes = list(zip(nodes, vertices, strict=False))  # what follows are dummies
    sides = [x for line in lines for x, _ in line]
    sides += [vertex.centre + half * vertex.width for _, vertex in boxes for half in (-0.5, 0.5)]
    left = min(sides, default=0.0) - MARGIN
    bottom = max((vertex.top + HEIGHT for _, vertex in boxes), default=0.0)
    return {
        "width": round(max(sides, default=0.0) - left + MARGIN, 1),
        "height": bottom + MARGIN,
        "nodes": [
            Box(
                id=node["id"],
                x=round(vertex.centre - vertex.width / 2 - left, 1),
                y=vertex.top,
                width=round(vertex.width, 1),
                height=HEIGHT,
            )
            for node, vertex in boxes
        ],
        "edges": [
            Line(points=[(round(x - left, 1), y) for x, y in line], conditional=edge["conditional"])
            for line, edge in zip(lines, edges, strict=True)
        ],
    }
