"""Sugiyama's way to lay out a graph: layers, the vertices of each in order, and where they go. Pure.

Layers, and the dummy vertices that lead a long edge through them, are made here. igraph then orders each
layer so that few edges cross, and says where everything should be. It may put two vertices of a layer too
close to each other, and knows nothing of their widths, so they are moved apart afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

GAP = 26.0
"""Between two boxes of a layer, and between an edge that passes and a box, in px."""

Route = list[int]
"""The vertices that an edge leads through, the uppermost first."""


def layers_of(count: int, ends: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each node: one below the lowest that leads to it, edges that close a cycle left aside."""
    following: dict[int, list[int]] = defaultdict(list)
    for source, target in ends:
        following[source].append(target)
    order = _order(count, following)
    rank = {node: at for at, node in enumerate(order)}
    layers = [0] * count
    for node in order:
        for target in following[node]:
            if rank[target] > rank[node]:
                layers[target] = max(layers[target], layers[node] + 1)
    return layers


def _order(count: int, following: dict[int, list[int]]) -> list[int]:
    """All nodes, so that each edge leads to a later one unless it closes a cycle (a search in depth)."""
    seen: set[int] = set()
    done: list[int] = []
    for root in range(count):
        path = [] if root in seen else [(root, iter(following[root]))]
        seen.add(root)
        while path:
            found = next((target for target in path[-1][1] if target not in seen), None)
            if found is None:
                done.append(path.pop()[0])
            else:
                seen.add(found)
                path.append((found, iter(following[found])))
    return done[::-1]


def routes_of(ends: Iterable[tuple[int, int]], layers: list[int]) -> list[Route]:
    """The way of each edge, with a new vertex in each layer that it passes, which is added to `layers`."""
    routes: list[Route] = []
    for source, target in ends:
        upper, lower = sorted((source, target), key=layers.__getitem__)
        passed = range(layers[upper] + 1, layers[lower])
        first = len(layers)
        layers += passed
        routes.append([upper, *range(first, len(layers)), lower])
    return routes


def centres_of(layers: Sequence[int], widths: Sequence[float], routes: Sequence[Route]) -> list[float]:
    """The x of each vertex's middle, in px, from an origin of its own; no two of a layer overlap."""
    from igraph import Graph as Layered  # 40 ms, and half a second where matplotlib is installed

    steps = [step for route in routes for step in pairwise(route) if step[0] != step[1]]
    layered = cast("Any", Layered)(n=len(layers), edges=steps, directed=True)
    real = [width for width in widths if width]
    pitch = GAP + sum(real) / max(len(real), 1)
    wanted = [x * pitch for x, _ in layered.layout_sugiyama(layers=list(layers)).coords]
    centres = [0.0] * len(layers)
    for layer in set(layers):
        row = sorted((at for at in range(len(layers)) if layers[at] == layer), key=wanted.__getitem__)
        placed = moved_apart([wanted[at] for at in row], [widths[at] for at in row])
        for at, centre in zip(row, placed, strict=True):
            centres[at] = centre
    return centres


def moved_apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The centres nearest to those wanted, in the same order, between which boxes of those widths have room.

    Least squares under that constraint are an isotonic regression, by pooling adjacent violators.
    """
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, size = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            before = pools.pop()
            total, size = total + before[0], size + before[1]
        pools.append((total, size))
    shifts = [total / size for total, size in pools for _ in range(size)]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]
