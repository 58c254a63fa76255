"""A dataflow drawn as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bloompy.pictures import svg
from bloompy.pictures.layered import Box, Layout, layout

if TYPE_CHECKING:
    from bloompy.pictures.dataflow import Arrow, Dataflow, Vertex

_WORDS = {
    "<=": "within the tick",
    "=": "within the tick",
    "<+": "at the next tick",
    "<-": "deleted at the next tick",
    "<+-": "replaced at the next tick",
    "<~": "sent",
}
_HEIGHT = 40.0
_LEAST_WIDTH = 560.0
_MANY = 30
"""Of more collections than this, arrows to the next tick go back where they must, so that the picture stays narrow."""
_STYLE = "".join(
    f".bloompy-flow {rule}}}"  # of this picture alone, though it may stand in a page with others
    for rule in (
        "text{font:12px ui-monospace,monospace;fill:#222",
        "text.kind{font-size:10px;fill:#666",
        "text.mark{font-size:13px;font-weight:bold",
        "text.lane-name{font-size:11px;fill:#888",
        "text.hot-text{fill:#c62828",
        ".lane{fill:#f4f4f6;stroke:#d8d8de",
        ".arrow{fill:none;stroke:#555;stroke-width:1.2",
        ".next{stroke-dasharray:6 4",
        ".sent{stroke-dasharray:2 3",
        ".gone{stroke-dasharray:8 3 2 3",
        ".hot{stroke:#c62828;stroke-width:2",
        ".box{fill:#fff;stroke:#777",
        ".table{fill:#e8f0fe",
        ".outside{fill:#fff6e0",
        ".passing{fill:#fff",
        ".hot-box{stroke:#c62828;stroke-width:2",
    )
)
_CLASSES = {"<+": " next", "<~": " sent", "<-": " gone", "<+-": " gone"}


def picture(flow: Dataflow) -> str:
    """The whole, with a legend."""
    widths = {one.id: max(svg.text_width(one.short), svg.text_width(_below(one), 10.0)) + 20 for one in flow.vertices}
    lanes = {one.id: one.module for one in flow.vertices}
    edges = [(arrow.start, arrow.end) for arrow in flow.arrows]
    within = {(arrow.start, arrow.end) for arrow in flow.arrows if arrow.operator in ("<=", "<~")}
    placed = layout(widths, edges, lanes, _HEIGHT, leading=within if len(flow.vertices) > _MANY else None)
    parts = [_arrowheads()]
    if len(placed.lanes) > 1:
        parts += [_lane(name, box) for name, box in placed.lanes.items()]
    parts += [_drawn_arrow(arrow, placed) for arrow in flow.arrows]
    parts += [_drawn_vertex(one, placed.nodes[one.id]) for one in flow.vertices]
    parts.append(_legend(placed))
    return svg.document(
        max(placed.width, _LEAST_WIDTH), placed.height + 40, parts, style=_STYLE, about=f"Dataflow of {flow.name}", class_="bloompy-flow"
    )


def _below(vertex: Vertex) -> str:
    return svg.clip(f"{vertex.kind} {vertex.columns}", 30)


def _arrowheads() -> str:
    def head(name: str, colour: str) -> str:
        path = svg.element("path", d="M0,0 L8,4 L0,8 z", fill=colour)
        size = {"markerWidth": 8, "markerHeight": 8, "refX": 8, "refY": 4, "markerUnits": "userSpaceOnUse"}
        return svg.element("marker", path, id=name, orient="auto", **size)

    return svg.element("defs", head("bloompy-arrow", "#555"), head("bloompy-hot", "#c62828"))


def _lane(name: str, box: Box) -> str:
    rectangle = svg.element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=8, class_="lane")
    return rectangle + svg.label(name, box.x + 8, box.y + 14, class_="lane-name")


def _drawn_vertex(vertex: Vertex, box: Box) -> str:
    look = "table" if vertex.kind == "table" else "passing" if vertex.kind in ("scratch", "temporary") else "outside"
    classes = f"box {look}{' hot-box' if vertex.points else ''}"
    rounded = 4 if vertex.kind == "table" else 14
    told = f"{vertex.id}: {vertex.kind} {vertex.columns}" + (f"; {vertex.points} points of order" if vertex.points else "")
    return svg.element(
        "g",
        svg.title(told),
        svg.element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=rounded, class_=classes),
        svg.label(vertex.short, box.x + 10, box.y + 17),
        svg.label(_below(vertex), box.x + 10, box.y + 32, class_="kind"),
    )


def _drawn_arrow(arrow: Arrow, placed: Layout) -> str:
    start, end = placed.nodes[arrow.start], placed.nodes[arrow.end]
    hot = bool(arrow.points)
    path, (x, y) = _path(start, end, placed.threads.get((arrow.start, arrow.end), []))
    classes = f"arrow{_CLASSES.get(arrow.operator, '')}{' hot' if hot else ''}"
    head = f"url(#bloompy-{'hot' if hot else 'arrow'})"
    kinds = f"; points of order: {', '.join(dict.fromkeys(arrow.points))}" if hot else ""
    told = f"{arrow.start} → {arrow.end}, {_WORDS[arrow.operator]}: {', '.join(arrow.rules)}{kinds}"
    parts = [svg.title(told), svg.element("path", d=path, class_=classes, marker_end=head)]
    sign = arrow.marks + {"<-": "−", "<+-": "±"}.get(arrow.operator, "")
    if sign:
        parts.append(svg.label(sign, x, y - 4, class_=f"mark{' hot-text' if hot else ''}", text_anchor="middle"))
    return svg.element("g", *parts)


def _path(start: Box, end: Box, threads: list[Box]) -> tuple[str, tuple[float, float]]:
    """A curve between two boxes by the places kept free for it, and a point on it; one that goes back passes below."""
    x, y = start.x + start.width, start.middle
    if end.x > x:
        curve = f"M{x:.1f},{y:.1f}"
        stops = [*((box.x, box.middle) for box in threads), (end.x, end.middle)]
        middle = ((x + stops[0][0]) / 2, (y + stops[0][1]) / 2)
        for to_x, to_y in stops:
            bend = (to_x - x) / 2
            curve += f" C{x + bend:.1f},{y:.1f} {to_x - bend:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"
            x, y = to_x, to_y
        return curve, middle
    down = max(start.y + start.height, end.y + end.height) + 12
    curve = f"M{x:.1f},{y:.1f} C{x + 36:.1f},{down:.1f} {end.x - 36:.1f},{down:.1f} {end.x:.1f},{end.middle:.1f}"
    return curve, ((x + end.x) / 2, down - 4)


def _legend(placed: Layout) -> str:
    lines = "solid: within the tick; dashed: next tick; dotted: message; red: point of order"
    signs = "− deletes, ± replaces, ¬ negates, Σ aggregates, ? asks what is missing, ⊔ misuses a lattice"
    return "".join(svg.label(told, 12, placed.height + y, class_="kind") for told, y in ((lines, 14), (signs, 28)))
