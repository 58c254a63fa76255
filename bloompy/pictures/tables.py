"""The tables of a node at some moment, and what changed between two: as text, and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from bloompy.engine.tick import PlainRow
from bloompy.pictures.words import cut, number, one_line, value_text, wide

if TYPE_CHECKING:
    from bloompy.ir.nodes import Collection, Program
    from bloompy.program import Bloom

SHOWN_ROWS = 40
"""How many rows of a table are shown unless told otherwise."""

_CELL_COLUMNS = 40

Change: TypeAlias = Literal["+", "-", "~"]

_STYLE = (
    ".bloompy-tables table{border-collapse:collapse;margin:.4em 0 1em}.bloompy-tables caption{text-align:left;font-weight:bold}"
    ".bloompy-tables td,.bloompy-tables th{padding:1px 10px 1px 4px;text-align:left;font-family:monospace;white-space:pre}"
    ".bloompy-tables th{border-bottom:1px solid #8888}.bloompy-tables .new{background:#2ea04333}.bloompy-tables .gone{background:#f8514933}"
    ".bloompy-tables .changed{background:#d2992233}.bloompy-tables del{opacity:.6}"
)


@frozen
class TableRows:
    """One collection at one moment.

    Attributes:
        name: its own.
        columns: their names.
        keys: indexes of the key columns.
        rows: sorted.
    """

    name: str
    columns: tuple[str, ...]
    keys: tuple[int, ...]
    rows: tuple[PlainRow, ...]

    @classmethod
    def of(cls, collection: Collection, rows: Iterable[PlainRow]) -> TableRows:
        """The rows of a collection, sorted."""
        schema = collection.schema
        return cls(collection.name, schema.names, tuple(schema.key_indexes), tuple(in_order(map(tuple, rows))))

    def by_key(self) -> dict[Any, PlainRow]:
        """The rows by their keys."""
        return {tuple(row[i] for i in self.keys): row for row in self.rows}


@frozen
class Tables:
    """What a node holds at one moment; prints itself as text, in notebooks as HTML.

    Attributes:
        title: node and moment, in words.
        tables: by name, empty ones included.
    """

    title: str
    tables: Mapping[str, TableRows] = field(repr=False)

    def __getitem__(self, name: str) -> tuple[PlainRow, ...]:
        return self.tables[name].rows

    def text(self, rows: int = SHOWN_ROWS) -> str:
        """As text, with so many rows of each table at most."""
        parts = [one_line(self.title)]
        for table in self.tables.values():
            if table.rows:
                lines = [table.columns, *([*map(value_text, row)] for row in table.rows[:rows])]
                parts.append("\n".join([f"\n{one_line(table.name)}", *_aligned(lines), *_more(len(table.rows), rows)]))
        empty = [one_line(table.name) for table in self.tables.values() if not table.rows]
        return "\n".join([*parts, *([f"\nempty: {', '.join(empty)}"] if empty else [])])

    def html(self, rows: int = SHOWN_ROWS) -> str:
        """As a piece of HTML, with so many rows of each table at most."""
        parts = []
        for table in self.tables.values():
            if table.rows:
                lines = ["".join(_cell(value_text(value)) for value in row) for row in table.rows[:rows]]
                parts.append(_html_table(table.name, table.columns, (f"<tr>{line}</tr>" for line in lines), _more(len(table.rows), rows)))
        empty = ", ".join(table.name for table in self.tables.values() if not table.rows)
        return _html(self.title, [*parts, *([f"<p>empty: {escape(one_line(empty))}</p>"] if empty else [])])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


@frozen
class RowChange:
    """What became of a row: "+" new, "-" gone, "~" another row of its key, where `before` is the old one."""

    how: Change
    row: PlainRow
    before: PlainRow | None = None


@frozen
class TablesDifference:
    """What changed between two moments; prints itself as text, in notebooks as HTML.

    Attributes:
        before, after: the moments, in words.
        changes: by table, those without any left out.
        columns: of the tables.
    """

    before: str
    after: str
    changes: Mapping[str, tuple[RowChange, ...]]
    columns: Mapping[str, tuple[str, ...]] = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def text(self, rows: int = SHOWN_ROWS) -> str:
        """As text: rows that are new, gone (-) and changed (~)."""
        parts = [f"{one_line(self.before)} → {one_line(self.after)}"]
        for name, changes in self.changes.items():
            lines = [[one.how, *_cells(one)] for one in changes[:rows]]
            aligned = _aligned([[" ", *self.columns[name]], *lines], ruled=False)
            parts.append("\n".join([f"\n{one_line(name)}", *aligned, *_more(len(changes), rows)]))
        return "\n".join(parts if self.changes else [*parts, "", "nothing changed"])

    def html(self, rows: int = SHOWN_ROWS) -> str:
        """As a piece of HTML."""
        parts = []
        for name, changes in self.changes.items():
            lines = (_html_change(one) for one in changes[:rows])
            parts.append(_html_table(name, ("", *self.columns[name]), lines, _more(len(changes), rows)))
        return _html(f"{self.before} → {self.after}", parts or ["<p>nothing changed</p>"])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def difference(before: Tables, after: Tables) -> TablesDifference:
    """What changed between two moments, also of two nodes."""
    changes = {}
    columns = {}
    for name in dict.fromkeys((*before.tables, *after.tables)):
        one, other = before.tables.get(name), after.tables.get(name)
        table = other or one
        assert table is not None
        found = tuple(_changes(one.by_key() if one else {}, other.by_key() if other else {}))
        if found:
            changes[name], columns[name] = found, table.columns
    return TablesDifference(before.title, after.title, changes, columns)


def tables_of(program: Bloom, title: str | None = None) -> Tables:
    """What an instance holds now, at the end of its last tick."""
    from bloompy.program import machine_of

    machine = machine_of(program)
    held = {one.name: machine.evaluator.read(one.name).values() for one in of_interest(machine.program)}
    return tables_from(machine.program, held, title if title is not None else f"{program.me}, tick {program.step}")


def tables_from(program: Program, held: Mapping[str, Iterable[PlainRow]], title: str) -> Tables:
    """Tables of rows that are known by collection."""
    return Tables(title, {one.name: TableRows.of(one, held[one.name]) for one in of_interest(program) if one.name in held})


def of_interest(program: Program) -> Iterator[Collection]:
    """The collections that last: tables and lattices."""
    for one in program.collections:
        if one.kind == "table" or one.lattice:
            yield one


def in_order(rows: Iterable[PlainRow]) -> list[PlainRow]:
    """Rows sorted by their values, where these have an order: numbers by size, then texts, then the rest by how they are written."""
    return sorted(rows, key=lambda row: tuple(map(_order, row)))


def _order(value: Any) -> tuple[int, Any, str]:
    if isinstance(value, int | float) and value == value:
        return 0, value, ""
    return (1, value, "") if isinstance(value, str) else (2, "", value_text(value))


def _changes(before: Mapping[Any, PlainRow], after: Mapping[Any, PlainRow]) -> Iterator[RowChange]:
    found = [RowChange("-", row) for key, row in before.items() if key not in after]
    for key, row in after.items():
        old = before.get(key)
        if old is None:
            found.append(RowChange("+", row))
        elif old != row:
            found.append(RowChange("~", row, old))
    return iter(sorted(found, key=lambda one: tuple(map(_order, one.row))))


def _cells(change: RowChange) -> list[str]:
    if change.before is None:
        return [value_text(value) for value in change.row]
    pairs = zip(change.before, change.row, strict=True)
    return [value_text(new) if old == new else f"{value_text(old)} → {value_text(new)}" for old, new in pairs]


def _aligned(lines: Sequence[Sequence[str]], ruled: bool = True) -> list[str]:
    cells = [[cut(cell, _CELL_COLUMNS) for cell in line] for line in lines]
    widths = [max(map(wide, column)) for column in zip(*cells, strict=True)]
    padded = [" | ".join(cell + " " * (width - wide(cell)) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return [padded[0], *(["-+-".join("-" * width for width in widths)] if ruled else []), *padded[1:]]


def _more(count: int, shown: int) -> list[str]:
    return [f"… {number(count - shown, 'more row')}"] if count > shown else []


# --- HTML ---------------------------------------------------------------------------------------------------------


def _html(heading: str, parts: Iterable[str]) -> str:
    return f"<div class='bloompy-tables'><style>{_STYLE}</style><p>{escape(one_line(heading))}</p>{''.join(parts)}</div>"


def _html_table(name: str, columns: Sequence[str], lines: Iterable[str], more: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(one_line(column))}</th>" for column in columns)
    below = "".join(f"<tr><td colspan='{len(columns)}'>{escape(one)}</td></tr>" for one in more)
    return f"<table><caption>{escape(one_line(name))}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}{below}</tbody></table>"


def _html_change(change: RowChange) -> str:
    style = {"+": "new", "-": "gone", "~": "changed"}[change.how]
    if change.before is None:
        cells = "".join(_cell(value_text(value)) for value in change.row)
    else:
        cells = "".join(
            _cell(value_text(new)) if old == new else f"<td><del>{_shown(value_text(old))}</del> {_shown(value_text(new))}</td>"
            for old, new in zip(change.before, change.row, strict=True)
        )
    return f"<tr class='{style}'><td>{'−' if change.how == '-' else change.how}</td>{cells}</tr>"


def _cell(shown: str) -> str:
    return f"<td>{_shown(shown)}</td>"


def _shown(text: str) -> str:
    return escape(cut(text, 200))
