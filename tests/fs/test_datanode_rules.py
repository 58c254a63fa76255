"""What a DataNode says, and what it need not say again, tick by tick."""

from __future__ import annotations

from typing import Any

from bloompy_fs.datanode import DataNode


class SteppedDataNode:
    """A DataNode, and what it has sent since `sent` was last asked."""

    def __init__(self, **options: Any) -> None:
        self.program = DataNode("me:1", namenodes=(("nn",),), node="d0", incarnation=7, data="me:2", host="h", heartbeat_s=3.0, **options)
        self.now, self.acks = 100.0, 0
        self.numbers: dict[tuple[int, int, str], int] = {}  # of the last report that said so of the chunk
        self.tick()

    def tick(self, seconds: float = 0.0) -> dict[str, list[tuple[Any, ...]]]:
        self.now += seconds
        sent = self.program.tick(self.now).sent
        self.numbers |= {(row[4], row[7], row[8]): row[3] for row in sent.get("report", ())}
        return {name: list(rows) for name, rows in sent.items() if rows}

    def beat(self) -> dict[int, tuple[int, str]]:
        """The reports of the next heartbeat: length and state by chunk."""
        sent = self.tick(3.0)
        assert len(sent["heartbeat"]) == 1
        return self.reported(sent)

    @staticmethod
    def reported(sent: dict[str, list[tuple[Any, ...]]]) -> dict[int, tuple[int, str]]:
        return {row[4]: (row[7], row[8]) for row in sent.get("report", ())}

    def register(self, registration: str) -> dict[int, tuple[int, str]]:
        """The NameNode answers a heartbeat; returns what is reported at once."""
        self.acks += 1
        self.program.heartbeat_ack.insert(("me:1", "nn", "d0", 7, self.acks, registration, "cluster", (1, "nn")))
        self.tick()
        return self.reported(self.tick())

    def acknowledge(self, registration: str, chunk: int, length: int, state: str = "ok") -> None:
        no = self.numbers[chunk, length, state]
        self.program.report_ack.insert(("me:1", "nn", "d0", chunk, no, registration, length, state))
        self.tick()


def test_nothing_is_reported_before_it_is_registered() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    assert node.beat() == {}


def test_each_report_is_repeated_until_it_is_acknowledged() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"), (2, 20, "ok"))
    assert node.register("1.5") == {1: (10, "ok"), 2: (20, "ok")}
    assert node.beat() == {1: (10, "ok"), 2: (20, "ok")}
    node.acknowledge("1.5", 1, 10)
    assert node.beat() == {2: (20, "ok")}
    node.acknowledge("1.5", 2, 20)
    assert node.beat() == {}


def test_changes_are_reported_and_an_old_acknowledgement_does_not_count() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    node.register("1.5")
    node.acknowledge("1.5", 1, 10)
    node.program.local.upsert((1, 10, "corrupt"))
    assert node.beat() == {1: (10, "corrupt")}
    node.acknowledge("1.5", 1, 10, "ok")
    assert node.beat() == {1: (10, "corrupt")}
    node.acknowledge("1.5", 1, 10, "corrupt")
    node.program.local.delete(1)
    assert node.beat() == {1: (0, "gone")}
    node.acknowledge("1.5", 1, 0, "gone")
    assert node.beat() == {}
    assert not len(node.program.acked)


def test_another_registration_has_everything_reported_at_once() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    node.register("1.5")
    node.acknowledge("1.5", 1, 10)
    assert node.register("2.3") == {1: (10, "ok")}
    node.acknowledge("1.5", 1, 10)  # a late one
    assert node.beat() == {1: (10, "ok")}


def test_a_nudge_has_it_say_at_once_what_changed() -> None:
    node = SteppedDataNode()
    node.register("1.5")
    node.program.local.insert((3, 30, "ok"))
    node.program.nudge.insert(("stored",))
    assert node.reported(node.tick()) == {3: (30, "ok")}


def test_large_reports_come_in_parts() -> None:
    node = SteppedDataNode(report_rows=2)
    node.program.local.insert(*((i, 10, "ok") for i in range(5)))
    said: dict[int, tuple[int, str]] = {}
    part = node.register("1.5")
    while part:
        assert len(part) <= 2
        said |= part
        for chunk, (length, state) in part.items():
            no = node.numbers[chunk, length, state]
            node.program.report_ack.insert(("me:1", "nn", "d0", chunk, no, "1.5", length, state))
        node.tick()
        part = node.reported(node.tick())  # at once, not with the next heartbeat
    assert sorted(said) == [0, 1, 2, 3, 4]


def test_acknowledgements_out_of_order_do_no_harm() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    node.program.heartbeat_ack.insert(("me:1", "nn", "d0", 7, 8, "2.1", "cluster", ()), ("me:1", "nn", "d0", 7, 3, "1.5", "cluster", ()))
    node.tick()
    node.tick()
    assert [tuple(row)[:3] for row in node.program.member] == [("nn", "2.1", 8)]
    node.program.heartbeat_ack.insert(("me:1", "nn", "d0", 7, 4, "1.5", "cluster", ()), ("me:1", "nn", "d0", 6, 99, "1.4", "cluster", ()))
    node.tick()
    node.tick()
    assert [tuple(row)[:3] for row in node.program.member] == [("nn", "2.1", 8)]
    no = node.numbers[1, 10, "ok"]
    for number, state in ((no, "ok"), (no - 1, "corrupt")):
        node.program.report_ack.insert(("me:1", "nn", "d0", 1, number, "2.1", 10, state))
    node.tick()
    node.tick()
    assert [tuple(row) for row in node.program.acked] == [("nn", 1, "2.1", 10, "ok")]


def test_an_acknowledgement_from_before_something_else_was_said_does_not_count() -> None:
    """The NameNode may have heard the other thing after it, and not what is so now."""
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    node.register("1.5")
    first = node.numbers[1, 10, "ok"]
    node.program.local.upsert((1, 10, "corrupt"))
    assert node.beat() == {1: (10, "corrupt")}
    node.program.local.upsert((1, 10, "ok"))
    assert node.beat() == {1: (10, "ok")}
    node.program.report_ack.insert(("me:1", "nn", "d0", 1, first, "1.5", 10, "ok"))
    node.tick()
    assert node.beat() == {1: (10, "ok")}
    node.acknowledge("1.5", 1, 10)
    assert node.beat() == {}
    assert not len(node.program.said)


def test_what_was_acknowledged_is_said_again_when_something_else_was_said_since() -> None:
    node = SteppedDataNode()
    node.program.local.insert((1, 10, "ok"))
    node.register("1.5")
    node.acknowledge("1.5", 1, 10)
    node.program.local.delete(1)
    assert node.beat() == {1: (0, "gone")}  # its acknowledgement is lost
    node.program.local.insert((1, 10, "ok"))
    assert node.beat() == {1: (10, "ok")}
    node.acknowledge("1.5", 1, 10)
    assert node.beat() == {}


def test_a_chunk_that_is_gone_is_said_to_be_though_it_was_never_reported() -> None:
    node = SteppedDataNode()
    node.register("1.5")
    node.program.vanished.insert((4,))
    assert node.beat() == {4: (0, "gone")}
    assert node.beat() == {4: (0, "gone")}
    node.acknowledge("1.5", 4, 0, "gone")
    assert node.beat() == {}
    node.program.vanished.insert((5,))
    node.program.local.insert((5, 10, "ok"))  # it has come again
    assert node.beat() == {5: (10, "ok")}
    node.tick()
    assert not len(node.program.gone)


# -- several NameNodes


class Several(SteppedDataNode):
    """A DataNode with a NameNode of three replicas "n0" to "n2", and another one, "x"."""

    def __init__(self, **options: Any) -> None:
        self.groups = (("n0", "n1", "n2"), ("x",))
        self.program = DataNode("me:1", namenodes=self.groups, node="d0", incarnation=7, data="me:2", host="h", heartbeat_s=3.0, **options)
        self.now, self.acks = 100.0, 0
        self.numbers = {}
        self.tick()

    def greet(self, nn: str, ballot: tuple[Any, ...] = (), incarnation: int = 7, registration: str = "1.5") -> None:
        self.acks += 1
        self.program.heartbeat_ack.insert(("me:1", nn, "d0", incarnation, self.acks, registration, "cluster", ballot))
        self.tick()
        self.tick()

    def told(self) -> dict[str, set[int]]:
        """The chunks reported with the next heartbeat, by NameNode."""
        found: dict[str, set[int]] = {}
        for row in self.tick(3.0).get("report", ()):
            found.setdefault(row[0], set()).add(row[4])
        return found

    def order(self, nn: str, ballot: tuple[Any, ...], chunk: int = 1) -> bool:
        """Whether an order of a NameNode is obeyed."""
        self.program.command.insert(("me:1", nn, "delete", chunk, "", ballot))
        obeyed = bool(self.program.tick(self.now).inserted.get("order"))
        self.tick()
        return obeyed

    def ballots(self) -> dict[str, tuple[Any, ...]]:
        """What the next heartbeats say of the ballots that this DataNode has settled under, by NameNode."""
        self.tick(3.0)
        return {row[0]: row[10] for row in self.tick(3.0)["heartbeat"]}


def test_each_namenode_is_told_until_it_has_acknowledged() -> None:
    node = Several()
    node.program.local.insert((1, 10, "ok"))
    node.greet("n0")
    node.greet("n1", registration="8.8")
    assert node.told() == {"n0": {1}, "n1": {1}}
    node.program.report_ack.insert(("me:1", "n0", "d0", 1, node.numbers[1, 10, "ok"], "1.5", 10, "ok"))
    node.tick()
    assert node.told() == {"n1": {1}}


def test_a_namenode_that_is_silent_for_long_is_forgotten_and_meets_another_incarnation() -> None:
    node = Several(forget_s=10.0)
    node.program.local.insert((1, 10, "ok"), (2, 10, "ok"))
    node.greet("n0")
    node.greet("n1")
    node.program.local.delete(2)
    node.program.vanished.insert((2,), (3,))
    node.tick()
    for _ in range(4):
        node.tick(3.0)
        node.greet("n0")
    assert {row.nn for row in node.program.member} == {"n0"}
    for name in ("said", "gone", "acked", "settled"):
        assert {row.nn for row in getattr(node.program, name)} <= {"n0"}, name
    beats = {row[0]: row[2] for row in node.tick(3.0)["heartbeat"]}
    assert beats == {"n0": 7, "n1": 8, "n2": 7, "x": 7}
    node.greet("n1")  # a late one, for the incarnation that it has forgotten
    assert "n1" not in node.program.member
    node.greet("n1", incarnation=8, registration="1.9")
    assert node.told()["n1"] == {1}


def test_orders_of_a_group_count_by_the_greatest_ballot_heard() -> None:
    node = Several()
    for nn in ("n0", "n1", "x"):
        node.greet(nn)
    assert node.order("n0", (1, "n0"))
    node.greet("n1", (2, "n1"))
    assert not node.order("n0", (1, "n0"), chunk=2)
    assert node.order("n1", (2, "n1"), chunk=2)
    assert node.order("x", (1, "x"), chunk=3)
    assert not node.order("n2", (9, "n2"), chunk=4)  # it has not registered here


def test_an_order_that_is_being_carried_out_is_not_begun_again() -> None:
    node = Several()
    node.greet("n0")
    assert node.order("n0", (1, "n0"))
    assert not node.order("n0", (1, "n0"))
    node.program.done.insert(("delete", 1, ""))
    node.tick()
    node.tick()
    assert node.order("n0", (1, "n0"))


def test_it_has_settled_when_all_that_was_deleted_before_has_been_told() -> None:
    node = Several()
    node.program.local.insert((1, 10, "ok"))
    node.greet("n0", (1, "n0"))
    node.tick(3.0)
    node.program.report_ack.insert(("me:1", "n0", "d0", 1, node.numbers[1, 10, "ok"], "1.5", 10, "ok"))
    node.tick()
    assert node.ballots()["n0"] == (1, "n0")
    node.order("n0", (1, "n0"))
    node.greet("n0", (4, "n0"))
    assert node.ballots()["n0"] == (1, "n0")  # the deletion goes on
    node.program.local.delete(1)
    node.program.vanished.insert((1,))
    node.program.done.insert(("delete", 1, ""))
    node.tick()
    assert node.ballots()["n0"] == (1, "n0")  # it has not been told
    node.program.report_ack.insert(("me:1", "n0", "d0", 1, node.numbers[1, 0, "gone"], "1.5", 0, "gone"))
    node.tick()
    assert node.ballots()["n0"] == (4, "n0")
    assert node.ballots()["x"] == ()
