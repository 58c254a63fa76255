"""Values as small integers, shared by all relations of an instance.

Two values get one code only if they are the same to every reader: equal, of one type, and so are their parts. `1`, `1.0` and
`True` have codes of their own; that they equal each other is noticed where they would meet (`distinct`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bloompy.engine.columnar.refusal import Refused

Array: TypeAlias = npt.NDArray[Any]

_PLAIN = frozenset({int, str, bytes, bool, type(None)})
"""Types whose equal values are the same to every reader."""
_APART = frozenset({str, bytes, type(None), tuple})
"""Types whose values equal those of no other of them, nor a number."""
_NUMBERS = frozenset({int, float, bool})


class _Coder(dict[Any, int]):
    """The codes of the values of one type: a value that is looked up and not there gets the next one."""

    def __init__(self, values: list[Any]) -> None:
        self.values_ = values

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self.values_)
        self.values_.append(value)
        return code


class Codes:
    """The codes of an instance. A code is never given to another value."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._coders: dict[type, _Coder] = {}
        self._objects = np.empty(0, object)

    def __len__(self) -> int:
        return len(self.values)

    def encode(self, values: Sequence[Any]) -> Array:
        """The codes of some values, int64. O(values).

        Raises:
            Refused: for a NaN, or a value that equals one of another look (0.0 and -0.0, (1,) and (1.0,)).
        """
        types = set(map(type, values))
        if len(types) == 1:
            [only] = types
            codes = np.fromiter(map(self._coder(only).__getitem__, values), np.int64, len(values))
        else:
            coders = {one: self._coder(one) for one in types}
            codes = np.fromiter((coders[type(value)][value] for value in values), np.int64, len(values))
        if not types <= _PLAIN:
            known = self.values
            for value, code in zip(values, codes.tolist(), strict=True):
                if known[code] is not value and not _same(known[code], value):
                    raise Refused(f"equal values that differ, {known[code]!r} and {value!r}")
                if value != value:
                    raise Refused("NaN")
        return codes

    def decode(self, codes: Array) -> Array:
        """The values of some codes, as an array of objects."""
        if len(self._objects) < len(self.values):
            self._objects = np.fromiter(self.values, object, len(self.values))
        found: Array = self._objects[codes]
        return found

    def truths(self) -> Array:
        """For each code, whether its value counts as true.

        Raises:
            Refused: for values whose class may have its own idea of truth.
        """
        if not {type(value) for value in self.values} <= _PLAIN | {float, tuple}:
            raise Refused("the truth of a value of a class")
        return np.fromiter(map(bool, self.values), bool, len(self.values))

    def check_distinct(self, codes: Array) -> None:
        """Make sure that among some distinct codes no two are of values that equal each other.

        Raises:
            Refused: where two do, as 1 and 1.0.
        """
        values = [self.values[code] for code in codes.tolist()]
        types = set(map(type, values))
        doubtful = types - _APART
        if len(types) > 1 and doubtful and not (len(doubtful) == 1 and doubtful <= _NUMBERS) and len(set(values)) < len(values):
            raise Refused("equal values of different types")

    def _coder(self, of: type) -> _Coder:
        coder = self._coders.get(of)
        if coder is None:
            coder = self._coders[of] = _Coder(self.values)
        return coder


def _same(one: Any, other: Any) -> bool:
    """Whether two equal values are the same to every reader."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return all(map(_same, one, other))
    if type(one) is float:
        return math.copysign(1.0, one) == math.copysign(1.0, other)
    return one is other or type(one) in _PLAIN


def whole_numbers(values: Sequence[Any]) -> Array | None:
    """Values as int64 if each is an int (no bool) that fits in 62 bits, else None."""
    if set(map(type, values)) != {int}:
        return None
    try:
        numbers = np.fromiter(values, np.int64, len(values))
    except OverflowError:
        return None
    if len(numbers) and (int(numbers.max()) > LARGEST or int(numbers.min()) < -LARGEST):
        return None
    return numbers


LARGEST = 2**62
"""No number calculated with is larger, so that a sum of two cannot leave int64."""
