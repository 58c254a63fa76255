# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Who is in the group, by heartbeats: nodes join through seeds, leave, and are given up after a long silence."""

from bloompy import Bloom, agg, channel, interface, module, param, periodic, rule, scratch, table
from bloompy.std.failure_detector import FailureDetector


class Membership(Bloom):
    """A group without a list: every node learns of the others and watches them.

    Params:
        seeds: addresses through which a node that knows nobody joins; a node may be its own seed.
        interval_s, timeout_s, increment_s: of the failure detector within.
        forget_s: a member suspected for so long is given up.

    Interface:
        leave: this node says good-bye to all (a row of any key).
        joined: a node becomes a member here. left: it said good-bye, or was given up.
        live: members that are not suspected, this node included, in every tick.

    Members are known on each node separately, and each tells one other, by lot, of those it does not suspect at every beat: in the
    end all nodes that are up and connected agree, while in a partition each side has a list of its own. `forget_s` must be well above
    the time in which a crash is suspected by all, so that nobody is told again of one that was given up. Nothing is durable; a node
    that restarts joins again.
    """

    seeds: tuple[str, ...] = param(())
    interval_s = param(1.0)
    timeout_s = param(3.0)
    increment_s = param(1.0)
    forget_s = param(60.0)
    beat = periodic(interval_s)
    detector = module(FailureDetector, interval_s=interval_s, timeout_s=timeout_s, increment_s=increment_s)

    hello = channel("@to: str, sender: str")
    known = channel("@to: str, member: str")
    goodbye = channel("@to: str, sender: str")

    leave = interface.input("reason")
    joined = interface.output("member: str")
    left = interface.output("member: str")
    live = interface.output("member: str")

    member = table("member: str")
    suspected = table("member: str -> since: float")
    gone = table("-> time: float")

    told = scratch("member")
    new = scratch("member")
    lost = scratch("member")
    doubted = scratch("member")
    heard_of = scratch("member")
    place = scratch("member -> place")
    places = scratch("-> count")

    @rule
    def joining(self) -> None:
        # hello(@S, me) @async :- beat(), S in seeds, not member(S), not gone().
        self.hello <~ ((seed, self.me) for b in self.beat for seed in self.seeds
                       if seed != self.me and seed not in self.member and not any(g for g in self.gone))
        # told(M) :- hello(M); known(M); heartbeat from M.
        self.told <= ((h.sender,) for h in self.hello)
        self.told <= ((k.member,) for k in self.known)
        self.told <= ((h.peer,) for h in self.detector.heard)
        # new(M) :- told(M), not member(M), not gone().
        self.new <= ((t.member,) for t in self.told if t.member not in self.member and t.member != self.me
                     and not any(h for h in self.goodbye if h.sender == t.member) and not any(g for g in self.gone))
        self.member <+ self.new
        self.joined <= self.new
        self.detector.watch <= self.new

    @rule
    def gossiping(self) -> None:
        # known(@S, M) @async :- hello(S), heard_of(M).
        self.heard_of <= ((m.member,) for m in self.member if m.member not in self.doubted)
        self.heard_of <= self.new
        self.known <~ ((h.sender, x.member) for h in self.hello for x in self.heard_of if x.member != h.sender)
        self.known <~ ((h.sender, self.me) for h in self.hello)
        # known(@P, M) @async :- beat(), heard_of(M), P one member by lot.
        self.place <= ((x.member, agg.rank(x.member)) for b in self.beat for x in self.heard_of)
        self.places <= (agg.count() for p in self.place)
        self.known <~ ((p.member, x.member) for p in self.place for n in self.places for x in self.heard_of
                       if p.place == int(self.rand * n.count) and x.member != p.member)

    @rule
    def leaving(self) -> None:
        # gone(now) @next, goodbye(@M, me) @async :- leave(), member(M).
        self.gone <+- ((self.now,) for x in self.leave)
        self.goodbye <~ ((m.member, self.me) for x in self.leave for m in self.member)
        self.lost <= ((m.member,) for x in self.leave for m in self.member)
        # lost(M) :- goodbye(M), member(M).
        self.lost <= ((h.sender,) for h in self.goodbye if h.sender in self.member)
        # lost(M) :- beat(Now), suspected(M, Since), Now - Since > forget_s.
        self.lost <= ((s.member,) for b in self.beat for s in self.suspected if b.time - s.since > self.forget_s)
        self.member <- self.lost
        self.left <= self.lost
        self.detector.unwatch <= self.lost

    @rule
    def watching(self) -> None:
        # suspected(M, now) @next :- suspect(M), member(M), not lost(M).
        self.suspected <+- ((s.peer, self.now) for s in self.detector.suspect if s.peer in self.member and s.peer not in self.lost)
        self.suspected <- ((t.peer,) for t in self.detector.trust)
        self.suspected <- self.lost
        # live(M) :- member(M), not suspected(M).
        self.doubted <= ((s.peer,) for s in self.detector.suspects)
        self.live <= ((m.member,) for m in self.member if m.member not in self.lost and m.member not in self.doubted)
        self.live <= ((self.me,) for x in (1,) if not any(g for g in self.gone))
