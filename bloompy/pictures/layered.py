"""A layered layout of a directed graph, from left to right, in horizontal lanes (after Sugiyama, Tagawa and Toda 1981).

Arrows that close a cycle count as reversed; each node comes one column after the last that leads to it; within a column nodes
are ordered by where their neighbours are. Nodes of one lane stay together, so a lane can be drawn as a box.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from attrs import evolve, frozen

_SWEEPS = 6
GAP = 14.0
COLUMN_GAP = 64.0
THREAD = 6.0
"""The height kept free for an arrow that passes."""
LANE_PADDING = 22.0


@frozen
class Box:
    """Where something is: its left upper corner and size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


@frozen
class Layout:
    """Boxes of nodes and of lanes, boxes that an arrow passes on its way, and the size of the whole."""

    nodes: Mapping[str, Box]
    lanes: Mapping[str, Box]
    threads: Mapping[tuple[str, str], list[Box]]
    width: float
    height: float


def layout(
    widths: Mapping[str, float],
    edges: Iterable[tuple[str, str]],
    lanes: Mapping[str, str],
    height: float,
    leading: Collection[tuple[str, str]] | None = None,
    margin: float = 16.0,
) -> Layout:
    """Place the nodes of a graph.

    Args:
        widths: of the nodes in pixels, in an order that decides ties.
        edges: pairs of nodes, from and to.
        lanes: of each node the lane in which it lies.
        height: of every node.
        leading: the edges that decide the columns; all by default.
        margin: around everything.
    """
    all_edges = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    column = _columns(widths, _acyclic(widths, all_edges if leading is None else [edge for edge in all_edges if edge in leading]))
    threads = {(start, end): _threads(start, end, column) for start, end in all_edges if column[end] > column[start] + 1}
    placed = {**widths, **dict.fromkeys((one for row in threads.values() for one in row), 0.0)}
    lane_of = {**lanes, **{one: lanes[end] for (_, end), row in threads.items() for one in row}}
    column |= {one: column[start] + i for (start, _), row in threads.items() for i, one in enumerate(row, 1)}
    links = [pair for edge in all_edges for pair in pairwise([edge[0], *threads.get(edge, ()), edge[1]])]
    heights = {one: height if one in widths else THREAD for one in placed}
    found = _placed(placed, column, _ordered(placed, links, column, lane_of), lane_of, heights, margin)
    nodes = {one: found.nodes[one] for one in widths}
    return evolve(found, nodes=nodes, threads={edge: [found.nodes[one] for one in row] for edge, row in threads.items()})


def _threads(start: str, end: str, column: Mapping[str, int]) -> list[str]:
    """Names for the places that an arrow keeps free."""
    return [f"{start}\0{end}\0{i}" for i in range(column[start] + 1, column[end])]


def _acyclic(nodes: Iterable[str], edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges with those that close a cycle turned round (depth first, without recursion)."""
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for start, end in edges:
        after[start].append(end)
    entered: list[str] = []
    open_: set[str] = set()
    back: set[tuple[str, str]] = set()
    targets = {end for _, end in edges}
    seen: set[str] = set()
    for root in sorted(after, key=lambda node: node in targets):  # those to which nothing leads first
        if root in seen:
            continue
        entered.append(root)
        seen.add(root)
        open_.add(root)
        work = {root: iter(after[root])}
        while entered:
            node = entered[-1]
            found = next(work[node], None)
            if found is None:
                open_.discard(entered.pop())
            elif found in open_:
                back.add((node, found))
            elif found not in seen:
                seen.add(found)
                open_.add(found)
                entered.append(found)
                work[found] = iter(after[found])
    return [(end, start) if (start, end) in back else (start, end) for start, end in edges]


def _columns(nodes: Iterable[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The column of each node: the length of the longest way to it."""
    column = dict.fromkeys(nodes, 0)
    waiting = dict.fromkeys(column, 0)
    after: dict[str, list[str]] = {node: [] for node in column}
    for start, end in edges:
        after[start].append(end)
        waiting[end] += 1
    ready = [node for node, number in waiting.items() if not number]
    for node in ready:
        for end in after[node]:
            column[end] = max(column[end], column[node] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    return column


def _ordered(
    nodes: Iterable[str], edges: Sequence[tuple[str, str]], column: Mapping[str, int], lanes: Mapping[str, str]
) -> dict[tuple[int, str], list[str]]:
    """The nodes of each column and lane from top to bottom."""
    rows: dict[tuple[int, str], list[str]] = {}
    for node in nodes:
        rows.setdefault((column[node], lanes[node]), []).append(node)
    near: dict[str, list[str]] = {node: [] for node in column}
    for start, end in edges:
        near[start].append(end)
        near[end].append(start)
    for sweep in range(_SWEEPS):
        height = {node: place / max(len(row), 1) for row in rows.values() for place, node in enumerate(row)}
        for place in sorted(rows, reverse=bool(sweep % 2)):
            row = rows[place]
            wanted = {node: sum(height[one] for one in near[node]) / len(near[node]) if near[node] else height[node] for node in row}
            row.sort(key=lambda node: wanted[node])
            height |= {node: i / max(len(row), 1) for i, node in enumerate(row)}
    return rows


def _placed(
    widths: Mapping[str, float],
    column: Mapping[str, int],
    rows: Mapping[tuple[int, str], list[str]],
    lanes: Mapping[str, str],
    heights: Mapping[str, float],
    margin: float,
) -> Layout:
    left = [margin]
    for i in range(max(column.values(), default=-1) + 1):
        widest = max((widths[node] for node in widths if column[node] == i), default=0.0)
        left.append(left[-1] + widest + COLUMN_GAP)
    nodes: dict[str, Box] = {}
    boxes: dict[str, Box] = {}
    width = left[-1] - COLUMN_GAP + margin if column else 2 * margin
    top = margin
    for lane in dict.fromkeys(lanes[node] for node in widths):
        of_lane = {number: row for (number, name), row in rows.items() if name == lane}
        talls = {number: sum(heights[node] + GAP for node in row) - GAP for number, row in of_lane.items()}
        tall = max(talls.values()) + 2 * LANE_PADDING
        for number, row in of_lane.items():
            y = top + (tall - talls[number]) / 2
            for node in row:
                nodes[node] = Box(left[number], y, widths[node], heights[node])
                y += heights[node] + GAP
        boxes[lane] = Box(margin / 2, top, width - margin, tall)
        top += tall + GAP
    return Layout(nodes, boxes, {}, width, top - GAP + margin if boxes else 2 * margin)
