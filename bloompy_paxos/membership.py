# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Safety: change of members by decree (Lamport, "Paxos Made Simple", 2001, section 3: the members of slot i + window are part of the
state after slot i; Lamport, Malkhi, Zhou, "Reconfiguring a state machine", 2010, section 3).

One change at a time, of one member. A new member gets everything first, and counts only from the slot at which the change begins.
"""

from bloompy import agg, interface, invariant, rule, scratch
from bloompy_paxos.batches import packed
from bloompy_paxos.catchup import CatchUp
from bloompy_paxos.quorums import changed, is_majority

LATELY = 4
"""A node is there if it was heard in the last so many times election_s."""
UNDERTAKING_S = 10.0
"""A change that could not begin for so long is declined."""


class MemberChanges(CatchUp):
    """Adding and removing members.

    Inputs:
        reconfigure: `change` is ("add" or "remove", address); `command` is decided with it, for the state machine to see. At most one
            waits at the leader, others take its place; ask again.

    Outputs:
        declined: this leader will not begin a change, as one to be added did not catch up, or a majority was not there.
    """

    reconfigure = interface.input("session: str, number: int, change: tuple, command")
    declined = interface.output("session: str, number: int -> command, code: str")

    first_name = scratch("-> name")
    there = scratch("-> nodes")
    late = scratch("session, number, change, command, since")

    @rule
    def proposing_changes(self) -> None:
        # reconfiguring(Name, Change, now) @next :- reconfigure(Name, Change), leads(_), the first of them, not reconfiguring(Name).
        # In place of one that has not begun.
        self.first_name <= (agg.min((r.session, r.number)) for r in self.reconfigure)
        self.reconfiguring <+- ((r.session, r.number, r.change, r.command, self.now)
                                for n in self.first_name for r in self.reconfigure for b in self.leads if (r.session, r.number) == n.name
                                and not any(x for x in self.reconfiguring if (x.session, x.number) == n.name))
        # there(collect<N>) :- reconfiguring(_), peer(N, Heard), Heard is not long ago.
        self.there <= (agg.collect_set(p.node) for r in self.reconfiguring for p in self.peer
                       if 0 <= self.now - p.heard <= LATELY * self.election_s)
        # change(Change, Command) :- reconfiguring(Change, Command), config(Members, Members), there(N), N are a majority of the changed,
        #                            peer(Added, Applied), there(Added), Applied is near.
        self.change <= ((r.change, ((r.session, r.number, packed(r.command)),))
                        for r in self.reconfiguring for c in self.config for a in self.applied for x in self.there
                        if c.members == c.coming and is_majority(x.nodes, changed(c.members, r.change)) and (r.change[0] == "remove" or any(
                            p for p in self.peer if p.node == r.change[1] and p.node in x.nodes
                            and p.applied >= 0 and a.slot <= p.applied + self.window)))
        # late(R) :- pulse(Now), reconfiguring(R, Since), Since is long ago, not change(_).
        # declined(Name, Command) :- late(Name, _, Command).
        self.late <= (r for p in self.pulse for r in self.reconfiguring
                      if not 0 <= p.time - r.since <= UNDERTAKING_S and not any(x for x in self.change))
        self.declined <= ((r.session, r.number, r.command, "EAGAIN") for r in self.late)
        # del reconfiguring(R) @next :- change(_), batch(_); late(R); deposed(_).
        self.reconfiguring <- (r for x in self.change for b in self.batch for r in self.reconfiguring)
        self.reconfiguring <- self.late
        self.reconfiguring <- (r for d in self.deposed for r in self.reconfiguring)

    @rule
    def changing(self) -> None:
        # forced(changed(Members, Change), S + window) :- turn(S, (_, _, _, Change)), config(Members, Members), not all are gone.
        # One at a time.
        self.forced <= ((changed(c.members, t.value[3]), t.slot + self.window) for t in self.turn for c in self.config
                        if t.value[3] and c.members == c.coming and changed(c.members, t.value[3]))
        # config(Members, Coming, Since) @next :- forced(Coming, Since), config(_, Members).
        self.config <+- ((c.coming, f.members, f.since) for f in self.forced for c in self.config)
        # config(Coming, Coming, Since) @next :- config(Members, Coming, Since), Members != Coming, turn(S), S + 1 >= Since.
        self.config <+- ((c.coming, c.coming, c.since) for t in self.turn for c in self.config
                         if c.members != c.coming and t.slot + 1 >= c.since)
        # deposed(B) :- ballot(B), config(_, Coming, Since), me not in Coming, applied(A), A >= Since: who was removed falls silent.
        self.deposed <= ((b.ballot,) for b in self.ballot for c in self.config if self.me not in c.members and self.me not in c.coming)

    @invariant(scope="cluster")
    def one_configuration_a_slot(self) -> None:
        """No two nodes of a group count other members from a slot on."""
        ((one.since, one.at_node, other.at_node) for one in self.config for other in self.config
         if one.since == other.since and other.at_node in one.coming and one.coming != other.coming)
