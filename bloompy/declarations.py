"""Collections as class attributes: what one writes in a class body, and the handles of an instance.

A declaration and its instance handle are one class, so that `link = table(Link)` types both `self.link` in a rule and
`program.link` outside. A handle is a declaration bound to a `Port`, the program's side of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, TypeVarTuple, overload

from bloompy.display import table_html
from bloompy.durability import Durability, durability
from bloompy.errors import DeclarationError, UsageError
from bloompy.ir.nodes import Kind, Parameter
from bloompy.lattices import Lattice
from bloompy.schema import Column, Key, Row, Schema, parse_schema, resolver, schema_of
from bloompy.span import Span

if TYPE_CHECKING:
    from typing import Self

R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Port(Protocol):
    """What a program offers to the handles of its collections; names are full (dotted for inner modules)."""

    def stage(self, collection: str, operation: str, rows: tuple[Any, ...]) -> None:
        """Stage an "insert", "delete" or "upsert" for the next tick."""

    def rows(self, collection: str) -> list[Any]:
        """The rows that held at the end of the last tick, with named columns: a copy, never a tick half done."""

    def row(self, collection: str, key: Key) -> tuple[Any, ...] | None:
        """The one of that key."""

    def count(self, collection: str) -> int:
        """How many there are."""

    def listen(self, collection: str, callback: Callable[[Any], object]) -> None:
        """Have a callback called with each row that begins to hold."""


class Collection(Generic[R, *Ts]):
    """A collection: in a class body its declaration, on an instance its handle.

    Iterating, `len`, `in`, `[]`, `get` and `rows()` read what held at the end of the last tick. Reading by key is O(1).
    """

    def __init__(
        self, kind: Kind, schema: Schema, span: Span, *, durable: Durability = False, period: float | Parameter | None = None
    ) -> None:
        self.kind, self.schema, self.span, self.period = kind, schema, span, period
        self.durable, self.delayed = durability(durable, span)
        self.name = ""
        self._port: Port | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def bind(self, name: str, port: Port) -> Self:
        """The handle of this declaration in a program, under its full name."""
        handle = object.__new__(type(self))
        handle.__dict__.update(self.__dict__, name=name, _port=port)
        return handle

    def equals(self, other: Collection[Any, *tuple[Any, ...]]) -> bool:
        """Whether two declarations say the same."""
        mine = (self.kind, self.schema, self.durable, self.delayed, self.period, self.lattice)
        return mine == (other.kind, other.schema, other.durable, other.delayed, other.period, other.lattice)

    # -- outside rules: staging

    def insert(self, *rows: R | tuple[*Ts]) -> None:
        """Stage rows for the next tick. Raises RowError for a row that does not fit; then none is staged."""
        self._bound().stage(self.name, "insert", rows)

    def on_insert(self, callback: Callable[[R], object]) -> None:
        """Call back with each row that begins to hold, after the commit of its tick."""
        self._bound().listen(self.name, callback)

    # -- outside rules: reading

    def rows(self) -> frozenset[R]:
        """All rows, as a set."""
        return frozenset(self)

    def __iter__(self) -> Iterator[R]:
        return iter(self._bound().rows(self.name))

    def __len__(self) -> int:
        return self._bound().count(self.name)

    def __contains__(self, key: object) -> bool:
        return self._bound().row(self.name, self.schema.normal_key(key)) is not None

    def __getitem__(self, key: Any) -> R:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    @overload
    def get(self, key: Any, default: None = None) -> R | None: ...
    @overload
    def get(self, key: Any, default: R | tuple[*Ts]) -> R: ...
    def get(self, key: Any, default: Any = None) -> Any:
        """The row of a key, or the default."""
        found = self._bound().row(self.name, self.schema.normal_key(key))
        return default if found is None else self.schema.row.make(found)

    def __repr__(self) -> str:
        if self._port is None:
            return f"<{self.kind} {self.name} ({self.schema})>"
        rows = list(self)
        shown = ", ".join(repr(tuple(row)) for row in rows[:5]) + (", …" if len(rows) > 5 else "")  # type: ignore[arg-type]
        return f"<{self.kind} {self.name} ({self.schema}): {len(rows)} row{'' if len(rows) == 1 else 's'}{': ' if rows else ''}{shown}>"

    def _repr_html_(self) -> str:
        """The rows as a table, for notebooks."""
        rows: Iterable[Any] = () if self._port is None else self
        total = 0 if self._port is None else len(self)
        return table_html(f"{self.name}: {self.kind}", [str(column) for column in self.schema.columns], rows, total)

    def _bound(self) -> Port:
        if self._port is None:
            raise UsageError(
                f"{self.name or 'a collection'} is a declaration, read on the class", hint="make an instance of the program first"
            )
        return self._port

    @property
    def lattice(self) -> type[Lattice] | None:
        """Of a collection declared as a lattice, which."""
        return None

    # -- inside rules: read as source by the compiler, typed here for mypy and pyright, never run

    def __le__(self, query: Iterable[R | tuple[*Ts]] | R | tuple[*Ts]) -> None:
        self._executed("<=")

    def __lt__(self, query: Any) -> None:
        self._executed("<")

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Self:
        return self

    def __invert__(self) -> Self:
        return self

    def _executed(self, operator: str) -> None:
        raise UsageError(
            f"the statement `self.{self.name} {operator} …` was executed; rules are read, never run",
            hint="decorate the method with @rule and do not call it; outside rules use .insert(…), .delete(…), .upsert(…)",
        )


class Table(Collection[R, *Ts]):
    """Rows that persist until they are deleted."""

    def delete(self, *rows: Any) -> None:
        """Stage deletions for the next tick: whole rows, or just their keys."""
        self._bound().stage(self.name, "delete", rows)

    def upsert(self, *rows: R | tuple[*Ts]) -> None:
        """Stage rows for the next tick that replace those of their keys."""
        self._bound().stage(self.name, "upsert", rows)


class LatticeCollection(Collection[Any, Any]):
    """One value that only grows, from tick to tick: `lattice.lmax()` and the like. `insert` merges values into it."""

    def __init__(self, declared: Lattice) -> None:
        found = declared.lattice
        schema = schema_of([Column("value", found, found.__name__, key=False)], declared.span)
        super().__init__("table", schema, declared.span, durable=declared.durable)

    @property
    def lattice(self) -> type[Lattice]:
        """Which lattice it is of."""
        found: type[Lattice] = self.schema.columns[0].type
        return found

    @property
    def value(self) -> Any:
        """The value at the end of the last tick; the bottom of the lattice while nothing was put in."""
        found = self._bound().row(self.name, ())
        return self.lattice.bottom if found is None else found[0]

    def __repr__(self) -> str:
        shown = f"lattice {self.name} ({self.lattice.__name__})"
        return f"<{shown}>" if self._port is None else f"<{shown}: {self.value!r}>"


class Scratch(Collection[R, *Ts]):
    """Rows that hold only in the ticks that derive them."""


class Channel(Collection[R, *Ts]):
    """Messages: sent by `<~`, and holding at the destination for one tick."""


class Periodic(Collection[R, *Ts]):
    """A row (no, time) each time a timer fires."""


# --- what one writes --------------------------------------------------------------------------------------------


def _schema(given: Any) -> tuple[Schema, Span]:
    """The schema given to the public function that called, and the place of that call."""
    frame = sys._getframe(2)
    span = Span.of_frame(frame)
    if isinstance(given, str):
        return parse_schema(given, resolver(frame), span), span
    if isinstance(given, type) and issubclass(given, Row):
        return given.schema, span
    raise DeclarationError(f"{given!r} is no schema", span, hint='give a string such as "src, dst -> cost: int" or a Row class')


def _with_address(schema: Schema, span: Span, wanted: bool, kind: str) -> None:
    if wanted and schema.address is None:
        raise DeclarationError(f"a {kind} needs an address column", span, hint='mark it with @, as in "@dst, src, text"')
    if not wanted and schema.address is not None:
        raise DeclarationError(f"a {kind} has no address column", span, hint="only a channel has one; leave out the @")


@overload
def table(schema: str, *, durable: Durability = False) -> Table[Any, *tuple[Any, ...]]: ...
@overload
def table(schema: Callable[[*Ts], R], *, durable: Durability = False) -> Table[R, *Ts]: ...
def table(schema: Any, *, durable: Durability = False) -> Any:
    """Declare rows that persist until deleted.

    Args:
        schema: columns, as text or as a `Row` class.
        durable: True keeps the rows over a crash of the node: what a tick changes is safe before its messages leave. "delayed"
            keeps them as well, but a tick that changes only such tables sends at once and is made safe with a later one: for
            rows that can be derived again.
    """
    found, span = _schema(schema)
    _with_address(found, span, False, "table")
    return Table("table", found, span, durable=durable)


@overload
def scratch(schema: str) -> Scratch[Any, *tuple[Any, ...]]: ...
@overload
def scratch(schema: Callable[[*Ts], R]) -> Scratch[R, *Ts]: ...
def scratch(schema: Any) -> Any:
    """Declare rows that hold in a tick exactly when its rules derive them."""
    found, span = _schema(schema)
    _with_address(found, span, False, "scratch")
    return Scratch("scratch", found, span)


@overload
def channel(schema: str) -> Channel[Any, *tuple[Any, ...]]: ...
@overload
def channel(schema: Callable[[*Ts], R]) -> Channel[R, *Ts]: ...
def channel(schema: Any) -> Any:
    """Declare messages to other nodes; `@` marks the column with the destination's address.

    With a `Row` class the destination is the first column.
    """
    found, span = _schema(schema)
    if found.address is None and not isinstance(schema, str):
        found = found.with_address(0)
    _with_address(found, span, True, "channel")
    return Channel("channel", found, span)


@overload
def loopback(schema: str) -> Channel[Any, *tuple[Any, ...]]: ...
@overload
def loopback(schema: Callable[[*Ts], R]) -> Channel[R, *Ts]: ...
def loopback(schema: Any) -> Any:
    """Declare messages of a node to itself: what `<~` puts in holds in a later tick."""
    found, span = _schema(schema)
    _with_address(found, span, False, "loopback")
    return Channel("loopback", found, span)


class interface:
    """Collections at a module's boundary."""

    @overload
    @staticmethod
    def input(schema: str) -> Scratch[Any, *tuple[Any, ...]]: ...
    @overload
    @staticmethod
    def input(schema: Callable[[*Ts], R]) -> Scratch[R, *Ts]: ...
    @staticmethod
    def input(schema: Any) -> Any:
        """Declare a scratch that is filled only from outside."""
        found, span = _schema(schema)
        _with_address(found, span, False, "input")
        return Scratch("input", found, span)

    @overload
    @staticmethod
    def output(schema: str) -> Scratch[Any, *tuple[Any, ...]]: ...
    @overload
    @staticmethod
    def output(schema: Callable[[*Ts], R]) -> Scratch[R, *Ts]: ...
    @staticmethod
    def output(schema: Any) -> Any:
        """Declare a scratch that is read only outside."""
        found, span = _schema(schema)
        _with_address(found, span, False, "output")
        return Scratch("output", found, span)


def periodic(seconds: float) -> Periodic[Any, int, float]:
    """Declare a timer: a row (no, time) each time it fires.

    Args:
        seconds: the period, or a `param` of the class that holds it.
    """
    span = Span.of_caller()
    schema = parse_schema("no: int -> time: float", resolver(sys._getframe()), span)
    if isinstance(seconds, Param):
        return Periodic("periodic", schema, span, period=seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise DeclarationError(f"{seconds!r} is no period", span, hint="give seconds above 0, or a param")
    return Periodic("periodic", schema, span, period=float(seconds))


def stdio() -> Channel[Any, str]:
    """Declare the terminal: `<~` prints its one column at the end of the tick, lines typed arrive as rows."""
    span = Span.of_caller()
    return Channel("stdio", parse_schema("line: str", resolver(sys._getframe()), span), span)


class Param:
    """A constant of the instance, declared with its default."""

    def __init__(self, default: Any, span: Span) -> None:
        self.default, self.span, self.name = default, span, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def __repr__(self) -> str:
        return f"<param {self.name} = {self.default!r}>"


def param(default: T) -> T:
    """Declare a constant of the instance, given as `Program(name=value)` and readable in rules."""
    return Param(default, Span.of_caller())  # type: ignore[return-value]  # typed as the value that rules read


class ModuleDeclaration:
    """An inner program, with the parameters that it is given."""

    def __init__(self, program: type, parameters: dict[str, Any], span: Span) -> None:
        self.program, self.parameters, self.span, self.name = program, parameters, span, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name


def module(program: type[T], **parameters: Any) -> T:
    """Declare an own copy of another program; rules reach its interfaces as `self.kvs.put`.

    Args:
        program: a Bloom class.
        parameters: values for its params; a param of the outer class passes that one on.
    """
    return ModuleDeclaration(program, parameters, Span.of_caller())  # type: ignore[return-value]  # typed as the program
