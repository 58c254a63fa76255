"""Partitions of the NameNode: all the rules together."""

from bloompy_fs.lending import Lending
from bloompy_fs.replicated import ReplicatedNameNode


class PartitionedNameNode(Lending):
    """One of several NameNodes that hold a file system together, each the files of some directories.

    Params: those of `NameNode`, with the same `cluster_id` for all, and
        partition: number of this partition, from 0. partitions: addresses of the members of each, in the order of their numbers.
        retry_s: how often what another partition has not answered is said again.
        transaction_timeout_s: what needs all partitions is given up if one of them does not vote for so long.
    """


class ReplicatedPartition(
    ReplicatedNameNode, Lending, state=("transaction", "share", "decision", "prepared", "horizon", "lent", "returning")
):
    """A replica of a partition.

    Params: those of `PartitionedNameNode` and of `ReplicatedNameNode`.
    """
