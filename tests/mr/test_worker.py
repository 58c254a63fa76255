"""What workers do, piece by piece, in this process: lines, partition, runs, combining, merging, files, signing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy_mr import jobfile, runs
from bloompy_mr.errors import DataError, FetchFailed, JobError, SignatureRefused
from bloompy_mr.files import LocalFiles
from bloompy_mr.job import Job, job_of
from bloompy_mr.jobfile import Split
from bloompy_mr.partition import stable_hash, stable_partition
from bloompy_mr.ready import grep, inverted_index, wordcount
from bloompy_mr.shuffle import Fetcher, ShuffleServer, map_output_path
from bloompy_mr.splits import splits_of
from bloompy_mr.worker import mapping
from bloompy_mr.worker.gauge import Gauge
from bloompy_mr.worker.lines import chunks_of
from bloompy_mr.worker.mapping import pairs_of, run_map
from bloompy_mr.worker.reducing import Shuffled, reduced, write_pairs

# -- lines


@given(st.lists(st.text(alphabet="abü€ \r", max_size=12)), st.integers(1, 30), st.integers(1, 20), st.booleans())
def test_every_line_is_in_exactly_one_split(lines: list[str], split_bytes: int, chunk_bytes: int, ended: bool):
    data = "\n".join(lines).encode() + (b"\n" if ended else b"")
    found = []
    for start in range(0, len(data), split_bytes):
        for chunk in chunks_of(io.BytesIO(data), start, min(split_bytes, len(data) - start), chunk_bytes):
            offsets, texts = chunk.records()
            found += zip(offsets, texts, strict=False)
    parts = data.split(b"\n")
    starts = [sum(len(part) + 1 for part in parts[:i]) for i in range(len(parts))]
    if not parts[-1]:
        parts.pop()
    assert found == [(start, part.decode().removesuffix("\r")) for start, part in zip(starts, parts, strict=False)]


def test_bytes_that_are_no_text_become_replacement_characters():
    (chunk,) = chunks_of(io.BytesIO(b"a\xffb\nc\n"), 0, 6)
    offsets, lines = chunk.records()
    assert (list(offsets)[:2], lines) == ([0, 4], ["a\ufffdb", "c"])


def test_splits_cut_files_at_the_given_length(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x" * 250)
    (tmp_path / "b").write_bytes(b"")
    found = [(Path(one.split.path).name, one.split.start, one.split.length) for one in splits_of([str(tmp_path)], split_bytes=100)]
    assert found == [("a", 0, 100), ("a", 100, 100), ("a", 200, 50)]


def test_a_rest_little_longer_than_a_split_is_not_cut(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x" * 109)
    assert [one.split.length for one in splits_of([str(tmp_path / "*")], split_bytes=100)] == [109]


def test_input_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(JobError, match="no file at '.*nothing'"):
        splits_of([str(tmp_path / "nothing")])


# -- partition


def test_the_partition_is_the_same_in_every_process():
    keys = "['word', 'ü', 7, 2.5, None, True, b'x', ('a', 1)]"
    code = f"from bloompy_mr.partition import stable_hash; print([stable_hash(key) for key in {keys}])"
    results = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(results) == 1
    assert results.pop().strip() == str([stable_hash(key) for key in eval(keys)])


whole_numbers = st.integers(-(2**60), 2**60).map(lambda i: (i, float(i))).filter(lambda pair: pair[0] == pair[1])


@given(st.one_of(whole_numbers, st.booleans().map(lambda b: (b, int(b)))))
def test_equal_keys_have_equal_partitions(pair: tuple[Any, Any]):
    assert stable_hash(pair[0]) == stable_hash(pair[1])
    assert stable_hash((pair[0], "x")) == stable_hash((pair[1], "x"))


def test_the_partition_spreads_keys():
    parts = Counter(stable_partition(f"word{i}", 4) for i in range(4000))
    assert min(parts.values()) > 900


def test_a_key_without_default_partition_is_an_error_with_a_remedy():
    with pytest.raises(DataError, match="type frozenset has no default partition") as found:
        stable_partition(frozenset(), 2)
    assert "partition function" in (found.value.hint or "")


# -- runs

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), st.text(), st.binary())
values = st.one_of(scalars, st.tuples(scalars, scalars))


@given(st.dictionaries(st.text(), st.lists(values, min_size=1)))
def test_a_run_is_read_as_it_was_written(groups: dict[str, list[Any]]):
    out = io.BytesIO()
    entries = sorted(groups.items())
    length = runs.write_run(out, entries)
    assert length == len(out.getvalue())
    assert list(runs.read_run(io.BytesIO(out.getvalue()))) == entries


def test_tuples_are_keys():
    out = io.BytesIO()
    runs.write_run(out, [(("a", 1), [("x",)])])
    assert list(runs.read_run(io.BytesIO(out.getvalue()))) == [(("a", 1), [("x",)])]


@pytest.mark.parametrize("at", [0, 9, -1])
def test_a_damaged_run_is_noticed(at: int):
    out = io.BytesIO()
    runs.write_run(out, [("a", [1]), ("b", [2])])
    data = bytearray(out.getvalue())
    data[at] ^= 1
    with pytest.raises(DataError, match="damaged"):
        list(runs.read_run(io.BytesIO(bytes(data))))


def test_a_value_that_cannot_be_stored_is_an_error_with_a_remedy():
    with pytest.raises(DataError, match="cannot be stored") as found:
        runs.write_run(io.BytesIO(), [("a", [object()])])
    assert "emit None, bool, int" in (found.value.hint or "")


def test_keys_without_an_order_are_an_error():
    with pytest.raises(DataError, match="must have an order"):
        runs.ordered(["a", 1])


@given(st.lists(st.dictionaries(st.integers(0, 20), st.lists(st.integers(), min_size=1)), max_size=5))
def test_both_merges_give_the_same_groups(parts: list[dict[int, list[int]]]):
    expected: defaultdict[int, list[int]] = defaultdict(list)
    for part in parts:
        for key, numbers in part.items():
            expected[key] += numbers
    for merge in (runs.merged, runs.grouped):
        copies = [iter([(key, list(part[key])) for key in sorted(part)]) for part in parts]
        assert [(key, list(found)) for key, found in merge(copies)] == sorted(expected.items())


def test_more_runs_than_can_be_open_are_merged_in_passes(tmp_path: Path):
    def source(number: int):
        out = io.BytesIO()
        runs.write_run(out, [(key, [number]) for key in range(number % 7, 50)])
        return lambda: io.BytesIO(out.getvalue())

    few = runs.narrowed([source(i) for i in range(300)], tmp_path)
    assert len(few) <= runs.MERGE_FAN_IN
    found = {key: sorted(numbers) for key, numbers in runs.merged([runs.read_run(one()) for one in few])}
    assert found == {key: [i for i in range(300) if key >= i % 7] for key in range(50)}


# -- map and reduce

TEXT = "a rose is a rose\nis a rose\n\nüber alles 12 12\n" * 40


def mapreduce(job: Job, directory: Path, texts: list[str], reduces: int = 3) -> dict[int, list[str]]:
    """The job on some files, in this process: lines of each part."""
    outputs = []
    for i, text in enumerate(texts):
        path = directory / f"in{i}"
        path.write_text(text)
        split = Split(str(path), 0, path.stat().st_size)
        index = run_map(job, LocalFiles(), split, reduces, directory / f"map{i}", Gauge())
        outputs.append((directory / f"map{i}", index))
    parts = {}
    for number in range(reduces):
        shuffled = Shuffled(directory)
        for path, index in outputs:
            shuffled.add(runs.segment(path, *index[number]).read())
        out = io.BytesIO()
        write_pairs(job, reduced(job, shuffled.groups(), Gauge()), out)
        parts[number] = out.getvalue().decode().splitlines()
    return parts


def counts(parts: dict[int, list[str]]) -> dict[str, int]:
    return {word: int(number) for lines in parts.values() for word, number in (line.split("\t") for line in lines)}


@pytest.mark.parametrize("buffered", [4_000_000, 40, 1])
def test_wordcount_counts_words_whatever_is_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: int):
    monkeypatch.setattr(mapping, "BUFFERED_VALUES", buffered)
    monkeypatch.setattr(mapping, "CHUNK_BYTES", 64)
    monkeypatch.setattr(mapping, "chunks_of", lambda source, start, length: chunks_of(source, start, length, 64))
    parts = mapreduce(wordcount.make(), tmp_path, [TEXT, TEXT.upper()])
    assert counts(parts) == Counter((TEXT + TEXT.upper()).split())
    assert all(lines == sorted(lines, key=lambda line: line.split("\t")[0]) for lines in parts.values())
    assert not list(tmp_path.glob("*.spill*"))


def test_without_combine_the_result_is_the_same(tmp_path: Path):
    from attrs import evolve

    job = evolve(wordcount.make(), combine=None)
    assert counts(mapreduce(job, tmp_path, [TEXT])) == Counter(TEXT.split())


def test_large_input_of_a_reduce_is_merged_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bloompy_mr.worker.reducing.IN_MEMORY_BYTES", 50)
    assert counts(mapreduce(wordcount.make(), tmp_path, [TEXT, TEXT])) == Counter((TEXT + TEXT).split())
    assert list(tmp_path.glob("run-*"))


def test_a_combine_that_changes_its_key_is_an_error(tmp_path: Path):
    job = Job(map=wordcount.map, combine=lambda key, values: [(key.upper(), 1)], reduce=wordcount.add)
    with pytest.raises(DataError, match="combine was called for key 'a' and emitted 'A'"):
        mapreduce(job, tmp_path, [TEXT])


def test_a_partition_out_of_range_is_an_error(tmp_path: Path):
    job = Job(map=wordcount.map, reduce=wordcount.add, partition=lambda key, reduces: 3)
    with pytest.raises(DataError, match="the partition function gave 3"):
        mapreduce(job, tmp_path, [TEXT], reduces=3)


def test_an_exception_of_the_map_names_the_record(tmp_path: Path):
    def map(key: int, line: str):
        yield 1 // (0 if "über" in line else 1), 1

    job = Job(map=map, reduce=wordcount.add)
    with pytest.raises(ZeroDivisionError) as found:
        mapreduce(job, tmp_path, [TEXT])
    assert "record: 'über alles 12 12'" in found.value.__notes__[0]
    path = tmp_path / "in0"
    with pytest.raises(ZeroDivisionError) as found:
        list(pairs_of(job, LocalFiles(), Split(str(path), 0, path.stat().st_size), Gauge()))
    assert "record: 'über alles 12 12'" in found.value.__notes__[0]


def test_an_exception_of_the_reduce_names_the_key(tmp_path: Path):
    job = Job(map=wordcount.map, reduce=lambda key, values: [(key, 1 / 0)])
    with pytest.raises(ZeroDivisionError) as found:
        mapreduce(job, tmp_path, [TEXT], reduces=1)
    assert found.value.__notes__ == ["key: '12'"]


def test_the_gauge_moves_within_a_batch():
    gauge, values = Gauge(), list(range(4))
    rest = iter(values)
    gauge.within(0.5, 0.9, values, rest)
    readings = [gauge.read()]
    for _ in rest:
        readings.append(gauge.read())
    assert [round(one, 2) for one in readings] == [0.5, 0.6, 0.7, 0.8, 0.9]


def test_grep_finds_lines(tmp_path: Path):
    assert counts(mapreduce(grep.make(r"\d+"), tmp_path, [TEXT], 1)) == {"über alles 12 12": 40}
    with pytest.raises(JobError, match="no regular expression"):
        grep.make("(")


def test_inverted_index_lists_files(tmp_path: Path):
    parts = mapreduce(inverted_index.make(), tmp_path, ["Rose is", "a rose"])
    found = dict(line.split("\t") for lines in parts.values() for line in lines)
    assert found == {"rose": f"{tmp_path}/in0 {tmp_path}/in1", "is": f"{tmp_path}/in0", "a": f"{tmp_path}/in1"}


# -- jobs


def test_a_class_is_a_job():
    class Longest:
        reduces = 3

        def map(self, key: int, line: str):
            yield "longest", len(line)

        def reduce(self, key: str, values: Any):
            yield key, max(values)

    job = job_of(Longest)
    assert (job.name, job.reduce_tasks, job.combine) == ("Longest", 3, None)
    assert list(job.map(0, "abc")) == [("longest", 3)]
    assert job_of(Longest(), reduces=1).reduces == 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"map": 3}, "map is 3, no function"),
        ({"map": len, "reduces": -1}, "reduces is -1"),
        ({"map": len, "combine": len}, "a combine without a reduce"),
        ({"map": len, "input_format": "xml"}, "input_format 'xml' is unknown"),
    ],
)
def test_a_job_that_does_not_fit_is_an_error(attributes: dict[str, Any], message: str):
    with pytest.raises(JobError, match=message):
        Job(**attributes)


def test_a_function_that_makes_a_job_is_a_job():
    assert job_of(wordcount.make).name == "wordcount"
    with pytest.raises(JobError, match="make cannot be called without arguments"):
        job_of(grep.make)


def test_something_without_a_map_is_no_job():
    with pytest.raises(JobError, match="has no method map"):
        job_of(object())


SPLITS = (Split("/a", 0, 1),)


def test_a_job_file_is_loaded_only_with_the_secret_that_signed_it():
    file = jobfile.make(wordcount.make(), SPLITS, "/out", b"right")
    job, found = jobfile.load(file, b"right")
    assert (job.name, found.splits) == ("wordcount", SPLITS)
    with pytest.raises(SignatureRefused, match="was not loaded"):
        jobfile.load(file, b"wrong")


def test_a_changed_job_file_is_not_unpickled(tmp_path: Path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    import cloudpickle

    good = jobfile.make(wordcount.make(), SPLITS, "/out", b"secret")
    for bad in (
        jobfile.JobFile(cloudpickle.dumps(Bomb()), good.settings, good.signature),
        jobfile.JobFile(good.code, good.settings.replace(b"/out", b"/etc"), good.signature),
        jobfile.JobFile(good.code + good.settings[:1], good.settings[1:], good.signature),
    ):
        with pytest.raises(SignatureRefused, match="was not loaded"):
            jobfile.load(bad, b"secret")
    assert not (tmp_path / "exploded").exists()


def test_a_job_that_cannot_be_pickled_is_an_error(tmp_path: Path):
    with (tmp_path / "file").open("w") as held:
        job = Job(map=lambda key, line: [(held, line)])
        with pytest.raises(JobError, match="cannot be pickled"):
            jobfile.make(job, SPLITS, "/out", b"secret")


# -- shuffle


def test_runs_are_fetched_only_with_the_secret(tmp_path: Path):
    path = map_output_path(tmp_path, 1, 2, 0)
    path.parent.mkdir()
    (tmp_path / "in").write_text("a b c\n")
    index = run_map(wordcount.make(), LocalFiles(), Split(str(tmp_path / "in"), 0, 6), 2, path, Gauge())
    server = ShuffleServer(tmp_path, b"secret")
    try:
        fetcher = Fetcher(b"secret", timeout_s=5)
        for reduce in (0, 1):
            assert fetcher.fetch(server.address, 1, 2, 0, reduce) == runs.segment(path, *index[reduce]).read()
        with pytest.raises(FetchFailed, match="has no output of map 2.1"):
            fetcher.fetch(server.address, 1, 2, 1, 0)
        with pytest.raises(FetchFailed, match="has no output"):
            fetcher.fetch(server.address, 1, 2, 0, 7)
        fetcher.close()
        stranger = Fetcher(b"guess", timeout_s=5)
        with pytest.raises(FetchFailed, match="closed"):
            stranger.fetch(server.address, 1, 2, 0, 0)
    finally:
        server.close()
    with pytest.raises(FetchFailed, match="cannot be fetched"):
        Fetcher(b"secret", timeout_s=1).fetch(server.address, 1, 2, 0, 0)


def test_a_connection_that_the_tracker_has_closed_meanwhile_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bloompy_mr.shuffle.IDLE_TIMEOUT_S", 0.1)
    path = map_output_path(tmp_path, 1, 0, 0)
    path.parent.mkdir()
    (tmp_path / "in").write_text("a b c\n")
    run_map(wordcount.make(), LocalFiles(), Split(str(tmp_path / "in"), 0, 6), 1, path, Gauge())
    server = ShuffleServer(tmp_path, b"secret")
    try:
        fetcher = Fetcher(b"secret", timeout_s=5)
        first = fetcher.fetch(server.address, 1, 0, 0, 0)
        time.sleep(0.4)
        assert fetcher.fetch(server.address, 1, 0, 0, 0) == first
        fetcher.close()
    finally:
        server.close()


# -- files


def test_of_two_commits_of_one_output_the_first_stays(tmp_path: Path):
    files = LocalFiles()
    for text in ("first", "second"):
        with files.create(str(tmp_path / text)) as out:
            out.write(text.encode())
        files.commit(str(tmp_path / text), str(tmp_path / "part"))
    assert (tmp_path / "part").read_text() == "first"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["part"]
