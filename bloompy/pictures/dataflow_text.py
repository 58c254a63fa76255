"""A dataflow as text for mermaid and for Graphviz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bloompy.pictures import svg

if TYPE_CHECKING:
    from bloompy.pictures.dataflow import Arrow, Dataflow, Vertex


def mermaid(flow: Dataflow) -> str:
    """For mermaid."""
    ids = {one.id: f"n{i}" for i, one in enumerate(flow.vertices)}
    lines = ["flowchart LR"]
    for number, (module, members) in enumerate(_modules(flow).items()):
        inner = [f"{ids[one.id]}{_shape(one)}" for one in members]
        box = [f'  subgraph m{number}["{_entity(module)}"]', *(f"    {line}" for line in inner), "  end"]
        lines += box if module else [f"  {line}" for line in inner]
    hot = []
    for i, arrow in enumerate(flow.arrows):
        line = {"<=": "-->", "<+": "-.->", "<~": "-.->"}.get(arrow.operator, "==>")
        told = f'|"{_entity(_sign(arrow))}"|' if _sign(arrow) else ""
        lines.append(f"  {ids[arrow.start]} {line}{told} {ids[arrow.end]}")
        hot += [str(i)] if arrow.points else []
    if hot:
        lines.append(f"  linkStyle {','.join(hot)} stroke:#c62828,stroke-width:2px")
    marked = [ids[one.id] for one in flow.vertices if one.points]
    if marked:
        lines += ["  classDef hot stroke:#c62828,stroke-width:2px", f"  class {','.join(marked)} hot"]
    return "\n".join(lines)


def _shape(vertex: Vertex) -> str:
    opening, closing = ("[(", ")]") if vertex.kind == "table" else ("[", "]") if vertex.kind in ("scratch", "temporary") else ("([", "])")
    return f'{opening}"{_entity(vertex.short)}<br/>{_entity(vertex.kind)}"{closing}'


def _entity(shown: str) -> str:
    """Text in which nothing means anything to mermaid: other characters than the plainest as their numbers."""
    plain = svg.plain(shown)
    return "".join(one if one.isalnum() or one in " _.,:-" else f"#{ord(one)};" for one in plain)


def dot(flow: Dataflow) -> str:
    """For Graphviz."""
    lines = [f"digraph {_quoted(flow.name)} {{", "  rankdir=LR;", '  node [shape=box, fontname="monospace", fontsize=10];']
    for number, (module, members) in enumerate(_modules(flow).items()):
        inner = [f"  {_quoted(one.id)} [{_dot_node(one)}];" for one in members]
        box = [f"  subgraph cluster_{number} {{", f"    label={_quoted(module)};", *(f"  {line}" for line in inner), "  }"]
        lines += box if module else inner
    for arrow in flow.arrows:
        style = {"<=": "solid", "<~": "dotted"}.get(arrow.operator, "dashed")
        colour = ', color="#c62828", penwidth=2' if arrow.points else ""
        lines.append(f"  {_quoted(arrow.start)} -> {_quoted(arrow.end)} [style={style}, label={_quoted(_sign(arrow))}{colour}];")
    return "\n".join([*lines, "}"])


def _sign(arrow: Arrow) -> str:
    return " ".join(filter(None, [arrow.operator if arrow.operator != "<=" else "", arrow.marks]))


def _dot_node(vertex: Vertex) -> str:
    shape = "cylinder" if vertex.kind == "table" else "box" if vertex.kind in ("scratch", "temporary") else "oval"
    colour = ', color="#c62828", penwidth=2' if vertex.points else ""
    return f"label={_quoted(f'{vertex.short} ({vertex.kind})')}, shape={shape}{colour}"


def _quoted(shown: str) -> str:
    plain = svg.plain(shown).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'


def _modules(flow: Dataflow) -> Mapping[str, list[Vertex]]:
    found: dict[str, list[Vertex]] = {}
    for one in flow.vertices:
        found.setdefault(one.module, []).append(one)
    return found
