"""Heads that do not fit: with no switch for `<=`, mypy --strict and pyright both flag each marked line and no other."""
# pyright: reportUnusedExpression=false

from bloompy import Bloom, Row, key, rule, scratch, table


class Link(Row):
    src: str = key()
    dst: str = key()
    cost: int


class Routes(Bloom):
    link = table(Link)
    path = scratch(Link)

    @rule
    def paths(self) -> None:
        self.path <= ((l.src, l.dst, l.cost) for l in self.link)
        self.path <= ((l.src, l.dst, l.dst) for l in self.link)  # error: type of a column
        self.path <= ((l.src, l.dst) for l in self.link)  # error: too few
        self.path <= ((l.src, l.dst, l.cost, 1) for l in self.link)  # error: too many
        self.path <= [(l.src, l.dst, l.dst) for l in self.link]  # error: type, in a list
        self.path <= ((l.src, l.dst, l.coast) for l in self.link)  # error: no such field
        self.path <= (l for l in self.lnik)  # error: no such collection
        self.path <= ("a", "b")  # error: literal row too short
        self.path <= (l.cost for l in self.link)  # error: no row
        self.path <= (Link(l.src, l.dst, l.dst) for l in self.link)  # error: typed row
