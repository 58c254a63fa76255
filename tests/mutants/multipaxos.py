"""Mutants of MultiPaxos and of the state behind it: the faults of the published Overlog programs, and the mistakes that are usual.

Most rows are put to a scenario with chosen faults, which is named after the program: it takes a second where random faults would take
minutes. Rows of "MultiPaxos" alone are put to random faults, and so is the right version.
"""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults
from tests.paxos import mutant_scenarios as scenarios

from .mutant import Mutant, Subject, right

FILES = "messages quorums batches acceptor proposer learner election catchup membership reads multipaxos state"
MODULES = tuple(f"bloompy_paxos.{name}" for name in FILES.split())
FAULTS = Faults(
    drop=0.1, duplicate=0.1, delay=0.2, delay_s=(0.0, 0.1), partitions=2, partition_s=(0.05, 1.0), crashes=3, down_s=(0.0, 0.3),
    power_loss=0.5, pauses=1, pause_s=(0.05, 0.5), spare={"client0", "client1"},
)

LIST = Subject(name="MultiPaxos", modules=MODULES, test=scenarios.store(), faults=FAULTS)


def scenario(name: str, test: Any) -> Subject:
    """A subject whose faults are chosen."""
    return Subject(name=f"MultiPaxos, {name}", modules=MODULES, test=test, faults=Faults(), runs=1)


RECOVERY = scenario("two votes in a slot", scenarios.recovery("a"))
OWN_VOTE = scenario("the higher vote is its own", scenarios.recovery("b"))
AHEAD = scenario("two votes, the clock of the first ahead", scenarios.recovery("a", 100))
TWO_SLOTS = scenario("votes for two slots", scenarios.two_slots())
MORE_SLOTS = scenario("votes for two slots, two before are missing", scenarios.two_slots(2))
HOLE = scenario("a hole", scenarios.hole)
LAG_3 = scenario("catching up from within what is truncated", scenarios.catching_up(3))
LAG_4 = scenario("catching up from just after what is truncated", scenarios.catching_up(4))
BEHIND = scenario("a leader that lags", scenarios.behind)
ANOTHER_VOTE = scenario("a vote for what was not decided", scenarios.another_vote)
OLD_VOTES = scenario("votes for an old ballot", scenarios.old_votes)
OLD_PROMISE = scenario("a promise for an old ballot", scenarios.old_promise)
DOUBLED_VOTES = scenario("a vote that comes twice", scenarios.doubled_votes)
DOUBLED_PROMISES = scenario("a promise that comes twice", scenarios.doubled_promises)
LATE_PROPOSAL = scenario("a late proposal", scenarios.late_proposal)
SAME_TICK = scenario("a proposal and a ballot in one tick", scenarios.same_tick)
BEGUN_TWICE = scenario("a crash when a ballot is begun", scenarios.begun_twice)
CLAIMS = scenario("a leader that learns", scenarios.claims)
LOST_PROPOSAL = scenario("a lost proposal", scenarios.lost_proposal)
PARTED = scenario("a promise in several frames", scenarios.parted)
MISSING_PIECE = scenario("a row of a snapshot is lost", scenarios.missing_piece)
OLD_SNAPSHOT = scenario("a snapshot that comes late", scenarios.old_snapshot)
TOGETHER = scenario("a snapshot and slots together", scenarios.snapshot_and_slots)
RETRIED = scenario("a retry at a new leader", scenarios.retried)
OUT_OF_DATE = scenario("a request out of date", scenarios.out_of_date)
LOST_REPLIES = scenario("lost replies", scenarios.lost_replies)
ONE_BATCH = scenario("one batch", scenarios.one_batch)
EXPIRY = scenario("a client that is silent", scenarios.expiry)
OLD_LEADER = scenario("an old leader", scenarios.old_leader)
NEW_LEADER = scenario("a new leader", scenarios.new_leader)
LEASE = scenario("lease", scenarios.leased())
LEASE_RESTART = scenario("lease and restart", scenarios.leased(restart=True))
LEASE_JUMP = scenario("lease and a clock set back", scenarios.leased(jump_s=-10.0))
LEASE_LATE = scenario("lease and late answers", scenarios.leased(late_s=0.09))
LEASE_DRIFT = scenario("lease and drift", scenarios.leased(rates=(0.9, 1.1), drift=0.1, lease_s=1.0, election_s=1.5))
ONE_WAY = scenario("heard by nobody", scenarios.one_way)
DEAF = scenario("one hears no leader", scenarios.deaf)
MEMBERS = scenario("members", scenarios.members)
GHOST = scenario("a member that does not run", scenarios.ghost)
LATE_GHOST = scenario("a member that runs too late", scenarios.late_ghost)
NEWCOMER_KILLED = scenario("a new member is killed", scenarios.newcomer_killed)
LONG_GONE = scenario("a member that is gone", scenarios.long_gone)
TOO_FEW = scenario("too few members would be left", scenarios.too_few)
QUIET = scenario("two members are added", scenarios.quiet)
TWO_CHANGES = scenario("two changes", scenarios.two_changes)
ADDING = scenario("votes while a member is added", scenarios.joint("add"))
REMOVING = scenario("votes while a member is removed", scenarios.joint("remove"))

SCENARIOS = (
    RECOVERY, OWN_VOTE, AHEAD, TWO_SLOTS, MORE_SLOTS, HOLE, LAG_3, LAG_4, BEHIND, ANOTHER_VOTE,
    OLD_VOTES, OLD_PROMISE, DOUBLED_VOTES, DOUBLED_PROMISES, LATE_PROPOSAL, SAME_TICK, BEGUN_TWICE, CLAIMS, LOST_PROPOSAL, PARTED,
    MISSING_PIECE, OLD_SNAPSHOT, TOGETHER, RETRIED, OUT_OF_DATE, LOST_REPLIES, ONE_BATCH, EXPIRY, OLD_LEADER, NEW_LEADER,
    LEASE, LEASE_RESTART, LEASE_JUMP, LEASE_LATE, LEASE_DRIFT, ONE_WAY, DEAF, MEMBERS, GHOST, LATE_GHOST, NEWCOMER_KILLED, LONG_GONE, TOO_FEW,
    QUIET, TWO_CHANGES, ADDING, REMOVING,
)


def mutant(subject: Subject, name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), why: str = "", easy: bool = False) -> Mutant:
    """One of MultiPaxos."""
    return Mutant(name=name, subject=subject, edits=edits, breaks=breaks, why=why, easy=easy)


def dropped(text: str) -> tuple[str, str]:
    """The edit that leaves a line, or several, out."""
    return text, ""


def volatile(text: str, durable: str = "") -> tuple[str, str]:
    """The edit that makes a durable table a volatile one, or one that is durable otherwise."""
    return text, text.replace(", durable=True", durable)


INVARIANTS = ("votes_keep_promises", "one_value_a_ballot", "agreement", "ballots_of_its_own", "one_configuration_a_slot", "applied_was_decided")
SAFETY = (*INVARIANTS, "backed by a majority", "promises kept", "linearizable", "state identity", "in order", "KeyConflict")
PROGRESS = ("progress", "caught up")
ANY = (*SAFETY, *PROGRESS)

PROMISED = 'promised = table("-> ballot: tuple", durable=True)'
VOTE = 'vote = table("slot: int -> ballot: tuple, value: tuple", durable=True)'
ASKED = "if any(f for f in self.following if f.leader == m.leader or self.lease_s <= 0 or f.heard + self.lease_s <= self.now))"
VOTED = "self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a for f in self.floor if m.ballot == f.ballot)"
SAID = "for m in self.p2a for f in self.floor\n                     if m.ballot == f.ballot and m.leader != self.me)"
BY_PROMISED = "m.ballot >= self.promised.get((), (LOWEST,)).ballot"
TOLD_OF = "for v in self.vote if v.slot >= m.first)\n"
REPORTED = "if m.ballot == f.ballot and v.slot >= m.first)"
LEADS = "and is_majority(s.acceptors, c.members) and is_majority(s.acceptors, c.coming))\n        self.leading"
PROMISES = "self.promise <+ ((m.ballot, m.acceptor, m.applied, m.votes) for m in self.p1b for b in self.ballot if m.ballot == b.ballot)"
MAJORITY = "and is_majority(t.acceptors, c.coming if p.slot >= c.since else c.members))"
CHOSEN = "self.chosen <= ((p.slot, p.value) for p in self.proposal for t in self.tally for c in self.config\n                        "
OF_BALLOT = "if t.ballot == p.ballot and t.slot == p.slot\n                        "
AYES = "self.aye <= ((m.ballot, m.slot, m.acceptor) for m in self.p2b if (m.ballot, m.slot) in self.proposal)"
BEST = "self.best <= ((r.slot, agg.argmax(r.value, r.ballot)) for r in self.reported)"
FIRST = "self.vacant <= ((max(self.next_slot.get(b.ballot, (b.ballot, 1)).slot, a.slot + 1, d.slot + 1), self"
TOP = "a.slot + 1, d.slot + 1), self.top.get((), (0,)).slot)"
CLAIM = "min(a.slot, self.earliest.get(b.ballot, (b.ballot, a.slot + 1)).slot - 1))"
LEARNED = "if x.slot == a.slot + 1 and not any(r for r in self.restoring))"
DECIDED = "if d.slot == a.slot + 1 and not any(r for r in self.restoring))"
SNAPSHOT = "self.snapshot <~ ((m.asker, a.slot, a.index,"
PIECE = "self.piece <~ ((m.asker, a.slot, i"
APPLIED = "self.applied.get((), (-1, 0)).slot"
STATE = 'state=("answered", "session"))'
NOT_HEARD = "if not now - silent_s <= b.since <= now"
SUPPORTED = "and is_majority(s.members, c.members) and is_majority(s.members, c.coming))"
NEARLY = """is_majority(x.nodes, changed(c.members, r.change)) and (r.change[0] == "remove" or any(
                            p for p in self.peer if p.node == r.change[1] and p.node in x.nodes
                            and p.applied >= 0 and a.slot <= p.applied + self.window)))"""

MUTANTS = (
    right(LIST),
    *(right(subject) for subject in SCENARIOS),
    # --- quorums
    mutant(LIST, "decided on its own acceptance, without a majority", (MAJORITY, "and self.me in t.acceptors)"), breaks=SAFETY, easy=True),
    mutant(
        LIST, "wrong quorum: half of what is left is enough",
        ("return 2 * sum(member in nodes for member in members) > len(members)",
         "return 2 * sum(member in nodes for member in members) >= len(members) - 1"),
        breaks=SAFETY,
    ),
    mutant(RECOVERY, "leads by its own promise", (LEADS, LEADS.replace(LEADS.split("\n")[0], "and self.me in s.acceptors)")), breaks=SAFETY),
    mutant(
        OLD_VOTES, "votes of different ballots counted together: counts are keyed by the slot",
        (AYES, "self.aye <= ((p.ballot, m.slot, m.acceptor) for m in self.p2b for p in self.proposal if p.slot == m.slot)"),
        breaks=SAFETY,
    ),
    mutant(
        OLD_PROMISE, "promises of different ballots counted together",
        (PROMISES, "self.promise <+ ((b.ballot, m.acceptor, m.applied, m.votes) for m in self.p1b for b in self.ballot)"),
        breaks=SAFETY,
    ),
    mutant(
        DOUBLED_PROMISES, "promises counted by message",
        ('promise = table("ballot: tuple, acceptor: str, applied: int, votes: tuple")',
         'promise = table("ballot: tuple, acceptor: str, applied: int, votes: tuple, no: int")'),
        (PROMISES, PROMISES.replace("m.votes)", "m.votes, self.step)")),
        ("self.backers <= ((w.ballot, agg.collect_set(w.acceptor)) for w in self.whole)",
         "self.backers <= ((w.ballot, agg.collect_set((w.acceptor, w.no))) for w in self.promise if (w.ballot, w.acceptor) in self.whole)"),
        (LEADS, LEADS.replace(LEADS.split("\n")[0], "and 2 * len(s.acceptors) > len(c.members))")),
        breaks=SAFETY,
    ),
    mutant(
        DOUBLED_VOTES, "votes counted by message",
        ('voter = table("ballot: tuple, slot: int, acceptor: str")', 'voter = table("ballot: tuple, slot: int, acceptor: str, no: int")'),
        ('aye = scratch("ballot, slot, acceptor")', 'aye = scratch("ballot, slot, acceptor, no")'),
        (AYES, AYES.replace("m.acceptor) for", "m.acceptor, self.step) for")),
        ("self.voter <+ ((m.ballot, m.slot, m.acceptor) for", "self.voter <+ ((m.ballot, m.slot, m.acceptor, self.step) for"),
        ("((p.ballot, p.slot, self.me) for p in self.proposal for v", "((p.ballot, p.slot, self.me, 0) for p in self.proposal for v"),
        ("agg.collect_set(v.acceptor)) for v in self.aye)", "agg.collect_set((v.acceptor, v.no))) for v in self.aye)"),
        (MAJORITY, "and 2 * len(t.acceptors) > len(c.coming))"),
        ("and (b.ballot, x.slot, n.node) not in self.voter)",
         "and not any(v for v in self.voter if v.ballot == b.ballot and v.slot == x.slot and v.acceptor == n.node))"),
        breaks=SAFETY,
    ),
    mutant(
        TWO_SLOTS, "a decision needs the vote of all who promised",
        (CHOSEN, CHOSEN.replace("self.config", "self.backers")),
        (OF_BALLOT + MAJORITY, OF_BALLOT.strip() + " and c.ballot == p.ballot and len(t.acceptors) >= len(c.acceptors))"),
        breaks=PROGRESS,
    ),
    # --- acceptors
    mutant(OWN_VOTE, "promise forgotten at a restart: not durable", volatile(PROMISED), breaks=SAFETY),
    mutant(LIST, "promise sent before it is safe: delayed", volatile(PROMISED, ', durable="delayed"'), breaks=SAFETY),
    mutant(OWN_VOTE, "vote forgotten at a restart: not durable", volatile(VOTE), breaks=SAFETY),
    mutant(OWN_VOTE, "vote sent before it is safe: delayed", volatile(VOTE, ', durable="delayed"'), breaks=SAFETY),
    mutant(
        LATE_PROPOSAL, "acceptor takes a proposal of any ballot",
        (VOTED, "self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a)"),
        (SAID, "for m in self.p2a if m.leader != self.me)"),
        breaks=SAFETY,
    ),
    mutant(
        LIST, "an acceptance does not count as a promise",
        dropped("        self.heard <= ((m.leader, m.ballot) for m in self.p2a)\n"),
        (VOTED, f"self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a if {BY_PROMISED})"),
        (SAID, f"for m in self.p2a if {BY_PROMISED} and m.leader != self.me)"),
        breaks=SAFETY,
    ),
    mutant(
        SAME_TICK, "a promise of this tick does not bind in this tick",
        (VOTED, f"self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a if {BY_PROMISED})"),
        (SAID, f"for m in self.p2a if {BY_PROMISED} and m.leader != self.me)"),
        breaks=SAFETY,
    ),
    mutant(
        OLD_PROMISE, "acceptor promises any ballot",
        ("for m in self.asked for f in self.floor for a in self.applied if m.ballot == f.ballot)", "for m in self.asked for a in self.applied)"),
        ("for m in self.asked for f in self.floor for v in self.vote\n                        " + REPORTED,
         "for m in self.asked for v in self.vote if v.slot >= m.first)"),
        why="what it votes for is bounded by its highest promise; a lower ballot gets its promise and no vote",
    ),
    mutant(
        RECOVERY, "reported votes carry the new ballot",
        ("agg.collect((v.slot, v.ballot))) for m in self.asked", "agg.collect((v.slot, m.ballot))) for m in self.asked"),
        ("self.report <~ ((m.leader, self.me, v.slot, v.ballot, v.value)", "self.report <~ ((m.leader, self.me, v.slot, m.ballot, v.value)"),
        breaks=SAFETY,
    ),
    mutant(
        TWO_SLOTS, "only the last vote of an acceptor is reported",
        (TOLD_OF, TOLD_OF.replace(")\n", " and not any(w for w in self.vote if w.slot > v.slot))\n")),
        (REPORTED, REPORTED[:-1] + " and not any(w for w in self.vote if w.slot > v.slot))"),
        breaks=SAFETY,
    ),
    mutant(
        TWO_SLOTS, "a promise tells of the votes from the slot after the one asked for",
        (TOLD_OF, TOLD_OF.replace(">=", ">")), (REPORTED, REPORTED.replace(">=", ">")),
        breaks=ANY,
    ),
    mutant(
        HOLE, "acceptor votes only for its current slot, and jumps ahead",
        (VOTED, VOTED[:-1] + " and not any(v for v in self.vote if v.slot > m.slot))"),
        (SAID, SAID[:-1] + " and not any(v for v in self.vote if v.slot > m.slot))"),
        breaks=ANY,
    ),
    mutant(HOLE, "a promise says that more was applied than was", ("self.me, m.ballot, a.slot, self.votes", "self.me, m.ballot, a.slot + 1, self.votes"), breaks=ANY),
    mutant(
        BEGUN_TWICE, "who begins a ballot does not promise it, and begins it again after a crash",
        dropped("        self.heard <= ((self.me, b.ballot) for b in self.begins)\n"),
        breaks=SAFETY,
    ),
    mutant(LIST, "ballots of two nodes equal", (".ballot[0] + 1, self.me)", '.ballot[0] + 1, "x")'), breaks="ballots_of_its_own"),
    # --- proposers
    mutant(RECOVERY, "value of the lowest ballot reported", (BEST, BEST.replace("argmax", "argmin")), breaks=SAFETY),
    mutant(
        OWN_VOTE, "value of the latest report instead of that of the highest ballot",
        ('reported = table("slot: int, ballot: tuple -> value: tuple")', 'reported = table("slot: int, ballot: tuple -> value: tuple, no: int")'),
        ("self.reported <+ ((m.slot, m.ballot, m.value) for m", "self.reported <+ ((m.slot, m.ballot, m.value, self.step) for m"),
        (BEST, BEST.replace("r.ballot", "r.no")),
        breaks=SAFETY,
    ),
    mutant(AHEAD, "greatest value instead of that of the highest ballot", (BEST, BEST.replace("argmax(r.value, r.ballot)", "max(r.value)")), breaks=SAFETY),
    mutant(RECOVERY, "leader proposes without looking at other logs", (TOP, TOP.replace("self.top.get((), (0,)).slot", "0")), breaks=SAFETY),
    mutant(
        MORE_SLOTS, "next slot not above what was reported: only votes within the window are seen to",
        (TOP, TOP.replace("self.top.get((), (0,)).slot", "min(self.top.get((), (0,)).slot, 0 if b.ballot in self.next_slot else a.slot + self.window)")),
        breaks=SAFETY,
    ),
    mutant(BEHIND, "begins after its own log, not after what others have applied", (FIRST, FIRST.replace(", d.slot + 1", "")), breaks=SAFETY),
    mutant(
        CLAIMS, "goes on after its last proposal, whatever it has learned since", (FIRST, FIRST.replace("a.slot + 1, ", "")),
        why="what it has learned beyond that was decided by a higher ballot, in which no majority votes for its proposals",
    ),
    mutant(CLAIMS, "tells of its proposals as decided of which it has not counted the votes", (CLAIM, "a.slot)"), breaks=SAFETY, easy=True),
    mutant(LOST_PROPOSAL, "tells of what it has proposed as decided", (CLAIM, "self.next_slot.get(b.ballot, (b.ballot, 1)).slot - 1)"), breaks=SAFETY),
    mutant(PARTED, "a promise counts though not all of its votes are there", ("if (p.ballot, p.acceptor, p.votes) not in self.lacking)", ")"), breaks=SAFETY),
    mutant(HOLE, "holes are left open", ("self.best.get(slot, (slot, NO_OP)).value) for v", "self.best[slot].value) for v"), breaks=PROGRESS),
    mutant(MORE_SLOTS, "the window is ignored when a ballot opens", ("range(v.first, min(v.last, a.slot + self.window) + 1))", "range(v.first, v.last + 1))"), breaks="window"),
    mutant(ONE_BATCH, "the window is ignored", ("if v.last < v.first <= a.slot + self.window\n", "if v.last < v.first\n"), breaks="window"),
    mutant(
        TWO_SLOTS, "first slot of a ballot one too high",
        ("a.slot + 1) for b in self.begins", "a.slot + 2) for b in self.begins"),
        breaks=ANY,
    ),
    mutant(LOST_PROPOSAL, "a proposal is said once", ("not 0 <= p.time - x.time <= 2 * self.pulse_s", "not 0 <= p.time - x.time <= 1_000_000"), breaks="progress"),
    mutant(
        LIST, "a promise is asked for once", ("(b.ballot, n.node) not in self.whole\n", "a.slot < 0\n"),
        why="who gets no majority, or loses it when members change, begins another ballot",
    ),
    mutant(
        LIST, "leads on after it has promised a higher ballot",
        dropped("        self.deposed <= ((b.ballot,) for b in self.ballot for p in self.promised if p.ballot > b.ballot)\n"),
        why="nobody who promised the other ballot answers its heartbeats, so that it steps down a little later",
    ),
    # --- learners
    mutant(
        ANOTHER_VOTE, "a vote of any ballot counts as what was decided",
        ("if self.vote.get(slot, (slot, LOWEST, ())).ballot == t.ballot)", "if slot in self.vote)"),
        breaks=SAFETY,
    ),
    mutant(LOST_PROPOSAL, "told of one slot too many", ("for slot in range(a.slot + 1, t.slot + 1)", "for slot in range(a.slot + 1, t.slot + 2)"), breaks=SAFETY),
    mutant(
        LAG_3, "holes are jumped over",
        (LEARNED, LEARNED.replace("x.slot == a.slot + 1", "x.slot > a.slot and not any(y for y in self.learned if a.slot < y.slot < x.slot)")),
        (DECIDED, DECIDED.replace("d.slot == a.slot + 1", "d.slot > a.slot and not any(y for y in self.learned if a.slot < y.slot)"
                                  " and not any(y for y in self.decided if a.slot < y.slot < d.slot)")),
        breaks=SAFETY,
    ),
    mutant(LAG_3, "index of commands off by one after a slot", ("a.index + t.value[2]) for t", "a.index + max(t.value[2] - 1, 0)) for t"), breaks=SAFETY),
    mutant(
        TOGETHER, "a snapshot and a slot are applied in one tick",
        (LEARNED, "if x.slot == a.slot + 1)"), (DECIDED, "if d.slot == a.slot + 1)"),
        breaks=SAFETY,
    ),
    # --- catching up
    mutant(LAG_3, "snapshot says one slot too many", (SNAPSHOT, SNAPSHOT.replace("a.slot", "a.slot + 1")), (PIECE, PIECE.replace("a.slot", "a.slot + 1")), breaks=ANY),
    mutant(LAG_3, "snapshot says one slot too few", (SNAPSHOT, SNAPSHOT.replace("a.slot", "a.slot - 1")), (PIECE, PIECE.replace("a.slot", "a.slot - 1")), breaks=ANY),
    mutant(LAG_3, "snapshot's index is off by one", (SNAPSHOT, SNAPSHOT.replace("a.index", "a.index + 1")), breaks=SAFETY),
    mutant(
        LAG_3, "slots are sent, too, where a snapshot is",
        ("if m.first > self.truncated.get((), (0,)).slot)\n", "if m.first >= self.truncated.get((), (0,)).slot)\n"),
        why="those that are left of the slots asked for begin after a hole, and wait; the snapshot contains them",
    ),
    mutant(
        LAG_3, "no snapshot for the last slot that was truncated",
        ("for m in self.fetch for a in self.applied if m.first <= self.truncated.get((), (0,)).slot)\n        # snapshot",
         "for m in self.fetch for a in self.applied if m.first < self.truncated.get((), (0,)).slot)\n        # snapshot"),
        breaks=PROGRESS,
    ),
    mutant(LAG_4, "truncation of one slot too many", ("for d in self.decided if d.slot <= x.slot)", "for d in self.decided if d.slot <= x.slot + 1)"), breaks=PROGRESS),
    mutant(
        TWO_SLOTS, "truncation of what is not applied",
        ("self.cut <= ((a.slot - self.keep,) for p", "self.cut <= ((a.slot + self.keep,) for p"),
        ("if a.slot - self.keep > self.truncated", "if a.slot + self.keep + 2 > self.truncated"),
        breaks=ANY,
    ),
    mutant(MISSING_PIECE, "a snapshot that lacks rows", ("(s.slot, 0)).n == s.pieces and", "(s.slot, 0)).n > 0 and"), breaks=SAFETY),
    mutant(
        OLD_SNAPSHOT, "an old snapshot is taken",
        (f"if m.slot > {APPLIED})\n        self.arrived", ")\n        self.arrived"),
        (f"for m in self.piece if m.slot > {APPLIED})", "for m in self.piece)"),
        (f"(s.slot, 0)).n == s.pieces and s.slot > {APPLIED})", "(s.slot, 0)).n == s.pieces)"),
        breaks=ANY,
    ),
    mutant(LAG_3, "session table not in the snapshot", (STATE, 'state=("answered",))'), breaks=SAFETY),
    mutant(LAG_3, "results not in the snapshot", (STATE, 'state=("session",))'), breaks=SAFETY),
    # --- requests
    mutant(RETRIED, "command applied twice after a retry at a new leader", ("and (d.session, d.number) not in self.answered\n", "\n"), breaks=SAFETY, easy=True),
    mutant(
        OUT_OF_DATE, "command applied again when its result was forgotten",
        ("\n                       and d.number >= self.session.get(d.session, (d.session, 0, 0.0)).acked)", ")"),
        breaks=SAFETY,
    ),
    mutant(
        ONE_BATCH, "command applied twice in one slot",
        ("[(*name, data) for name, data in distinct.items()]), len(distinct), change", "commands), len(commands), change"),
        breaks=SAFETY,
    ),
    mutant(
        ONE_BATCH, "two equal commands collapse",
        ("distinct = {(session, number): data for session, number, data in commands}",
         "distinct = {name: data for data, name in {data: (session, number) for session, number, data in commands}.items()}"),
        why="a command has a name; the one that is lost was not answered, and is sent again",
    ),
    mutant(LOST_REPLIES, "results are forgotten while they are waited for", ("and a.number < n.acked)", "and a.number <= n.acked)"), breaks=ANY),
    mutant(
        LOST_REPLIES, "a retry gets no answer",
        dropped("        self.reply <~ ((r.client, self.me, a.session, a.number, a.code, a.result) for r in self.request for a in self.answered\n"
                "                       if a.session == r.session and a.number == r.number)\n"),
        breaks="progress",
    ),
    mutant(
        RECOVERY, "answered before it is decided",
        ("        self.log.propose <= ((r.session, r.number, (r.client",
         '        self.reply <~ ((r.client, self.me, r.session, r.number, "", None) for r in self.led if r.kind == "write")\n'
         "        self.log.propose <= ((r.session, r.number, (r.client"),
        breaks=SAFETY,
    ),
    mutant(
        EXPIRY, "clients expire by the own clock",
        ("if s.seen + self.session_retention_s < d.time and", "if s.seen + self.session_retention_s < self.now and"),
        breaks=SAFETY,
    ),
    # --- reads
    mutant(
        OLD_LEADER, "reads are answered from any copy",
        ('if r.kind == "stale" and (r.client,', 'if r.kind != "write" and (r.client,'),
        ('for r in self.request if r.kind == "stale" and q.request ==', 'for r in self.request if r.kind != "write" and q.request =='),
        breaks="linearizable",
    ),
    mutant(OLD_LEADER, "an old leader answers reads: nobody confirms", ("if r.ballot == b.ballot and k.no >= r.no)", "if r.ballot == b.ballot)"), breaks="linearizable"),
    mutant(OLD_LEADER, "an old heartbeat confirms a read", ("k.no >= r.no)", "k.no >= r.no - 20)"), breaks="linearizable", easy=True),
    mutant(
        NEW_LEADER, "a new leader answers reads before it has applied what was decided",
        ("if d.ballot == b.ballot and a.slot >= max(d.slot, self.top.get((), (0,)).slot))", "if d.ballot == b.ballot)"),
        breaks="linearizable",
    ),
    mutant(LEASE, "acceptors do not respect a lease", (ASKED, ")"), breaks="linearizable"),
    mutant(
        LEASE_RESTART, "a lease is forgotten at a restart",
        ('self.following <+ (("", LOWEST, self.now, self.now + ', 'self.following <+ (("", LOWEST, self.now - 1_000, self.now + '),
        breaks="linearizable",
    ),
    mutant(
        LEASE_JUMP, "a lease is kept when the clock goes back", ("if self.lease_s > 0 and p.sent <= self.now)", "if self.lease_s > 0)"),
        why="a leader whose clock is behind the beginning of its ballot steps down at its next pulse, before any other can be elected",
    ),
    mutant(
        LEASE_LATE, "a lease counts from the answer",
        ("self.sent <= (agg.collect_set((p.node, p.sent)) for r", "self.sent <= (agg.collect_set((p.node, p.heard)) for r"),
        breaks="linearizable",
    ),
    mutant(
        LEASE_DRIFT, "a lease without a margin for drift",
        ("return min(self.lease_s, self.election_s) * (1 - self.drift) / (1 + self.drift)", "return min(self.lease_s, self.election_s)"),
        breaks="linearizable",
    ),
    # --- elections
    mutant(ONE_WAY, "a leader that nobody answers leads on", (NOT_HEARD, "if not True"), breaks="progress"),
    mutant(DEAF, "no pre-vote: who misses the leader begins a ballot", (SUPPORTED, "and self.me in s.members)"), breaks="undisturbed"),
    mutant(
        DEAF, "pre-vote: supported though the leader is heard",
        ("and any(f for f in self.following if not f.heard <= self.now < f.heard + self.election_s))", ")"),
        breaks="undisturbed",
    ),
    # --- members
    mutant(REMOVING, "a change is in force at once", ("t.slot + self.window) for t in self.turn", "t.slot + 1) for t in self.turn"), breaks=SAFETY),
    mutant(REMOVING, "votes are counted by the members to come", (MAJORITY, "and is_majority(t.acceptors, c.coming))"), breaks=SAFETY),
    mutant(ADDING, "votes are counted by the members before", (MAJORITY, "and is_majority(t.acceptors, c.members))"), breaks=SAFETY),
    mutant(
        ADDING, "a ballot needs no majority of the members to come",
        (LEADS, LEADS.replace(" and is_majority(s.acceptors, c.coming)", "")),
        why="majorities of members that differ by one have one in common, and only one change is under way",
    ),
    mutant(GHOST, "a new member counts before it has caught up", (NEARLY, "True)"), breaks="progress"),
    mutant(LATE_GHOST, "a change that could not begin waits on", dropped("        self.reconfiguring <- self.late\n"), breaks="members"),
    mutant(
        NEWCOMER_KILLED, "a snapshot is told of before it is on disk",
        volatile('truncated = table("-> slot: int", durable=True)', ', durable="delayed"'), breaks="progress",
    ),
    mutant(LONG_GONE, "who was heard long ago is near", dropped("and p.node in x.nodes\n                            "), breaks=("members", "progress")),
    mutant(TOO_FEW, "a change may leave no majority", dropped("is_majority(x.nodes, changed(c.members, r.change)) and "), breaks="progress"),
    mutant(
        TWO_CHANGES, "two changes of members at once",
        ("if c.members == c.coming and is_majority(x", "if is_majority(x"), ("if t.value[3] and c.members == c.coming and changed", "if t.value[3] and changed"),
        breaks=(*SAFETY, "members", "progress"),
    ),
    mutant(
        TWO_CHANGES, "a second change is proposed before the first is in force",
        ("if c.members == c.coming and is_majority(x", "if is_majority(x"),
        why="it is not carried out, nobody is told that it was, and the client asks again",
    ),
    mutant(
        QUIET, "a change waits for commands",
        ("and (q.commands or v.first < c.since or any(x for x in self.change)))", "and (q.commands or any(x for x in self.change)))"),
        breaks=("members", "progress"),
    ),
    mutant(MEMBERS, "who was removed goes on", ("if (self.me in c.members or self.me in c.coming) and not any", "if not any"), breaks="silent"),
    mutant(MEMBERS, "who was removed leads on", ("if self.me not in c.members and self.me not in c.coming)", "if not c.coming)"), breaks=("silent", *SAFETY)),
    mutant(MEMBERS, "the members are not in the snapshot", ("self.config <+- ((s.config[0], s.config[1], s.config[2]) for x", "self.config <+- ((self.members, self.members, 0) for x"), breaks=(*ANY, "members")),
)
