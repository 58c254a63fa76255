"""Columns, keys and types of a collection; rows with named columns.

A schema is written `"src, dst -> cost: int"` or as a class of typed fields, a `Row`. Inside the engine rows are plain
tuples; users receive `Row`s, which are tuples whose columns can be read by name.
"""

from __future__ import annotations

import gc
import keyword
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, ClassVar, TypeAlias, dataclass_transform

from attrs import evolve, field, frozen

from bloompy.errors import RowError, SchemaError, UnorderableValues
from bloompy.lattices import NAMES, Lattice, is_lattice
from bloompy.span import Span

Key: TypeAlias = Any
"""The key of a row: the bare value of a one-column key, else a tuple of the key columns."""

Resolve: TypeAlias = Callable[[str], Any]
"""Evaluates the text of a type in the scope of the declaration; raises NameError and the like."""


@frozen
class Column:
    """One column: its name, its type as an object and as written ("" for none), and its part."""

    name: str
    type: Any = Any
    text: str = ""
    key: bool = True
    address: bool = False

    def __str__(self) -> str:
        return ("@" if self.address else "") + self.name + (f": {self.text}" if self.text else "")


@frozen
class Schema:
    """The columns of a collection in order.

    Attributes:
        columns: all columns.
        row: the `Row` class of rows handed to users.
        key_indexes: positions of the key columns.
        index: positions by column name.
        key_of: the key of a plain row.
        nan_keys: positions of the key columns that could hold a NaN, which is refused.
        lattices: positions of the value columns with their lattices, where they are lattices: then rows of one key merge.
    """

    columns: tuple[Column, ...]
    row: type[Row] = field(eq=False, repr=False)
    key_indexes: tuple[int, ...] = field(init=False, repr=False)
    index: Mapping[str, int] = field(init=False, eq=False, repr=False)
    key_of: Callable[[tuple[Any, ...]], Key] = field(init=False, eq=False, repr=False)
    nan_keys: tuple[int, ...] = field(init=False, eq=False, repr=False)
    lattices: tuple[tuple[int, type[Lattice]], ...] = field(init=False, eq=False, repr=False)
    _checks: tuple[tuple[int, Check], ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        put = object.__setattr__
        put(self, "key_indexes", tuple(i for i, column in enumerate(self.columns) if column.key))
        put(self, "index", {column.name: i for i, column in enumerate(self.columns)})
        put(self, "key_of", self._key_getter())
        typed = [(i, column.type) for i, column in enumerate(self.columns) if column.type is not Any]
        put(self, "_checks", tuple((i, check_of(annotation)) for i, annotation in typed))
        put(self, "nan_keys", tuple(i for i in self.key_indexes if self.columns[i].type not in (int, str, bytes, bool)))
        growing = [(i, column.type) for i, column in enumerate(self.columns) if not column.key and is_lattice(column.type)]
        put(self, "lattices", tuple(growing))

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def all_key(self) -> bool:
        """Whether the collection is a set of rows."""
        return len(self.key_indexes) == len(self.columns)

    @property
    def address(self) -> int | None:
        """Position of the `@` column."""
        return next((i for i, column in enumerate(self.columns) if column.address), None)

    def _key_getter(self) -> Callable[[tuple[Any, ...]], Key]:
        if not self.key_indexes:
            return lambda row: ()
        if len(self.key_indexes) > 1 and self.all_key:
            return lambda row: row
        return itemgetter(*self.key_indexes)

    def normal_key(self, key: Any) -> Key:
        """A key as users may write it (bare or 1-tuple for one column; a Row or tuple for several) in its one form."""
        if len(self.key_indexes) == 1:
            return key[0] if isinstance(key, tuple) and len(key) == 1 and not self._holds_tuples() else key
        return tuple(key) if isinstance(key, tuple) else key

    def with_address(self, position: int) -> Schema:
        """The same columns with one of them marked `@`."""
        columns = [evolve(column, address=i == position) for i, column in enumerate(self.columns)]
        return Schema(tuple(columns), self.row)

    def _holds_tuples(self) -> bool:
        column = self.columns[self.key_indexes[0]].type
        return column is tuple or typing.get_origin(column) is tuple

    def check(self, collection: str, row: Any) -> tuple[Any, ...]:
        """A row from outside as a plain tuple, or a RowError that names collection, column, value and remedy.

        One-column collections take a bare value. An int in a float column becomes a float.
        """
        width = len(self.columns)
        if not isinstance(row, tuple):
            if width != 1:
                raise RowError(f"{collection}: {row!r} is no row", hint=f"give a tuple of {self}")
            row = (row,)
        if len(row) != width:
            if width == 1:
                row = (tuple(row),)
            else:
                raise RowError(f"{collection}: {tuple(row)!r} has {len(row)} values", hint=f"its columns are {self}")
        plain = row if type(row) is tuple else tuple(row)
        if self._checks:
            plain = self._typed(collection, plain)
        for i in self.nan_keys:
            if plain[i] != plain[i]:
                raise self._bad(collection, i, plain[i], "is NaN in a key", "NaN equals nothing, so the row could not be found")
        try:
            hash(plain)
        except TypeError:
            i = next(i for i, value in enumerate(plain) if not _hashable(value))
            raise self._bad(collection, i, plain[i], "is not hashable", "use tuple, frozenset or a frozen class") from None
        return plain

    def check_all(self, collection: str, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """`check` for every row. Many plain tuples of numbers and texts are looked at column by column, which is quicker."""
        if len(rows) >= _MANY and self._fit(rows):
            return list(rows)
        return [self.check(collection, row) for row in rows]

    def _fit(self, rows: Sequence[Any]) -> bool:
        """Whether rows are seen to fit as they are; if not, each must be looked at."""
        if set(map(type, rows)) != {tuple} or set(map(len, rows)) != {len(self.columns)}:
            return False
        for i, column in enumerate(self.columns):
            found = set(map(type, map(itemgetter(i), rows)))
            if not found <= (_PLAIN_KEYS if column.key else _PLAIN) or not (column.type is Any or found == {column.type}):
                return False
        return True

    def lifted(self, collection: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A derived row with what its lattice columns were given as values of their lattices.

        Raises:
            RowError: for what cannot be one.
        """
        values = list(row)
        for i, found in self.lattices:
            try:
                values[i] = found.lift(values[i])
            except (TypeError, ValueError) as error:
                raise self._bad(collection, i, values[i], f"is not of type {self.columns[i].text}", str(error)) from None
        return tuple(values)

    def merged(self, collection: str, held: tuple[Any, ...], row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Two rows of one key as one, column by column; `held` itself where the other adds nothing. For schemas with lattices.

        Raises:
            UnorderableValues: for values that cannot be compared, naming collection and rows.
        """
        if held == row:
            return held
        values = list(held)
        try:
            for i, found in self.lattices:
                values[i] = found.merge(held[i], row[i])
        except UnorderableValues as error:
            rows = f"{self.row.make(held)!r} and {self.row.make(row)!r}"
            raise UnorderableValues(f"{collection}: cannot merge {rows}: {error.message}", hint=error.hint) from None
        merged = tuple(values)
        return held if merged == held else merged

    def merged_all(self, collection: str, rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Rows of one key as one, each lattice merging all its values at once."""
        if len(rows) < 3:
            return self.merged(collection, rows[0], rows[-1])
        values = list(rows[0])
        try:
            for i, found in self.lattices:
                values[i] = found.merge_all([row[i] for row in rows])
        except UnorderableValues as error:
            key = ", ".join(f"{self.columns[i].name}={rows[0][i]!r}" for i in self.key_indexes)
            where = f" of {key}" if key else ""
            raise UnorderableValues(f"{collection}: cannot merge the rows{where}: {error.message}", hint=error.hint) from None
        return tuple(values)

    def new_of(self, row: tuple[Any, ...], old: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row that has grown, with what is new of its values."""
        values = list(row)
        for i, found in self.lattices:
            values[i] = found.new_of(row[i], old[i])
        return tuple(values)

    def _typed(self, collection: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """The row with every typed column checked."""
        for i, check in self._checks:
            given = row[i]
            try:
                value = check(given)
            except (TypeError, ValueError) as error:
                raise self._bad(collection, i, given, f"is not of type {self.columns[i].text}", str(error)) from None
            if value is not given:
                row = (*row[:i], value, *row[i + 1 :])
        return row

    def _bad(self, collection: str, i: int, value: Any, what: str, hint: str) -> RowError:
        return RowError(f"{collection}.{self.columns[i].name}: {value!r} {what}", hint=hint or f"its columns are {self}")

    def __str__(self) -> str:
        keys = ", ".join(str(column) for column in self.columns if column.key)
        values = ", ".join(str(column) for column in self.columns if not column.key)
        return (f"{keys} -> {values}" if keys else f"-> {values}") if values else keys


_MANY = 50
"""From so many rows on, looking at columns is quicker than looking at rows."""

_PLAIN_KEYS = frozenset({int, str, bytes, bool, type(None)})
"""Types whose values are hashable and never NaN."""

_PLAIN = _PLAIN_KEYS | {float}


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


# --- types ------------------------------------------------------------------------------------------------------

Check: TypeAlias = Callable[[Any], Any]
"""Returns the value, an int made a float where that is asked for, or raises TypeError."""


def check_of(annotation: Any) -> Check:
    """The check for values of a type: builtins, classes, unions, Literal, `tuple[…]`, `frozenset[…]`, other generics by origin."""
    if annotation is Any or annotation is object:
        return lambda value: value
    if annotation is None or annotation is type(None):
        return _check_class(type(None))
    if is_lattice(annotation):
        return annotation.lift  # type: ignore[no-any-return]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _check_union([check_of(argument) for argument in arguments])
    if origin is typing.Literal:
        return _check_literal(arguments)
    if origin is tuple:
        return _check_tuple(arguments)
    if origin is frozenset and arguments:
        return _check_frozenset(check_of(arguments[0]))
    if origin is not None:
        annotation = origin
    if not isinstance(annotation, type):
        raise TypeError(f"{annotation!r} is no type")
    return _check_class(annotation)


def _check_class(expected: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is expected:
            return value
        if isinstance(value, bool) and expected in (int, float):
            raise TypeError("a bool is not taken for a number; write int(…)")
        if isinstance(value, expected):
            return value
        if expected is float and isinstance(value, int):
            return float(value)
        raise TypeError("None is not allowed; declare the column `… | None`" if value is None else "")

    return check


def _check_union(checks: list[Check]) -> Check:
    def check(value: Any) -> Any:
        for one in checks:
            try:
                found = one(value)
            except TypeError:
                continue
            if found is value:
                return value
        for one in checks:
            try:
                return one(value)
            except TypeError:
                continue
        raise TypeError

    return check


def _check_literal(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if any(value == one and type(value) is type(one) for one in allowed):
            return value
        raise TypeError(f"allowed are {', '.join(map(repr, allowed))}")

    return check


def _check_tuple(arguments: tuple[Any, ...]) -> Check:
    whole = _check_class(tuple)
    if not arguments:
        return whole
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        each = check_of(arguments[0])
        return lambda value: tuple(each(item) for item in whole(value))
    checks = [check_of(argument) for argument in arguments]

    def check(value: Any) -> Any:
        if len(whole(value)) != len(checks):
            raise TypeError(f"expected {len(checks)} items")
        return tuple(one(item) for one, item in zip(checks, value, strict=True))

    return check


def _check_frozenset(each: Check) -> Check:
    whole = _check_class(frozenset)
    return lambda value: frozenset(each(item) for item in whole(value))


# --- reading schemas --------------------------------------------------------------------------------------------


def parse_schema(text: str, resolve: Resolve, span: Span | None = None) -> Schema:
    """Read `"[@]name[: type], … [-> name[: type], …]"`.

    Args:
        text: the schema; `"-> value"` has an empty key, no arrow means that every column is the key.
        resolve: evaluates type texts.
        span: the declaration, for errors.

    Raises:
        SchemaError: naming the column and what is wrong with it.
    """
    keys, arrow, values = text.partition("->")
    columns = [_column(part, True, resolve, span) for part in _split(keys)]
    if arrow:
        columns += [_column(part, False, resolve, span) for part in _split(values)]
        if "->" in values:
            raise SchemaError(f"schema {text!r} has two arrows", span, hint="write key columns -> value columns")
    if not columns:
        raise SchemaError(f"schema {text!r} has no columns", span, hint='write for example "src, dst -> cost: int"')
    return schema_of(columns, span)


def schema_of(columns: list[Column], span: Span | None = None, row: type[Row] | None = None) -> Schema:
    """The schema of some columns; makes their `Row` class when none is given."""
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"two columns are named {name!r}", span, hint="give each column a name of its own")
    if sum(column.address for column in columns) > 1:
        raise SchemaError("two columns are marked @", span, hint="a message has one destination")
    _check_lattices(columns, span)
    schema = Schema(tuple(columns), row or _row_class(tuple(names)))
    schema.row.schema = schema
    return schema


def _check_lattices(columns: list[Column], span: Span | None) -> None:
    """Rows of one key merge, or they do not: a lattice has no place in the key, nor beside a value that cannot merge."""
    for column in columns:
        if column.key and is_lattice(column.type):
            hint = f'a value of a key cannot grow: put it behind the arrow, as in "id -> {column.name}: {column.text}"'
            raise SchemaError(f"the key column {column.name!r} is of the lattice {column.text}", span, hint=hint)
    values = [column for column in columns if not column.key]
    plain = [column for column in values if not is_lattice(column.type)]
    if plain and len(plain) < len(values):
        raise SchemaError(
            f"the value column {plain[0].name!r} is no lattice, others are: two rows of one key could not merge",
            span,
            hint="make all value columns lattices (lmax, lmin, lset, …), or put the others into the key or a collection of their own",
        )


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets and quotes."""
    depth, start, quote = 0, 0, ""
    for i, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    if text[start:].strip() or start:
        yield text[start:].strip()


def _column(part: str, key: bool, resolve: Resolve, span: Span | None) -> Column:
    name, colon, type_text = (piece.strip() for piece in part.partition(":"))
    address = name.startswith("@")
    name = name[1:].strip() if address else name
    if not name or any(character.isspace() for character in name):
        raise SchemaError(f"{part!r} names no column", span, hint='a column is "name" or "name: type"; commas stand between columns')
    if colon and not type_text:
        raise SchemaError(f"column {name!r} has a colon but no type", span, hint=f'write "{name}: int" or just "{name}"')
    return Column(name, _resolved(name, type_text, resolve, span), type_text, key, address)


def _resolved(name: str, text: str, resolve: Resolve, span: Span | None) -> Any:
    if not text:
        return Any
    try:
        annotation = resolve(text)
        check_of(annotation)
    except Exception as error:
        raise SchemaError(
            f"type {text!r} of column {name!r} cannot be used: {error}",
            span,
            hint="types are builtins, `T | None`, and any class in scope of the declaration",
        ) from None
    return annotation


def resolver(frame: types.FrameType) -> Resolve:
    """Evaluates type texts as code at a frame would: its locals, those of the functions around it, its globals."""

    def resolve(text: str) -> Any:
        scope: dict[str, Any] = {}
        around: types.FrameType | None = frame
        while around is not None and around.f_globals is frame.f_globals:
            scope = {**around.f_locals, **scope}
            around = around.f_back
        return eval(text, {**NAMES, **frame.f_globals}, scope)

    return resolve


# --- rows -------------------------------------------------------------------------------------------------------


class _KeyMark:
    pass


def key() -> Any:
    """Marks a field of a `Row` class as a key column: `src: str = key()`."""
    return _KeyMark()


on_row_class: list[Callable[[type[Row]], object]] = []
"""Called with each `Row` class that is declared; where hypothesis is in use it learns so of them (`bloompy.testing.strategies`)."""


@dataclass_transform(frozen_default=True, field_specifiers=(key,))
class Row(tuple[Any, ...]):
    """A row with named columns. Subclass it to declare a typed schema that mypy and pyright check:

        class Link(Row):
            src: str = key()
            dst: str = key()
            cost: int

    Fields marked `key()` are the key; where none is marked, all are. Rows are tuples: they compare, hash and unpack as such.
    """

    __slots__ = ()
    schema: ClassVar[Schema]

    if not typing.TYPE_CHECKING:

        def __new__(cls, *values, **named):
            names = cls.schema.names
            if named:
                try:
                    values += tuple(named.pop(name) for name in names[len(values) :])
                except KeyError as error:
                    raise TypeError(f"{cls.__name__}() lacks the column {error}") from None
            if named or len(values) != len(names):
                raise TypeError(f"{cls.__name__}() takes the columns {', '.join(names)}")
            return tuple.__new__(cls, values)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        annotations = cls.__dict__.get("__annotations__", {})
        if annotations:
            frame = sys._getframe(1)
            _schema_of_class(cls, annotations, resolver(frame), Span.of_frame(frame))
            for tell in on_row_class:
                tell(cls)

    @classmethod
    def make(cls, values: tuple[Any, ...]) -> typing.Self:
        """The row of a plain tuple that is known to fit."""
        return tuple.__new__(cls, values)

    @classmethod
    def make_all(cls, rows: Sequence[tuple[Any, ...]]) -> list[typing.Self]:
        """The rows of many plain tuples that are known to fit.

        Collections of garbage wait meanwhile: they would look at all the new rows again and again, which costs
        three times what making the rows does, and find nothing.
        """
        waits = len(rows) > 10_000 and gc.isenabled()
        if waits:
            gc.disable()
        try:
            return list(map(tuple.__new__, repeat(cls), rows))
        finally:
            if waits:
                gc.enable()

    def __repr__(self) -> str:
        columns = zip(self.schema.names, self, strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in columns)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


def _schema_of_class(cls: type[Row], annotations: Mapping[str, Any], resolve: Resolve, span: Span) -> Schema:
    names = [name for name, text in annotations.items() if "ClassVar" not in str(text)]
    marked = {name for name in names if isinstance(cls.__dict__.get(name), _KeyMark)}
    columns = []
    for name in names:
        if name in cls.__dict__ and name not in marked:
            raise SchemaError(f"column {name!r} has a default", span, hint="a row gives every column; leave the default out")
        given = annotations[name]
        text = given if isinstance(given, str) else getattr(given, "__name__", str(given)) if isinstance(given, type) else str(given)
        found = _resolved(name, given, resolve, span) if isinstance(given, str) else given
        columns.append(Column(name, found, "" if found is Any else text, not marked or name in marked))
    _add_properties(cls, tuple(names))
    return schema_of(columns, span, cls)


def _add_properties(cls: type[Row], names: tuple[str, ...]) -> None:
    for i, name in enumerate(names):
        if name.isidentifier() and not keyword.iskeyword(name):
            setattr(cls, name, property(itemgetter(i)))


def _row_class(names: tuple[str, ...]) -> type[Row]:
    cls = type("Row", (Row,), {"__slots__": ()})
    _add_properties(cls, names)
    return cls
