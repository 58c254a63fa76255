"""Small programs whose points of order are known: the carts of the CALM story, and others."""

from __future__ import annotations

from bloompy import Bloom, agg, channel, interface, lattice, periodic, rule, scratch, table


class Destructive(Bloom):
    """The cart that is changed."""

    add = interface.input("cart, item")
    remove = interface.input("cart, item")
    checkout = interface.input("cart")
    held = table("cart, item")
    receipt = interface.output("cart, item")

    @rule
    def keep(self):
        self.held <= self.add
        self.held <- self.remove

    @rule
    def sell(self):
        self.receipt <= (h for c in self.checkout for h in self.held if h.cart == c.cart)


class Disorderly(Bloom):
    """The cart that is written down."""

    add = channel("@to, cart, no, item")
    remove = channel("@to, cart, no, item")
    added = table("cart, no, item")
    removed = table("cart, no, item")
    held = scratch("cart, item")

    @rule
    def keep(self):
        self.added <= ((a.cart, a.no, a.item) for a in self.add)
        self.removed <= ((r.cart, r.no, r.item) for r in self.remove)

    @rule
    def show(self):
        self.held <= ((a.cart, a.item) for a in self.added if (a.cart, a.no, a.item) not in self.removed)


class Votes(Bloom):
    """A threshold over a set that grows."""

    vote = channel("@to, ballot, voter")
    voters = table("ballot -> who: lset")
    decided = table("ballot")

    @rule
    def count(self):
        self.voters <= ((v.ballot, v.voter) for v in self.vote)
        self.decided <= ((v.ballot,) for v in self.voters if len(v.who) >= 2)


class Count(Bloom):
    """The same with an aggregate: what is kept is a count on the way."""

    vote = channel("@to, ballot, voter")
    votes = table("ballot, voter")
    number = scratch("ballot -> n")
    decided = table("ballot, n")

    @rule
    def count(self):
        self.votes <= ((v.ballot, v.voter) for v in self.vote)
        self.number <= ((v.ballot, agg.count()) for v in self.votes)
        self.decided <= ((n.ballot, n.n) for n in self.number if n.n >= 2)


class Store(Bloom):
    """Two rows for one key are a conflict."""

    put = channel("@to, key, value")
    store = table("key -> value")

    @rule
    def keep(self):
        self.store <= ((p.key, p.value) for p in self.put)


class Ask(Bloom):
    """A request that meets a table."""

    put = channel("@to, key, value")
    get = channel("@to, key, asker")
    store = table("key, value")
    answer = channel("@to, key, value")

    @rule
    def keep(self):
        self.store <= ((p.key, p.value) for p in self.put)
        self.answer <~ ((g.asker, s.key, s.value) for g in self.get for s in self.store if s.key == g.key)


class Remembered(Bloom):
    """The same, remembering requests; and sent again by a timer."""

    put = channel("@to, key, value")
    get = channel("@to, key, asker")
    store = table("key, value")
    asked = table("key, asker")
    again = periodic(1)
    answer = channel("@to, key, value")

    @rule
    def keep(self):
        self.store <= ((p.key, p.value) for p in self.put)
        self.asked <= ((g.key, g.asker) for g in self.get)
        self.answer <~ ((g.asker, s.key, s.value) for g in self.asked for s in self.store if s.key == g.key)
        self.answer <~ ((g.asker, s.key, s.value) for t in self.again for g in self.asked for s in self.store if s.key == g.key)


class Tombstones(Bloom):
    """A deletion that is told of for ever."""

    add = interface.input("key")
    remove = interface.input("key")
    held = table("key")
    gone = table("key")

    @rule
    def keep(self):
        self.held <= self.add
        self.gone <= self.remove
        self.held <- (h for h in self.held if h.key in self.gone)


class Newest(Bloom):
    """Lattice values that merge on the way."""

    write = channel("@to, key -> version: lmax")
    newest = table("key -> version: lmax")
    top = lattice.lmax()

    @rule
    def keep(self):
        self.newest <= ((w.key, w.version) for w in self.write)
        self.top <= (n.version for n in self.newest)
