"""What a NameNode is started with: settings, members, where it listens."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from bloompy.errors import ParameterError, UsageError
from bloompy.tools.servers import free_addresses
from bloompy.transports.addresses import split_address
from bloompy_fs.blocking import Client
from bloompy_fs.commands import fs
from bloompy_fs.parameters import STRUCTURE
from bloompy_fs.servers import namenode_server

MEMBERS = "127.0.0.1:20001,127.0.0.1:20002,127.0.0.1:20003"
FIRST = "127.0.0.1:20001"


@pytest.mark.parametrize(
    "setting", ["window=0", "election_s=-1", "election_s=0.05", "pulse_s=0", "keep=-5", "lease_s=-1", "election_s=nan"]
)
def test_a_group_with_settings_with_which_it_could_not_work_does_not_start(tmp_path: Path, setting: str) -> None:
    arguments = ["--listen", FIRST, "--members", MEMBERS, "--store", str(tmp_path / "names.db"), "--set", setting]
    said = CliRunner().invoke(fs, ["namenode", *arguments])
    assert (said.exit_code, "listening" in said.output) == (1, False)
    assert "[BLM305]" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "setting",
    [
        "retention_s=-1",
        "retention_s=0",
        "sweep_s=0",
        "repair_s=nan",
        "claim_s=-1",
        "streams_per_source=0",
        "safe_share=1.5",
        "retention_s=inf",
    ],
)
def test_a_namenode_with_settings_with_which_it_could_not_work_does_not_start(tmp_path: Path, setting: str) -> None:
    said = CliRunner().invoke(fs, ["namenode", "--listen", "127.0.0.1:0", "--store", str(tmp_path / "names.db"), "--set", setting])
    assert (said.exit_code, "listening" in said.output) == (1, False)
    assert f"[BLM305] {setting.split('=')[0]}=" in said.stderr


@pytest.mark.parametrize("name", STRUCTURE)
def test_what_is_an_option_of_its_own_is_no_setting(tmp_path: Path, name: str) -> None:
    arguments = ["--listen", "127.0.0.1:0", "--store", str(tmp_path / "names.db"), "--set", f"{name}=1"]
    said = CliRunner().invoke(fs, ["namenode", *arguments])
    assert said.exit_code == 1
    assert f"{name} is no setting" in said.stderr
    assert "--listen and --members" in said.stderr


def test_settings_are_looked_at_in_python_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="partition is no setting"):
        namenode_server("127.0.0.1:0", None, partition=1)
    with pytest.raises(ParameterError, match="window=0"):
        namenode_server(FIRST, tmp_path / "names.db", members=MEMBERS, window=0)


@pytest.mark.parametrize(("members", "count"), [(MEMBERS, 0), (MEMBERS.rpartition(",")[0], 1), (FIRST, 0)])
def test_two_replicas_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture, members: str, count: int) -> None:
    with caplog.at_level(logging.WARNING):
        namenode_server(FIRST, tmp_path / "names.db", members=members)
    assert [record.message.startswith("of the two replicas") for record in caplog.records] == [True] * count


def test_an_address_that_is_spelt_otherwise_is_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"localhost:20002 is not among the members") as spelt:
        namenode_server("localhost:20002", tmp_path / "names.db", members=MEMBERS)
    assert "write it as the members have it, 127.0.0.1:20002;" in str(spelt.value.hint)
    with pytest.raises(UsageError, match=r"0\.0\.0\.0:20002 is not among the members") as everywhere:
        namenode_server("0.0.0.0:20002", tmp_path / "names.db", members=MEMBERS)
    assert "to listen elsewhere, as on 0.0.0.0:20002, say by --address" in str(everywhere.value.hint)


@pytest.mark.parametrize("replicated", [False, True])
def test_a_namenode_listens_on_all_interfaces_and_has_an_address(tmp_path: Path, replicated: bool) -> None:
    (address,) = free_addresses(1)
    listen, members = f"0.0.0.0:{split_address(address)[1]}", address if replicated else ""
    with (
        namenode_server(listen, tmp_path / "names.db", "secret", address=address, members=members) as node,
        Client(address, "secret") as client,
    ):
        assert node.address == address
        client.mkdir("/made")
        assert client.exists("/made")
