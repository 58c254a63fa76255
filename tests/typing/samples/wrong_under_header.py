"""Under the full header mypy still checks heads of `<=`, and both check fields, names, and everything outside rules."""
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false

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
        self.path <= ((l.src, l.dst, l.dst) for l in self.link)  # error in mypy: type of a column
        self.path <= ((l.src, l.dst) for l in self.link)  # error in mypy: too few
        self.link <+ ((p.src, p.dst, p.coast) for p in self.path)  # error: no such field
        self.link <- ((p.src, p.dst) for p in self.paht)  # error: no such collection


def outside() -> None:
    program = Routes()
    program.link.insert(("a", "b", 1), Link("a", "c", 2))
    program.link.insert(("a", "b", "c"))  # error: type of a column
    program.link.insert(("a", "b"))  # error: too few
    program.link.upsert(Link("a", "b"))  # error: typed row too short
    program.path.delete(("a", "b"))  # error: a scratch has no delete
    for row in program.link:
        print(row.coast)  # error: no such field
    name: str = program.link["a", "b"].cost  # error: type of a field
    print(name)
