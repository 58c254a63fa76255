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
from bloompy_paxos.quorums import changed


class MemberChanges(CatchUp):
    """Adding and removing members.

    Inputs:
        reconfigure: `change` is ("add" or "remove", address); `command` is decided with it, for the state machine to see. At most one
            waits at the leader, others take its place; ask again.
    """

    reconfigure = interface.input("session: str, number: int, change: tuple, command")

    first_name = scratch("-> name")
    first_change = scratch("session, number, change, command")

    @rule
    def proposing_changes(self) -> None:
        # reconfiguring(Name, Change) @next :- reconfigure(Name, Change), leads(_), the first of them; in place of one that has not begun.
        self.first_name <= (agg.min((r.session, r.number)) for r in self.reconfigure)
        self.first_change <= (r for n in self.first_name for r in self.reconfigure for b in self.leads if (r.session, r.number) == n.name)
        self.reconfiguring <+- self.first_change
        # change(Change, Command) :- reconfiguring(Change, Command), config(Members, Members), peer(Added, Applied), Applied is near.
        self.change <= ((r.change, ((r.session, r.number, packed(r.command)),))
                        for r in self.reconfiguring for c in self.config for a in self.applied
                        if c.members == c.coming and (r.change[0] == "remove" or any(
                            p for p in self.peer if p.node == r.change[1] and p.applied >= 0 and a.slot <= p.applied + self.window)))
        # del reconfiguring(_) @next :- change(_), batch(_); deposed(_).
        self.reconfiguring <- (r for x in self.change for b in self.batch for r in self.reconfiguring)
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
