'''Tables as text, in tests.

    program.link.insert(*rows_of("""
        src | dst | cost
        a   | b   | 1
        b   | c   | 2
    """, program.link))
    program.tick()
    assert_rows(program.best, """
        src | dst | cost
        a   | b   | 1
        a   | c   | 3
    """)

The first line names the columns, in any order; lines of dashes, empty ones and those that begin with `#` are passed over. A cell is
taken as the type of its column asks: in a `str` column as it stands, elsewhere as a Python literal if it is one. Quote a text that
holds blanks at its ends, bars or line ends, or that would be taken for a literal.
'''

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from bloompy.declarations import Collection
from bloompy.errors import RowError, UsageError
from bloompy.pictures.words import one_line, wide
from bloompy.schema import Column, Row, Schema, check_of

Described: TypeAlias = "Collection[Any, *tuple[Any, ...]] | Schema | type[Row]"
"""What says which columns there are: a collection (declared or of an instance), a schema or a Row class."""

_RULE = re.compile(r"[\s|:+-]*-[\s|:+-]*")
_LITERAL = re.compile(r"b?['\"(\[{]|b$|frozenset\(")
"""How a cell begins in which quotes mean something; in others they are apostrophes."""


def rows_of(text: str, of: Described | None = None) -> list[Any]:
    """The rows that a text shows.

    Args:
        text: the table.
        of: collection, schema or Row class that the rows are of; without it rows are plain tuples in the order of the text's columns.

    Raises:
        RowError: for a line that does not fit, naming it.
    """
    names, lines = _parsed(text)
    if of is None:
        return [tuple(_literal(cell) for cell in cells) for cells in lines]
    schema, name = _schema(of)
    if sorted(names) != sorted(schema.names):
        raise RowError(f"{name}: the table has the columns {', '.join(names)}", hint=f"its columns are {schema}")
    order = [names.index(column) for column in schema.names]
    return [schema.row.make(_row(schema, name, [cells[i] for i in order])) for cells in lines]


def table_text(rows: Iterable[Any], columns: Sequence[str] | None = None) -> str:
    """Rows as a table that `rows_of` reads, sorted, with aligned columns.

    Args:
        rows: a collection of an instance, or rows.
        columns: names, where the rows do not tell them; those given are shown.
    """
    schema = rows.schema if isinstance(rows, Collection) else None
    found = list(rows)
    if schema is None and found and isinstance(found[0], Row):
        schema = found[0].schema
    names = list(columns) if columns is not None else list(schema.names) if schema is not None else _numbered(found)
    indexes = [schema.index[name] for name in names] if schema is not None else list(range(len(names)))
    typed = [schema.columns[i] if schema is not None else Column(name) for i, name in zip(indexes, names, strict=True)]
    shown = [[_cell(row[i], column) for i, column in zip(indexes, typed, strict=True)] for row in _sorted(found)]
    return "\n".join(_aligned([names, *shown]))


def assert_rows(rows: Iterable[Any], text: str) -> None:
    """Check that a collection holds just the rows of a table; its columns may be some of the collection's, then only these count.

    Args:
        rows: a collection of an instance, or rows with named columns.
        text: the table.

    Raises:
        AssertionError: with both tables as one, in which `-` marks rows that are missing and `+` rows that should not be there.
        RowError: if the table does not fit the collection.
    """
    __tracebackhide__ = True
    found = list(rows)
    if isinstance(rows, Collection):
        schema, name = rows.schema, rows.name
    elif found and isinstance(found[0], Row):
        schema, name = found[0].schema, "rows"
    else:
        names, lines = _parsed(text)
        schema, name = Schema(tuple(map(Column, names)), Row), "rows"
    names, lines = _parsed(text)
    unknown = [one for one in names if one not in schema.index]
    if unknown:
        raise RowError(f"{name} has no column {', '.join(unknown)}", hint=f"its columns are {schema}")
    columns = [schema.columns[schema.index[one]] for one in names]
    wanted = [tuple(_value(column, name, cell) for column, cell in zip(columns, cells, strict=True)) for cells in lines]
    indexes = [schema.index[one] for one in names]
    there = [tuple(row[i] for i in indexes) for row in found]
    difference = _difference(name, columns, wanted, there)
    if difference:
        raise AssertionError(difference)


# --- reading ----------------------------------------------------------------------------------------------------


def _parsed(text: str) -> tuple[list[str], list[list[str]]]:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#") and not _RULE.fullmatch(line)]
    if not lines:
        raise RowError("a table without a line", hint="its first line names the columns, as in `src | dst | cost`")
    cells = [_cells(line) for line in lines]
    names = cells[0]
    for line, found in zip(lines, cells, strict=True):
        if len(found) != len(names):
            hint = f"the columns are {' | '.join(names)}; quote a text that holds a bar"
            raise RowError(f"the line {line!r} has {len(found)} cells", hint=hint)
    return names, cells[1:]


def _cells(line: str) -> list[str]:
    """The cells of a line; bars in quotes are part of a text, and bars at both ends are decoration."""
    if line.startswith("|") and line.endswith("|") and len(line) > 1:
        line = line[1:-1]
    found, start, quote, escaped = [], 0, "", False
    for i, one in enumerate(line):
        if escaped:
            escaped = False
        elif quote:
            quote, escaped = ("" if one == quote else quote), one == "\\"
        elif one in "'\"" and _LITERAL.match(line[start:i].strip() or one):
            quote = one
        elif one == "|":
            found.append(line[start:i].strip())
            start = i + 1
    return [*found, line[start:].strip()]


def _row(schema: Schema, name: str, cells: Sequence[str]) -> tuple[Any, ...]:
    return schema.check(name, tuple(_value(column, name, cell) for column, cell in zip(schema.columns, cells, strict=True)))


def _value(column: Column, name: str, cell: str) -> Any:
    """A cell as a value of its column: the first reading of it that has the column's type."""
    check = check_of(column.type)
    readings = [_literal(cell)] if column.type is not str or _quoted(cell) else [cell]
    for value in (*readings, cell):
        try:
            return check(value)
        except (TypeError, ValueError):
            continue
    hint = "quote texts, write other values as Python literals"
    raise RowError(f"{name}.{column.name}: {cell!r} is not of type {column.text}", hint=hint)


def _quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] in "'\"" and cell[-1] == cell[0] and isinstance(_literal(cell), str)


def _literal(cell: str) -> Any:
    """A Python literal (`frozenset({…})` is one here), or the cell itself."""
    try:
        return _evaluated(ast.parse(cell, mode="eval").body)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return cell


def _evaluated(node: ast.expr) -> Any:
    match node:
        case ast.Call(ast.Name("frozenset"), args, []) if len(args) < 2:
            return frozenset(*map(_evaluated, args))
        case ast.Tuple(parts):
            return tuple(map(_evaluated, parts))
        case ast.Set(parts):
            return set(map(_evaluated, parts))
    return ast.literal_eval(node)


def _schema(of: Described) -> tuple[Schema, str]:
    if isinstance(of, Schema):
        return of, "rows"
    if isinstance(of, type) and issubclass(of, Row):
        return of.schema, of.__name__
    if isinstance(of, Collection):
        return of.schema, of.name or "rows"
    raise UsageError(f"{of!r} has no columns", hint="give a collection, a schema or a Row class")


# --- writing ----------------------------------------------------------------------------------------------------


def _cell(value: Any, column: Column) -> str:
    """A value as a cell that is read as this value again; controls are escaped."""
    if isinstance(value, str):
        plain = value and value == value.strip() and value.isprintable() and not any(one in value for one in "|'\"#\\")
        if plain and (column.type is str or _literal(value) == value) and not _RULE.fullmatch(value) and not value.startswith("frozenset("):
            return value
    return _shown(value)


def _shown(value: Any) -> str:
    """`repr`, with sets in an order that does not depend on hash seeds."""
    if isinstance(value, frozenset) and type(value) is frozenset:
        return f"frozenset({{{', '.join(sorted(map(_shown, value)))}}})" if value else "frozenset()"
    if type(value) is tuple:
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return one_line(repr(value))


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(wide, column)) for column in zip(*lines, strict=True)]
    padded = [" | ".join(cell + " " * (width - wide(cell)) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return [line.rstrip() for line in padded]


def _numbered(rows: Sequence[Any]) -> list[str]:
    return [f"c{i}" for i in range(len(rows[0]))] if rows else ["c0"]


def _sorted(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: tuple(map(_order, row)))


def _order(value: Any) -> tuple[int, Any, str]:
    """Numbers by size, then texts, then the rest: rows may hold what has no order, or only a partial one, as sets do."""
    if isinstance(value, int | float) and value == value:
        return 0, value, repr(value)
    return (1, value, "") if isinstance(value, str) else (2, "", _shown(value))


def _difference(name: str, columns: Sequence[Column], wanted: Sequence[Any], there: Sequence[Any]) -> str:
    """Both tables as one, or "" where they are equal. Rows count once."""
    both, held = set(wanted), set(there)
    missing, extra = both - held, held - both
    if not missing and not extra:
        return ""
    marked = [(" " if row in both and row in held else "-" if row in both else "+", row) for row in _sorted(both | held)]
    cells = [[_cell(value, column) for value, column in zip(row, columns, strict=True)] for _, row in marked]
    lines = _aligned([[column.name for column in columns], *cells])
    count = [f"{len(missing)} missing (-)"] if missing else []
    count += [f"{len(extra)} not expected (+)"] if extra else []
    table = "\n".join(f"  {mark} {line}".rstrip() for mark, line in zip((" ", *(mark for mark, _ in marked)), lines, strict=True))
    return f"{name}: {', '.join(count)}\n{table}"

