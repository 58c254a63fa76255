# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""TaskTrackers: registration by heartbeat, expiry."""

from __future__ import annotations

from bloompy import agg, param, periodic, rule, scratch, table
from bloompy_mr.relations import Relations


class Trackers(Relations):
    """A tracker is known while it is heard of; time is the JobTracker's own, never the tracker's."""

    expiry_s = param(10.0)
    check_s = param(1.0)

    last_seen = table("tracker: str -> time: float")
    check = periodic(check_s)
    latest = scratch("tracker -> seq")
    lost = scratch("tracker")

    @rule
    def heartbeats(self) -> None:
        # latest(Tracker, max<Seq>) :- heartbeat(Tracker, Seq, …).
        self.latest <= ((h.tracker, agg.max(h.seq)) for h in self.heartbeat)
        # tracker(Tracker, …) :- latest(Tracker, Seq), heartbeat(Tracker, Seq, …).       A new incarnation replaces the old one.
        self.tracker <+- ((h.tracker, h.incarnation, h.host, h.data_address, h.map_slots, h.reduce_slots)
                          for h in self.heartbeat if self.latest[h.tracker].seq == h.seq)
        self.last_seen <+- ((x.tracker, self.now) for x in self.latest)

    @rule
    def expiry(self) -> None:
        # lost(Tracker) :- check(_, Time), last_seen(Tracker, Then), Time - Then > expiry_s.
        self.lost <= ((s.tracker,) for c in self.check for s in self.last_seen if c.time - s.time > self.expiry_s)
        self.tracker <- ((x.tracker,) for x in self.lost)
        self.last_seen <- ((x.tracker,) for x in self.lost)

    @rule
    def listing(self) -> None:
        self.tracker_list <~ ((q.client, self.me, q.reqid, agg.collect((t.name, t.host, t.map_slots, t.reduce_slots)))
                              for q in self.ask_trackers for t in self.tracker)
        self.tracker_list <~ ((q.client, self.me, q.reqid, ()) for q in self.ask_trackers if not any(True for t in self.tracker))
