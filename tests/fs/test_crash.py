"""kill -9 of the NameNode in the middle of work: nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bloompy_fs.cluster import LocalCluster


def test_a_client_goes_on_over_kills_of_the_namenode(tmp_path: Path) -> None:
    with LocalCluster(1, tmp_path, processes=True) as cluster, cluster.client(replication=1, timeout_s=60) as fs:
        done: list[str] = []
        stop = threading.Event()
        errors: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    name = f"/{len(done)}"
                    fs.create(name)
                    fs.mv(name, name + "-moved")  # a second application would be ENOENT
                    done.append(name + "-moved")
            except BaseException as error:
                errors.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(2):
                before = len(done)
                cluster.wait_for(lambda before=before: len(done) > before + 5 or bool(errors), "some work to be done")  # type: ignore[misc]
                time.sleep(0.01)
                cluster.kill_namenode()
                cluster.start_namenode()
        finally:
            stop.set()
            worker.join()
        assert errors == []
        assert {status.path for status in fs.ls("/")} == set(done)
