"""Directories and files with more entries than one answer holds."""

from __future__ import annotations

from unittest import mock

import pytest

from bloompy_fs import client as client_module
from bloompy_fs.cluster import LocalCluster


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_all_entries_and_all_chunks_are_told_page_by_page(limit: int) -> None:
    with mock.patch.object(client_module, "PAGE_LIMIT", limit), LocalCluster(1) as cluster, cluster.client(chunk_size=10) as fs:
        fs.mkdir("/d")
        for name in "dgacfbe":
            fs.create(f"/d/{name}")
        assert [status.name for status in fs.ls("/d")] == list("abcdefg")
        fs.put(bytes(range(65)), "/f", replication=1)
        assert [(chunk.start, chunk.length) for chunk in fs.chunks("/f")] == [(i, min(10, 65 - i)) for i in range(0, 65, 10)]
        assert fs.read("/f", 15, 30) == bytes(range(15, 45))
