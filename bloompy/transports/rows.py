"""Rows of one collection as bytes and back, checked against its schema at the edge."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect
from msgspec.msgpack import Decoder

from bloompy.engine.tick import PlainRow
from bloompy.errors import RowError, UsageError, WireError
from bloompy.lattices import is_lattice
from bloompy.schema import Column, Schema
from bloompy.transports.values import ENCODER, SCALARS, ordered, pack, unpack

Refuse: TypeAlias = Callable[[Exception], None]
"""Told why a row, or all of them, were left out."""

_FAULTS = (msgspec.MsgspecError, WireError, RowError, RecursionError, OverflowError, UnicodeDecodeError)
_UNSENDABLE = (TypeError, OverflowError, RecursionError, UnicodeEncodeError)  # the last for half a surrogate pair, as in file names
_MALFORMED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class RowCodec:
    """Encodes and decodes rows of one collection.

    Columns of one builtin type are decoded and validated by msgspec in one go. Columns of any type, tuples and frozensets
    hold values of the closed set (`values.py`). Columns of other types (enums, frozen attrs and data classes, datetime,
    Decimal, UUID) are converted by msgspec, and only to the type that the schema names.

    Args:
        name: of the collection.
        schema: its columns.

    Raises:
        UsageError: for a column whose type cannot be sent.
    """

    def __init__(self, name: str, schema: Schema) -> None:
        self.name, self.schema = name, schema
        self._types = [_wire_type(name, column) for column in schema.columns]
        self._open = tuple(i for i, wanted in enumerate(self._types) if wanted is Any)
        # What msgspec has validated needs no second check: all that it does not see is NaN in keys and unhashable values.
        self._validated = all(
            _is_exact(column.type) and not (column.key and float in _members(column.type)) for column in schema.columns
        )
        self._typed: Decoder[Any] = Decoder(list[tuple[tuple(self._types)]])  # type: ignore[misc]
        self._untyped: Decoder[Any] = Decoder()

    # -- out

    def encode(self, rows: Sequence[PlainRow]) -> bytes:
        """Rows as one MessagePack array.

        Raises:
            WireError: for a value that cannot be sent.
        """
        try:
            return ENCODER.encode(self._packed(rows) if self._open else rows)
        except _UNSENDABLE:
            return self._encode_slowly(rows)

    def _packed(self, rows: Sequence[PlainRow]) -> list[PlainRow]:
        packed = []
        for row in rows:
            for i in self._open:
                if type(row[i]) not in SCALARS:
                    row = (*row[:i], pack(row[i]), *row[i + 1 :])
            packed.append(row)
        return packed

    def _encode_slowly(self, rows: Sequence[PlainRow]) -> bytes:
        """With what msgspec leaves to us: integers of more than 64 bits, frozensets whose members cannot be sorted."""
        try:
            return ENCODER.encode([list(map(_pack_typed, row, self._types)) for row in rows])
        except _UNSENDABLE as error:
            raise WireError(f"{self.name}: {error}", hint=f"its columns are {self.schema}") from None

    # -- in

    def decode(self, data: bytes | msgspec.Raw, refuse: Refuse) -> list[PlainRow]:
        """The rows that fit the schema; each that does not is refused, and all where the data is malformed."""
        try:
            rows = self._typed.decode(data)
        except _MALFORMED:
            return self._decode_slowly(data, refuse)
        if self._validated:
            return typing.cast("list[PlainRow]", rows)
        fitting = []
        for row in rows:
            try:
                fitting.append(self._checked(row))
            except _FAULTS as error:
                refuse(error)
        return fitting

    def _checked(self, row: PlainRow) -> PlainRow:
        for i in self._open:
            if type(row[i]) not in SCALARS:
                row = (*row[:i], unpack(row[i]), *row[i + 1 :])
        return self.schema.check(self.name, row)

    def _decode_slowly(self, data: bytes | msgspec.Raw, refuse: Refuse) -> list[PlainRow]:
        """Row by row: one that does not fit must not take the others with it, and large integers come here."""
        try:
            rows = self._untyped.decode(data)
        except _MALFORMED as error:
            refuse(WireError(f"{self.name}: malformed: {error}"))
            return []
        if type(rows) is not list:
            refuse(WireError(f"{self.name}: no array of rows"))
            return []
        fitting = []
        for row in rows:
            try:
                fitting.append(self.schema.check(self.name, self._converted(row)))
            except _FAULTS as error:
                refuse(error)
        return fitting

    def _converted(self, row: Any) -> PlainRow:
        if type(row) is not list or len(row) != len(self._types):
            raise WireError(f"{self.name}: no row of {len(self._types)} columns: {row!r:.200}", hint=f"its columns are {self.schema}")
        values = zip(row, self._types, strict=True)
        return tuple([unpack(value) if wanted is Any else _convert(value, wanted) for value, wanted in values])


def _pack_typed(value: Any, wanted: Any) -> Any:
    return pack(value) if wanted is Any or type(value) is int else ordered(value)


def _convert(value: Any, wanted: Any) -> Any:
    # Strict: a str is no int. An enum, a date or a UUID stands in MessagePack as a str or int, which convert takes.
    return msgspec.convert(unpack(value) if isinstance(value, msgspec.msgpack.Ext) else value, wanted)


# --- types ------------------------------------------------------------------------------------------------------


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (type(None) if annotation is None else annotation,)


def _is_exact(annotation: Any) -> bool:
    """Whether it is one builtin scalar type, None perhaps allowed besides."""
    members = [member for member in _members(annotation) if member is not type(None)]
    return len(members) <= 1 and all(member in SCALARS for member in members)


def _is_closed(annotation: Any) -> bool:
    """Whether all its values belong to the closed set, or may."""
    if annotation is Any or annotation is object or is_lattice(annotation):
        return True
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return all(type(value) in SCALARS for value in typing.get_args(annotation))
    if origin in (tuple, frozenset):
        return all(argument is Ellipsis or _is_closed(argument) for argument in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return all(_is_closed(argument) for argument in typing.get_args(annotation))
    return annotation is None or annotation in (tuple, frozenset) or annotation in SCALARS


def _wire_type(name: str, column: Column) -> Any:
    """The type that msgspec decodes the column to; Any for values of the closed set, unpacked by ourselves."""
    annotation = column.type
    if is_lattice(annotation) and annotation.values is not None:
        annotation = annotation.values
    if _is_exact(annotation):
        return annotation
    if _is_closed(annotation):
        return Any
    try:
        fault = _fault(inspect.type_info(annotation))
    except (TypeError, NameError) as error:
        fault = str(error)
    if fault:
        raise UsageError(
            f"column {column.name!r} of {name!r} has type {column.text}, whose values cannot be sent or stored: {fault}",
            hint="use builtins, tuples, frozensets, enums, frozen attrs or data classes, datetime, Decimal or UUID",
        )
    return annotation


def _fault(info: inspect.Type) -> str:
    """Why values of a type would not come back as they were; "" where they do."""
    match info:
        case inspect.AnyType():
            return "a part of it may be anything"
        case inspect.CustomType() | inspect.ExtType() | inspect.RawType():
            return f"{info.cls.__qualname__} is not known" if isinstance(info, inspect.CustomType) else "it is not known"
        case inspect.ListType() | inspect.SetType() | inspect.DictType() | inspect.ByteArrayType() | inspect.TypedDictType():
            return "a part of it can be changed in place, so it cannot be hashed"
        case inspect.UnionType():
            return next(filter(None, map(_fault, info.types)), "")
        case inspect.TupleType():
            return next(filter(None, map(_fault, info.item_types)), "")
        case inspect.VarTupleType() | inspect.FrozenSetType():
            return _fault(info.item_type)
        case inspect.DataclassType() | inspect.StructType() | inspect.NamedTupleType():
            if info.cls.__hash__ is None:
                return f"{info.cls.__qualname__} cannot be hashed: make it frozen"
            return next(filter(None, (_fault(part.type) for part in info.fields)), "")
    return ""
