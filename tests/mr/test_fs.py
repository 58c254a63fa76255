"""MapReduce over bloompy_fs: chunks are splits, tasks go to where the chunks are, output is in the file system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

import bloompy_fs
from bloompy_fs.servers import DataNodeServer, namenode_server
from bloompy_mr import Job, LocalCluster
from bloompy_mr.errors import JobError
from bloompy_mr.fsfiles import FsFiles
from bloompy_mr.ready import wordcount
from bloompy_mr.splits import splits_of

SECRET = b"secret of the tests"
TEXT = "a rose is a rose\nis a rose\n\nüber alles 12 12\n" * 200


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """fs://host:port of a file system of two machines, m0 and m1."""
    directory = tmp_path_factory.mktemp("fs")
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        node = stack.enter_context(portal.wrap_async_context_manager(namenode_server("127.0.0.1:0", None, SECRET)))
        for i in range(2):
            server = DataNodeServer(node.address, directory / f"d{i}", secret=SECRET, host=f"m{i}", heartbeat_s=0.2, scrub_s=None)
            stack.enter_context(portal.wrap_async_context_manager(server))
        yield f"fs://{node.address}"


@pytest.fixture(scope="module")
def fs(root: str) -> Iterator[bloompy_fs.Client]:
    with bloompy_fs.Client(root.removeprefix("fs://"), SECRET, chunk_size=5000, replication=1) as client:
        client.mkdir("/in")
        for i in range(2):
            client.put(TEXT.encode(), f"/in/{i}.txt")
        yield client


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2, map_slots=1, reduce_slots=1, heartbeat_s=0.2, secret=SECRET) as made:
        yield made


def test_splits_are_chunks_with_their_machines(root: str, fs: bloompy_fs.Client):
    found = splits_of([root + "/in"], secret=SECRET)
    assert sum(one.split.length for one in found) == 2 * len(TEXT.encode())
    assert {one.split.path for one in found} == {root + "/in/0.txt", root + "/in/1.txt"}
    assert {one.split.start for one in found} == {0, 5000}
    assert {host for one in found for host in one.hosts} <= {"m0", "m1"}
    assert all(len(one.hosts) == 1 for one in found)


def test_wordcount_from_and_to_the_file_system(root: str, fs: bloompy_fs.Client, cluster: LocalCluster):
    status = cluster.client.run(wordcount.make(), root + "/in/*.txt", root + "/out/deep")
    assert status.maps >= 4
    assert [one.name for one in fs.ls("/out/deep")] == ["_SUCCESS", "part-00000", "part-00001"]
    text = "".join(fs.read(f"/out/deep/part-0000{i}").decode() for i in range(2))
    assert {word: int(number) for word, number in (line.split("\t") for line in text.splitlines())} == Counter((TEXT * 2).split())


def test_lines_across_chunks_are_read_once(root: str, fs: bloompy_fs.Client, cluster: LocalCluster):
    job = Job(map=lambda offset, line: [(offset, line)], name="copy")
    cluster.client.run(job, root + "/in/0.txt", root + "/copy")
    lines = "".join(fs.read(one.path).decode() for one in fs.ls("/copy")).splitlines()
    assert [line.split("\t")[1] for line in sorted(lines, key=lambda line: int(line.split("\t")[0]))] == TEXT.splitlines()


def test_output_of_another_attempt_stays(root: str, fs: bloompy_fs.Client):
    files = FsFiles(SECRET)
    for text in (b"first", b"second"):
        with files.create(f"{root}/commit/{text.decode()}") as out:
            out.write(text)
        files.commit(f"{root}/commit/{text.decode()}", f"{root}/commit/part")
    assert [one.name for one in fs.ls("/commit")] == ["part"]
    assert fs.read("/commit/part") == b"first"


@pytest.mark.parametrize("path", ["/nothing", "/in/*.log", "/no*/where"])
def test_input_that_is_not_there_is_named(root: str, fs: bloompy_fs.Client, path: str):
    with pytest.raises(JobError, match="no file at 'fs://"):
        splits_of([root + path], secret=SECRET)


def test_a_path_without_an_address_is_an_error(tmp_path: Path):
    with pytest.raises(JobError, match="names no file of a bloompy_fs"):
        splits_of(["fs://somewhere"], secret=SECRET)
