"""What a campaign does in each run: customers write, read and retry under all faults, members come and go, and then all heals."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from bloompy.sim import Faults, Simulation
from bloompy.testing.histories import Recorder, linearizable, models
from tests.paxos.groups import ABC, Customer, Store, applied, eventually, group, leaders, one
from tests.paxos.judge import Judge

UNTIL_S = 2.5
"""Faults end."""
CUSTOMERS = ("x", "y", "z")
KEYS = ("k", "l")
FAULTS = Faults.mix(
    drop=0.08, duplicate=0.08, delay=0.2, partitions=2, crashes=3, power_loss=0.5, down_s=(0, 1.5), pauses=1, pause_s=(0.01, 1.5),
    skew_s=0.5, drift=0.005, disk_errors=1, corrupt=0.01, until_s=UNTIL_S, spare=frozenset({*CUSTOMERS, "admin"}),
)  # fmt: skip

STEADY_CLOCKS = evolve(FAULTS, skew_s=0.0, drift=0.01)
"""What leases assume."""


@frozen
class Scenario:
    """A run. Call it with a simulation.

    Attributes:
        program: of the replicas.
        operations: of all customers together.
        most_members: groups have 3 members, or sometimes so many.
        changes: how many members are added and removed, in some of the runs.
        power_failure: whether all nodes lose power at once at some moment.
        lease_s: of the replicas; clocks must not be set then.
    """

    program: Any = Store
    operations: int = 12
    most_members: int = 5
    changes: int = 3
    power_failure: bool = True
    lease_s: float = 0.0

    def __call__(self, sim: Simulation) -> None:
        _Run(self, sim).run()


class _Run:
    def __init__(self, scenario: Scenario, sim: Simulation) -> None:
        self.scenario, self.sim = scenario, sim
        self.judge = Judge(sim)
        members = tuple("abcde"[: scenario.most_members]) if sim.chance(0.25) else ABC
        window, keep = sim.choose(((2, 3), (3, 8), (8, 3), (8, 1_000)))
        self.settings = {
            "window": window, "keep": keep, "batch_commands": 2, "pulse_s": 0.2, "election_s": 0.6, "lease_s": scenario.lease_s,
        }  # fmt: skip
        self.nodes = group(sim, members, scenario.program, **self.settings)
        self.recorder = Recorder(lambda: sim.now)
        self.acknowledged: set[tuple[str, int]] = set()
        self.customers = [Customer(sim, name, members) for name in CUSTOMERS]
        self.busy = len(self.customers)

    def run(self) -> None:
        sim = self.sim
        todo = sim.operations(self.scenario.operations, self._draw)
        for customer in self.customers:
            sim.spawn(self._work, customer, todo)
        if self.scenario.changes and sim.chance(0.5):
            self.busy += 1
            sim.spawn(self._change_members)
        if self.scenario.power_failure and sim.chance(0.2):
            sim.at(sim.integer(0, 25) / 10, self._power_failure)
        sim.run(until=UNTIL_S)
        sim.calm()
        eventually(sim, lambda: not self.busy, 30, "all requests are answered when all faults have ended")
        self._heal()
        self.judge.check_once()
        self.judge.check_kept(self.acknowledged)
        linearizable(self.recorder.history(), models.key_value()).require()

    def _draw(self, number: int) -> tuple[str, str, Any]:
        kind = self.sim.choose(("put", "put", "get", "get", "delete"))
        return kind, self.sim.choose(KEYS), number

    async def _work(self, customer: Customer, todo: Any) -> None:
        for function, key, number in todo:
            await self.sim.sleep(self.sim.integer(0, 100) / 200)
            argument = (key, number) if function == "put" else key
            command = (function, key, number) if function == "put" else (function, key)
            with self.recorder.operation(customer.name, function, argument) as operation:
                reply = await customer.ask("read" if function == "get" else "write", command)
                assert reply.code == "", reply
                operation.ok(reply.result if function == "get" else None)
                if function != "get":
                    self.acknowledged.add((customer.name, reply.number))
        self.busy -= 1

    async def _change_members(self) -> None:
        sim, admin = self.sim, Customer(self.sim, "admin", [node.address for node in self.nodes])
        members = [node.address for node in self.nodes]
        spares = ["f", "g"]
        for _ in range(sim.integer(1, self.scenario.changes)):
            await sim.sleep(sim.integer(0, 10) / 20)
            if spares and (len(members) < 4 or sim.chance(0.5)):
                name = spares.pop()
                self.nodes.append(sim.add(self.scenario.program, name, members=(), **self.settings))
                change = ("add-member", name)
                members.append(name)
            else:
                name = sim.choose(members)
                members.remove(name)
                change = ("remove-member", name)
            reply = await admin.ask("member", change)
            assert reply.code == "", reply
            for customer in [admin, *self.customers]:
                customer.replicas = list(members)
            sim.sometimes("the members changed")
        self.busy -= 1

    def _power_failure(self) -> None:
        for node in self.nodes:
            if node.up:
                node.power_loss(down_s=self.sim.integer(0, 10) / 20)

    def _heal(self) -> None:
        """All that are members have the same state in the end."""
        sim, judge = self.sim, self.judge

        def together() -> bool:
            [head] = leaders(self.nodes) or [None]
            if head is None:
                return False
            members = set(one(head.program.log.config).coming)
            there = [node for node in self.nodes if node.address in members]
            return len({applied(node) for node in there}) == 1 and applied(head) == max(judge.applied.values())

        eventually(sim, lambda: len(leaders(self.nodes)) == 1 and together(), 10, "the members have all that is decided")
