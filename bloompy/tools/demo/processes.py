"""The servers of the demo as child processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

_LISTENING = re.compile(r"(?:\blistening on|^\w+) (?P<address>[\w.]+:\d+)\b", re.MULTILINE)


class Server:
    """One server process: `python -m bloompy …`, its output in a log file.

    It stands in a process group of its own, so that Ctrl-C reaches only the demo, which then ends it in order.
    """

    def __init__(self, name: str, command: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.address = ""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bloompy", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_listening(self, timeout_s: float = 30) -> str:
        """The address that it says it listens on. Raises click.ClickException with its log if it does not come up."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := _LISTENING.search(self.log.read_text(errors="replace")):
                self.address = found["address"]
                return self.address
            self.check()
            time.sleep(0.02)
        raise click.ClickException(f"{self.name} did not begin to listen within {timeout_s:g} s\n{self.tail()}")

    def check(self) -> None:
        """Raises click.ClickException with the end of its log if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise click.ClickException(f"{self.name} ended with exit status {code}\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL to it and what it started: it can say nothing to anybody any more."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM: it ends when it has put away its things."""
        self._signal(signal.SIGTERM)

    def stop(self, timeout_s: float = 5) -> None:
        """Wait for its end, and SIGKILL if that does not come; what it started goes too."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        self.kill()

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(f"  {self.name}: {line}" for line in self.log.read_text(errors="replace").splitlines()[-lines:])

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
