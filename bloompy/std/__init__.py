"""Protocols that programs are made of, each a Bloom program to subclass or to hold as a `module(…)`; see `docs/std/`."""

from bloompy.std.carts import Cart, DestructiveCart, DisorderlyCart
from bloompy.std.causal import CausalDelivery
from bloompy.std.clocks import LamportClock, VectorClock, concurrent, happened_before
from bloompy.std.delivery import BestEffortDelivery, Delivery
from bloompy.std.failure_detector import AccrualFailureDetector, FailureDetector
from bloompy.std.fence import Fence
from bloompy.std.fifo import FifoDelivery
from bloompy.std.hashing import stable_hash
from bloompy.std.kvs import KeyValueClient, KeyValueProtocol, KeyValueServer, KeyValueStore, Served
from bloompy.std.leases import LeaseHolder, LeaseServer
from bloompy.std.membership import Membership
from bloompy.std.multicast import BestEffortMulticast, Multicast, ReliableMulticast
from bloompy.std.reliable import ReliableDelivery
from bloompy.std.replicated_store import ReplicatedServer, ReplicatedStore
from bloompy.std.retry import Retry
from bloompy.std.ring import HashRing
from bloompy.std.tally import MajorityTally, RatioTally, Tally, UnanimousTally
from bloompy.std.timers import Timers
from bloompy.std.total_order import TotalOrderMulticast
from bloompy.std.two_phase_commit import Coordinator, Participant, TwoPhaseCommit
from bloompy.std.unique_ids import Snowflakes, UniqueIds
from bloompy.std.versioned_store import VersionedServer, VersionedStore
from bloompy.std.voting import Voting

__all__ = [
    "AccrualFailureDetector",
    "BestEffortDelivery",
    "BestEffortMulticast",
    "Cart",
    "CausalDelivery",
    "Coordinator",
    "Delivery",
    "DestructiveCart",
    "DisorderlyCart",
    "FailureDetector",
    "Fence",
    "FifoDelivery",
    "HashRing",
    "KeyValueClient",
    "KeyValueProtocol",
    "KeyValueServer",
    "KeyValueStore",
    "LamportClock",
    "LeaseHolder",
    "LeaseServer",
    "MajorityTally",
    "Membership",
    "Multicast",
    "Participant",
    "RatioTally",
    "ReliableDelivery",
    "ReliableMulticast",
    "ReplicatedServer",
    "ReplicatedStore",
    "Retry",
    "Served",
    "Snowflakes",
    "Tally",
    "Timers",
    "TotalOrderMulticast",
    "TwoPhaseCommit",
    "UnanimousTally",
    "UniqueIds",
    "VectorClock",
    "VersionedServer",
    "VersionedStore",
    "Voting",
    "concurrent",
    "happened_before",
    "stable_hash",
]
