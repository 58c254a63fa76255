# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The NameNode: all its rules together."""

from bloompy_fs.replication import Replication


class NameNode(Replication):
    """The metadata server of the file system, in rules; a Node runs it with a durable store.

    Params, times in seconds:
        cluster_id: names the cluster when it is first started; DataNodes of another one are refused.
        retention_s: a DataNode silent for so long is given up; sweep_s: how often that is checked.
        repair_s: how often replication is checked; propagation_s: how long a chunk may be short before it is copied.
        order_timeout_s: after so long an order to copy is given again; streams_per_source: orders for a DataNode at one check.
        reserve_bytes: a DataNode with less disk free gets no more chunks.
        safe_share, safe_timeout_s: safe mode ends when this share of the chunks is reported, or after this time.
        session_retention_s: how long results are kept for a client that fell silent; session_sweep_s: how often that is checked.
    """
