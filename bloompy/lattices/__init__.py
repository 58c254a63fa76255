"""Lattices (Bloom^L): values that only grow, and functions that keep growth.

From "Logic and Lattices for Distributed Programming" (Conway, Marczak, Alvaro, Hellerstein, Maier; SoCC 2012). Programs name
this module as `lattice`:

    from bloompy import Bloom, lattice, scratch

    class Election(Bloom):
        votes = lattice.lset()                                     # a collection: one value that only grows
        best = scratch("src, dst -> cost: lmin")                   # a type: rows of one key merge

A lattice is a class that says how two values merge; it is never the values' own class: those are plain immutable Python
values, or a `Map` or `Bag`. Merging is associative, commutative and idempotent (`bloompy.testing.laws` checks that), so that
neither order nor repetition of what arrives matters. An instance of the class, in the body of a program, declares a collection.
"""

from bloompy.lattices.base import Lattice, is_lattice
from bloompy.lattices.growth import Growth, growth_of, monotone, morphism
from bloompy.lattices.kinds import METHODS, NAMES, ByType, lbag, lbool, lmap, lmax, lmin, lpset, lset
from bloompy.lattices.values import GREATEST, LEAST, Bag, Map

__all__ = [
    "GREATEST",
    "LEAST",
    "METHODS",
    "NAMES",
    "Bag",
    "ByType",
    "Growth",
    "Lattice",
    "Map",
    "growth_of",
    "is_lattice",
    "lbag",
    "lbool",
    "lmap",
    "lmax",
    "lmin",
    "lpset",
    "lset",
    "monotone",
    "morphism",
]
