"""What `<+ <- <+-` will do to a table when the next tick begins (design §3.3), and how staged changes meet it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from attrs import define, field

from bloompy.engine.tick import Change, PlainRow, Waiting
from bloompy.errors import KeyConflict
from bloompy.ir.nodes import Rule
from bloompy.schema import Key, Schema

RightSide: TypeAlias = tuple[Rule, Iterable[PlainRow]]


@define
class Place:
    """A row to be there: from which rule, and whether it replaces the row of its key."""

    row: PlainRow
    rule: Rule
    upsert: bool


@define
class Pending:
    """The changes of one table or scratch that rules have asked for.

    Attributes:
        places: rows to be there, by key.
        deletes: keys to be free; with the rows deleted whole, or None for whatever the key holds.
        settled: applied already, and nothing has changed since that applying it again could change.
        moved: of a table as it was when `resolve` was called, what applying it changes: the row of each key, or None where it goes.
        shown: makes of a plain row what an error shows.
        growing: of a target whose rows of one key merge (lattices), its schema: then nothing conflicts.
    """

    places: dict[Key, Place] = field(factory=dict)
    deletes: dict[Key, list[PlainRow] | None] = field(factory=dict)
    settled: bool = False
    shown: Callable[[PlainRow], PlainRow] = tuple
    growing: Schema | None = None
    moved: dict[Key, PlainRow | None] = field(factory=dict)

    @classmethod
    def of(cls, name: str, schema: Schema, right_sides: Iterable[RightSide]) -> Pending:
        """Gather the right sides of all rules for one target.

        Raises:
            KeyConflict: for different rows of one key from `<+` and `<+-`.
        """
        pending = cls(shown=schema.row.make, growing=schema if schema.lattices else None)
        key_of = schema.key_of
        for rule, rows in right_sides:
            if schema.lattices and rule.operator != "<-":
                pending._merge(name, schema, rule, rows)
                continue
            if rule.operator == "<-":
                for row in rows:
                    pending._delete(row, rule, key_of)
            else:
                pending._place(name, key_of, rows, rule)
        return pending

    def _delete(self, row: PlainRow, rule: Rule, key_of: Callable[[PlainRow], Key]) -> None:
        if rule.by_key:
            self.deletes[row[0] if len(row) == 1 else row] = None
        else:
            whole = self.deletes.setdefault(key_of(row), [])
            if whole is not None:
                whole.append(row)

    def _place(self, name: str, key_of: Callable[[PlainRow], Key], rows: Iterable[PlainRow], rule: Rule) -> None:
        places, upsert = self.places, rule.operator == "<+-"
        for row in rows:
            key = key_of(row)
            known = places.get(key)
            if known is None:
                places[key] = Place(row, rule, upsert)
            elif known.row != row:
                raise self._conflict(name, (known.row, row), (known.rule.place, rule.place))
            elif upsert:
                known.upsert = True

    def _merge(self, name: str, schema: Schema, rule: Rule, rows: Iterable[PlainRow]) -> None:
        """Place rows of one rule whose keys merge."""
        groups: dict[Key, list[PlainRow]] = {}
        for row in rows:
            groups.setdefault(schema.key_of(row), []).append(row)
        for key, group in groups.items():
            known = self.places.get(key)
            merged = schema.merged_all(name, group if known is None else [known.row, *group])
            self.places[key] = Place(merged, rule, rule.operator == "<+-" or known is not None and known.upsert)

    def __bool__(self) -> bool:
        return bool(self.places or self.deletes)

    def affected(self) -> Iterator[Key]:
        """Every key that is placed or deleted."""
        yield from self.places
        for key in self.deletes:
            if key not in self.places:
                yield key

    def unsettled(self) -> Pending:
        """The same changes, to be resolved anew."""
        return Pending(self.places, self.deletes, shown=self.shown, growing=self.growing)

    def resolve(self, rows: Mapping[Key, PlainRow], name: str) -> None:
        """Work out what applying it to a table will change; the table stays as it is until then.

        Raises:
            KeyConflict: for rows that would stay beside different ones of their keys.
        """
        moved: dict[Key, PlainRow | None] = {}
        if self.deletes or self.growing is not None:
            for key in self.affected():
                held = rows.get(key)
                row = self.after(key, held, None, name)
                if row is not held and row != held:
                    moved[key] = row
        else:
            for key, place in self.places.items():
                held = rows.get(key)
                if held is None:
                    moved[key] = place.row
                elif held != place.row:
                    if not place.upsert:
                        raise self._conflict(name, (held, place.row), ("already there", place.rule.place))
                    moved[key] = place.row
        self.moved = moved

    def after(self, key: Key, held: PlainRow | None, change: Change | None, name: str) -> PlainRow | None:
        """What a key holds when staged operations and pending changes have been applied.

        A delete, staged or pending, loses to an insert or upsert, staged or pending.

        Raises:
            KeyConflict: for different rows of one key.
        """
        if held is not None and key in self.deletes:
            whole = self.deletes[key]
            if whole is None or held in whole:
                held = None
        if self.growing is not None:
            return self._merged(self.growing, key, held, change, name)
        placed = False
        if change is not None:
            held, placed = change.fold(held, lambda old, new: self._conflict(name, (old, new), ("already there", "inserted")))
        place = self.places.get(key)
        if place is None:
            return held
        if held is not None and held != place.row and (placed or not place.upsert):
            raise self._conflict(name, (held, place.row), ("inserted" if placed else "already there", place.rule.place))
        return held if held == place.row else place.row

    def _merged(self, schema: Schema, key: Key, held: PlainRow | None, change: Change | None, name: str) -> PlainRow | None:
        """As `after`, where rows merge: an upsert replaces what is there, and merges with what is put in as well."""
        place = self.places.get(key)
        if place is not None and place.upsert:
            held = None
        if change is not None:
            held = change.merge(held, lambda rows: schema.merged_all(name, rows))
        if place is None:
            return held
        return place.row if held is None else schema.merged(name, held, place.row)

    def _conflict(self, name: str, rows: tuple[PlainRow, PlainRow], origins: tuple[str, str]) -> KeyConflict:
        return KeyConflict(name, [self.shown(row) for row in rows], origins)

    def waiting(self, rows: dict[Key, PlainRow], name: str) -> dict[Key, Waiting]:
        """All of it by key, for a target that holds some rows."""
        found = {}
        for key in self.affected():
            place, held = self.places.get(key), rows.get(key)
            deleted = self.deletes.get(key, [])
            gone = None if deleted is None else tuple(deleted)
            row, upsert = (None, False) if place is None else (place.row, place.upsert)
            found[key] = Waiting(row, upsert, gone, held, self.after(key, held, None, name))
        return found


NOTHING = Pending()
"""No pending change."""
