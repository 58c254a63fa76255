# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Leases: locks that end by themselves, with fencing tokens.

Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency" (SOSP 1989). Tokens:
Kleppmann, "How to do distributed locking" (2016); Burrows, "The Chubby lock service" (OSDI 2006), where they are sequencers.

**What is assumed of clocks.** Durations only are compared, each on one clock: how far clocks are apart does not matter, how fast they
run does. In one real second every clock shows between 1 - drift and 1 + drift seconds, and none is set. A lease of `term_s` on the
server's clock lasts at least term_s / (1 + drift) in real time, and a holder that measures X on its own clock waits at most
X / (1 - drift). So the holder counts term_s * (1 - drift) / (1 + drift), and from the sending of its request, which was before the grant.
"""

from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table


class LeaseProtocol(Bloom):
    """What holders and server say."""

    request = channel("@server: str, holder: str, resource, sent: float")
    grant = channel("@holder: str, server: str, resource, sent: float -> token: int, term_s: float")
    giveback = channel("@server: str, holder: str, resource, token: int")
    returned = channel("@holder: str, server: str, resource, token: int")


class LeaseServer(LeaseProtocol):
    """Grants each resource to one holder at a time, for `term_s` of its clock.

    Params:
        term_s: how long a lease lasts unless it is renewed.

    Leases are durable before they are granted, tokens grow with every change of holder, and a lease that ran out is only given up when
    another asks. A holder that asks while it holds renews its lease, with the same token.
    """

    term_s = param(10.0)

    lease = table("resource -> holder: str, token: int, until: float", durable=True)

    first = scratch("resource -> holder")
    taken = scratch("resource -> holder, token")
    renewed = scratch("resource -> holder, token")
    granted = scratch("resource -> holder, token")

    @rule
    def granting(self) -> None:
        # renewed(R, H, Token) :- request(H, R), lease(R, H, Token, Until), Until > now.
        self.renewed <= ((x.resource, x.holder, x.token) for r in self.request for x in self.lease
                         if x.resource == r.resource and x.holder == r.holder and x.until > self.now
                         and not any(g for g in self.giveback if g.resource == x.resource and g.holder == x.holder and g.token == x.token))
        # first(R, choose<H>) :- request(H, R), not (lease(R, _, _, Until), Until > now).
        self.first <= ((r.resource, agg.choose(r.holder)) for r in self.request
                       if not any(x for x in self.lease if x.resource == r.resource and x.until > self.now))
        # taken(R, H, Token + 1) :- first(R, H), lease(R, _, Token, _).
        self.taken <= ((f.resource, f.holder, self.lease.get(f.resource, (f.resource, "", 0, 0.0)).token + 1) for f in self.first)
        self.granted <= self.renewed
        self.granted <= self.taken
        # lease(R, H, Token, now + term_s) @next :- granted(R, H, Token).
        self.lease <+- ((g.resource, g.holder, g.token, self.now + self.term_s) for g in self.granted)
        # grant(@H, me, R, Sent, Token, term_s) @async :- granted(R, H, Token), request(H, R, Sent).
        self.grant <~ ((g.holder, self.me, g.resource, r.sent, g.token, self.term_s) for g in self.granted for r in self.request
                       if r.resource == g.resource and r.holder == g.holder)

    @rule
    def taking_back(self) -> None:
        # lease(R, "", Token, now) @next :- giveback(H, R, Token), lease(R, H, Token).
        self.lease <+- ((x.resource, "", x.token, self.now) for g in self.giveback for x in self.lease
                        if x.resource == g.resource and x.holder == g.holder and x.token == g.token and x.resource not in self.granted)
        # returned(@H, me, R, Token) @async :- giveback(H, R, Token).
        self.returned <~ ((g.holder, self.me, g.resource, g.token) for g in self.giveback)


class LeaseHolder(LeaseProtocol):
    """Asks for leases, renews those it wants, and knows in every tick which it holds.

    Params:
        server: address of the server.
        drift: the bound on clocks that is assumed, see above.
        renew_s: how often requests and returns are sent again; a third of the term leaves room for losses.

    Interface:
        want: ask for a resource and keep it until `release`.
        release: give it back; in the tick of a `want`, the release wins.
        holding: resources held in this tick, with their tokens. Use it in rules, and by `Fence` wherever something is done with the
            resource: a message sent in a tick that holds a lease may arrive when it is over.
    """

    server = param("server")
    drift = param(0.01)
    renew_s = param(3.0)
    beat = periodic(renew_s)

    want = interface.input("resource")
    release = interface.input("resource")
    holding = interface.output("resource -> token: int")

    wanted = table("resource")
    held = table("resource -> token: int, until: float")
    returning = table("resource -> token: int", durable=True)
    given_up = table("resource -> token: int", durable=True)

    asking = scratch("resource")
    newest = scratch("resource -> until, token")
    gained = scratch("resource -> token, until")
    have = scratch("resource -> token")

    def safe_s(self, term_s: float) -> float:
        """How long this clock may count on a term of the server's."""
        return term_s * (1 - self.drift) / (1 + self.drift)

    @rule
    def asking_for(self) -> None:
        self.wanted <+ ((w.resource,) for w in self.want if w.resource not in self.release)
        # asking(R) :- want(R); beat(), wanted(R).
        self.asking <= ((w.resource,) for w in self.want)
        self.asking <= ((w.resource,) for b in self.beat for w in self.wanted)
        # request(@server, me, R, now) @async :- asking(R), not release(R).
        self.request <~ ((self.server, self.me, a.resource, self.now) for a in self.asking if a.resource not in self.release)

    @rule
    def gaining(self) -> None:
        # newest(R, max<Until>) :- grant(R, Sent, Token, Term), Until = Sent + safe_s(Term), wanted(R), not (given_up(R, T), T >= Token).
        self.newest <= ((g.resource, agg.max(g.sent + self.safe_s(g.term_s)), agg.argmax(g.token, g.sent + self.safe_s(g.term_s)))
                        for g in self.grant if g.resource in self.wanted and g.token > self.given_up.get(g.resource, (g.resource, 0)).token)
        # gained(R, Token, Until) :- newest(R, Until, Token), later than what is held.
        self.gained <= ((n.resource, n.token, n.until) for n in self.newest
                        if not any(h for h in self.held if h.resource == n.resource and h.until >= n.until)
                        and n.resource not in self.release)
        self.held <+- self.gained
        # have(R, Token) :- held(R, Token, Until), now < Until, not release(R).
        self.have <= ((h.resource, h.token) for h in self.held
                      if self.now < h.until and h.resource not in self.gained and h.resource not in self.release)
        self.have <= ((g.resource, g.token) for g in self.gained if self.now < g.until)
        self.holding <= self.have

    @rule
    def releasing(self) -> None:
        self.wanted <- ((r.resource,) for r in self.release)
        self.held <- ((r.resource,) for r in self.release)
        # given_up(R, Token), returning(R, Token) @next :- release(R), held(R, Token).
        self.given_up <+- ((h.resource, h.token) for r in self.release for h in self.held if h.resource == r.resource)
        self.returning <+- ((h.resource, h.token) for r in self.release for h in self.held if h.resource == r.resource)
        # giveback(@server, me, R, Token) @async :- release(R), held(R, Token); beat(), returning(R, Token).
        self.giveback <~ ((self.server, self.me, h.resource, h.token) for r in self.release for h in self.held if h.resource == r.resource)
        self.giveback <~ ((self.server, self.me, x.resource, x.token) for b in self.beat for x in self.returning)
        # del returning(R, Token) @next :- returned(R, Token).
        self.returning <- ((x.resource, x.token) for x in self.returned)
