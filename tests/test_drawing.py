"""Graphs' drawings: no box on another, no line through a box, every line from border to border."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel

from examples.approval import graph as approval
from examples.digest import graph as digest
from tests.support.graphs import State, count, counting
from worker.drawing import Box, Drawing, GraphEdge, GraphNode, Line, draw, edges_of, nodes_of
from worker.graphs import load_graphs
from worker.layers import GAP, moved_apart

Graph = tuple[list[GraphNode], list[GraphEdge]]


def of(*pairs: str) -> Graph:
    """A graph from edges as `a>b`, or `a?b` for a conditional one."""
    edges = [GraphEdge(source=it[0], target=it[2], conditional=it[1] == "?") for it in pairs]
    names = dict.fromkeys(name for edge in edges for name in (edge["source"], edge["target"]))
    return [GraphNode(id=name, name=name, kind="node") for name in names], edges


def drawn(graph: Graph) -> Drawing:
    """A graph's drawing, which is right in all that every drawing must be."""
    nodes, edges = graph
    drawing = draw(nodes, edges)
    boxes = {box["id"]: box for box in drawing["nodes"]}
    assert list(boxes) == [node["id"] for node in nodes]
    for one, other in combinations(boxes.values(), 2):
        assert apart(one, other), (one, other)
    for box in boxes.values():
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= drawing["width"]
        assert box["y"] + box["height"] <= drawing["height"]
    for edge, line in zip(edges, drawing["edges"], strict=True):
        assert line["conditional"] == edge["conditional"]
        check_line(line, boxes[edge["source"]], boxes[edge["target"]], list(boxes.values()))
        assert all(0 <= x <= drawing["width"] and 0 <= y <= drawing["height"] for x, y in line["points"])
    return drawing


def apart(one: Box, other: Box) -> bool:
    """Whether there is room between two boxes."""
    left, right = sorted((one, other), key=lambda box: box["x"])
    upper, lower = sorted((one, other), key=lambda box: box["y"])
    return left["x"] + left["width"] + GAP <= right["x"] + 0.2 or upper["y"] + upper["height"] < lower["y"]


def check_line(line: Line, source: Box, target: Box, boxes: Sequence[Box]) -> None:
    """It begins and ends at its nodes' borders, and on its way stays outside all boxes."""
    points = line["points"]
    assert on_border(points[0], source), (points, source)
    assert on_border(points[-1], target), (points, target)
    for (x1, y1), (x2, y2) in pairwise(points):
        for box in boxes:
            for share in (0.02, 0.25, 0.5, 0.75, 0.98):
                assert not inside((x1 + (x2 - x1) * share, y1 + (y2 - y1) * share), box), (line, box)


def on_border(point: tuple[float, float], box: Box) -> bool:
    """Whether a point lies on a box's border, as far as rounding to tenths of a pixel lets it."""
    x, y = point[0] - box["x"], point[1] - box["y"]
    within = -0.2 <= x <= box["width"] + 0.2 and -0.2 <= y <= box["height"] + 0.2
    return within and not inside(point, box)


def inside(point: tuple[float, float], box: Box) -> bool:
    """Whether a point lies within a box, off its border."""
    x, y = point[0] - box["x"], point[1] - box["y"]
    return 0.2 < x < box["width"] - 0.2 and 0.2 < y < box["height"] - 0.2


def tops(drawing: Drawing) -> dict[str, float]:
    """How far down each node is."""
    return {box["id"]: box["y"] for box in drawing["nodes"]}


def test_a_chain_goes_straight_down() -> None:
    """Each node is under the one before, and all have one middle."""
    drawing = drawn(of("a>b", "b>c"))
    assert [box["y"] for box in drawing["nodes"]] == sorted({box["y"] for box in drawing["nodes"]})
    assert len({box["x"] + box["width"] / 2 for box in drawing["nodes"]}) == 1
    assert all(len(line["points"]) == 2 for line in drawing["edges"])


def test_a_fan_out_is_side_by_side() -> None:
    """Branches share a layer, and what they come together in is below."""
    drawing = drawn(of(*(f"a>{name}" for name in "bcdef"), *(f"{name}>z" for name in "bcdef")))
    below = tops(drawing)
    assert len({below[name] for name in "bcdef"}) == 1
    assert below["a"] < below["b"] < below["z"]


def test_a_long_edge_is_led_around_what_it_passes() -> None:
    """Through each layer between its ends."""
    drawing = drawn(of("a>b", "b>c", "c>d", "a?d"))
    assert len(drawing["edges"][3]["points"]) == 6
    assert drawing["edges"][3]["conditional"]


@pytest.mark.parametrize(
    "order", [("a>b", "b>a"), ("a>b", "b>c", "c>a"), ("a>b", "b>c", "c>d", "d?b", "d>e")]
)
def test_the_edge_that_closes_a_loop_leads_upwards(order: tuple[str, ...]) -> None:
    """It's drawn in its own direction, beside the way down and not upon it."""
    nodes, edges = of(*order)
    drawing = drawn((nodes, edges))
    below, back = tops(drawing), 0
    for edge, line in zip(edges, drawing["edges"], strict=True):
        falls = line["points"][-1][1] > line["points"][0][1]
        assert falls == (below[edge["target"]] > below[edge["source"]])
        back += not falls
    assert back == 1
    ways = [frozenset(line["points"]) for line in drawing["edges"]]
    assert len(set(ways)) == len(ways)


def test_a_node_that_leads_to_itself_has_a_loop_at_its_side() -> None:
    """On the right, beside its other edges."""
    drawing = drawn(of("a>b", "b?b", "b>c", "b>d"))
    loop, box = drawing["edges"][1]["points"], drawing["nodes"][1]
    assert loop[0][0] == loop[-1][0] == pytest.approx(box["x"] + box["width"], abs=0.1)
    assert all(x > loop[0][0] for x, _ in loop[1:-1])


def test_the_end_is_at_the_bottom() -> None:
    """Whatever else the node before it leads to."""
    nodes, edges = of("s>a", "a?e", "a?b", "b>c", "c>a")
    nodes[2]["kind"] = "end"
    below = tops(drawn((nodes, edges)))
    assert below["e"] == max(below.values())


def test_sixty_nodes_have_room() -> None:
    """A long name takes no more than its own room."""
    names = [f"n{number}" + "x" * (number * 7 % 31) for number in range(60)]
    nodes = [GraphNode(id=name, name=name, kind="node") for name in names]
    ends = [(number * 5 // 8, number) for number in range(1, 60)] + [(50, 3), (59, 0), (20, 20)]
    edges = [GraphEdge(source=names[one], target=names[two], conditional=False) for one, two in ends]
    drawing = drawn((nodes, edges))
    assert [box["width"] for box in drawing["nodes"]] == [round(len(name) * 7.8 + 28, 1) for name in names]


NUMBERS = st.integers(0, 11)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30), st.lists(st.integers(1, 40), min_size=12, max_size=12)
)
@settings(max_examples=60, deadline=None)
def test_any_graph_can_be_drawn(ends: list[tuple[int, int]], lengths: list[int]) -> None:
    """Loops, parts of their own, edges twice, long names: what holds for a drawing holds for all."""
    nodes = [GraphNode(id=str(at), name="x" * length, kind="node") for at, length in enumerate(lengths)]
    edges = [GraphEdge(source=str(one), target=str(two), conditional=False) for one, two in ends]
    drawn((nodes, edges))


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(0, 200)), min_size=1, max_size=20))
@settings(deadline=None)
def test_boxes_are_moved_no_more_than_need_be(row: list[tuple[float, float]]) -> None:
    """They keep their order and their distance, their mean stays, and those with room stay where they are."""
    row.sort()
    wanted, widths = [it[0] for it in row], [it[1] for it in row]
    placed = moved_apart(wanted, widths)
    room = [(left + right) / 2 + GAP for left, right in pairwise(widths)]
    gaps = [right - left for left, right in pairwise(placed)]
    assert all(gap >= needed - 1e-6 for gap, needed in zip(gaps, room, strict=True))
    assert sum(placed) == pytest.approx(sum(wanted), abs=1e-6)
    if all(right - left >= needed for (left, right), needed in zip(pairwise(wanted), room, strict=True)):
        assert placed == pytest.approx(wanted)


def route(_: State) -> str:
    """Where to go on."""
    return "more"


def test_langgraphs_nodes_and_edges_are_told() -> None:
    """What begins, what ends, what is a graph itself, and what a condition is called."""
    inner: Any = StateGraph(State)
    inner.add_node("inside", count)
    inner.add_edge(START, "inside")
    outer: Any = StateGraph(State)
    outer.add_node("plan", count)
    outer.add_node("part", inner.compile())
    outer.add_edge(START, "plan")
    outer.add_conditional_edges("plan", route, {"more": "part", "part": "part", "enough": END})
    outer.add_edge("part", END)
    shape = outer.compile().get_graph()
    assert {(node["id"], node["name"], node["kind"]) for node in nodes_of(shape)} == {
        ("__start__", "start", "start"),
        ("plan", "plan", "node"),
        ("part", "part", "subgraph"),
        ("__end__", "end", "end"),
    }
    edges = edges_of(shape)
    assert GraphEdge(source="__start__", target="plan", conditional=False) in edges
    assert GraphEdge(source="plan", target="__end__", conditional=True, label="enough") in edges
    drawn((nodes_of(shape), edges))


@pytest.mark.parametrize("graph", [digest, approval])
def test_the_examples_are_drawn(graph: Any) -> None:
    """And their drawings are JSON, which comes back the same."""
    shape = graph.get_graph()
    drawing = drawn((nodes_of(shape), edges_of(shape)))
    assert orjson.loads(orjson.dumps(drawing))["nodes"] == drawing["nodes"]


class Elsewhere(Pregel[Any, Any, Any, Any]):
    """A graph with a part on another machine, which doesn't answer just now."""

    def get_graph(self, *_: Any, **__: Any) -> Any:
        """Ask that part."""
        raise ConnectionError("nobody answers")


def elsewhere() -> Any:
    """Such a graph, as its module would make it."""
    return Elsewhere(**cast("Any", vars(counting)))


def test_a_graph_that_cannot_be_drawn_is_served(caplog: pytest.LogCaptureFixture) -> None:
    """Without a drawing, which its worker says."""
    loaded = load_graphs(["odd=tests.test_drawing:elsewhere"], InMemorySaver())["odd"].descriptor
    assert (loaded.mermaid, loaded.nodes, loaded.edges, loaded.drawing) == ("", [], [], None)
    assert loaded.input_schema["properties"]
    assert "graph 'odd' has no drawing: nobody answers" in caplog.text


def test_a_worker_tells_the_drawing() -> None:
    """As it's laid out here."""
    loaded = load_graphs(["approval=examples.approval:graph"], InMemorySaver())["approval"].descriptor
    shape = approval.get_graph()
    assert (loaded.nodes, loaded.edges) == (nodes_of(shape), edges_of(shape))
    assert loaded.drawing == draw(nodes_of(shape), edges_of(shape))
    assert loaded.mermaid.startswith("---")
