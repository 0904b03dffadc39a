"""tcpretrans against the kernel's own counts of a network whose peers have gone deaf."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import FTRACEPY, rows_of
from tests.support import retransmitting
from tests.support.occupied import occupied

_LOOPBACK = {4: "127.0.0.1:", 6: "[::1]:"}


def provoked(tmp_path: Path, version: int, *kinds: str, options: tuple[str, ...] = ()) -> tuple[list[dict[str, Any]], Any]:
    """The tool's rows, and what the kernel counted meanwhile."""
    out = tmp_path / "counts"
    work = shlex.join([sys.executable, "-S", retransmitting.__file__, str(version), *kinds])
    line = [*FTRACEPY, "tcpretrans", *options, "--format", "json", "--strict", "--", "sh", "-c", f"{work} >{out}"]
    done = subprocess.run(line, capture_output=True, check=True, timeout=120)
    rows = [row for row in rows_of(done.stdout) if row["local"].startswith(_LOOPBACK[version])]
    return rows, json.loads(out.read_text())


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.counted("tcpretrans", "each segment, SYN and SYN-ACK sent again, IPv4 and IPv6")
def test_each_segment_sent_again_is_one_row(clean_kernel: Tracefs, tmp_path: Path, version: int) -> None:
    rows, counts = provoked(tmp_path, version, "data", "syn", "synack")
    assert len(rows) == counts["RetransSegs"] > 3
    states = Counter((row["kind"], row["state"]) for row in rows)
    assert states["R", "SYN_SENT"] + states["S", "SYN_RECV"] == counts["TCPSynRetrans"]
    assert states["R", "ESTABLISHED"] >= 2
    assert {row["family"] for row in rows} == {2 if version == 4 else 10}
    assert all(row["remote"].startswith(_LOOPBACK[version]) and row["err"] is None for row in rows)


@pytest.mark.counted("tcpretrans", "each tail loss probe", options={"probes": True})
def test_tail_loss_probes_are_told_apart(
    clean_kernel: Tracefs, features: dict[str, bool | None], tmp_path: Path, requires: Callable[[str], None]
) -> None:
    if not features["kprobes"]:
        requires("stack traces")
    rows, counts = provoked(tmp_path, 4, "tail", options=("-l",))
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["L"] <= counts["TCPLossProbes"] <= kinds["L"] + kinds["?"]
    assert counts["TCPLossProbes"] > 0
    assert not (features["kprobes"] and kinds["?"])
    assert kinds["L"] + kinds["R"] + kinds["?"] == counts["RetransSegs"]
    assert all(row["stack"] is None for row in rows)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.counted("tcpretrans", "each tail loss probe, those with new data too", options={"probes": True})
def test_probes_with_new_data_are_shown(
    clean_kernel: Tracefs, tmp_path: Path, requires: Callable[[str], None], version: int
) -> None:
    requires("kprobes")
    requires("BTF")
    rows, counts = provoked(tmp_path, version, "fresh", "tail", options=("-l",))
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["L"] + kinds["N"] == counts["TCPLossProbes"]
    assert kinds["L"] >= 1
    assert kinds["N"] >= 1
    new = [row for row in rows if row["kind"] == "N"]
    assert {(row["family"], row["state"]) for row in new} == {(2 if version == 4 else 10, "ESTABLISHED")}
    ends = {(row["local"], row["remote"]) for row in rows if row["kind"] != "N"}
    assert all((row["local"], row["remote"]) in ends for row in new)  # of what was lost then, some was sent again


def test_stacks_show_what_sent_it(clean_kernel: Tracefs, tmp_path: Path, requires: Callable[[str], None]) -> None:
    requires("stack traces")
    with occupied():
        rows, counts = provoked(tmp_path, 4, "data", options=("-s",))
    assert len(rows) == counts["RetransSegs"]
    stacks = [row["stack"] for row in rows if row["stack"] is not None]
    assert stacks
    assert all(any(name.startswith("tcp_") for name in stack) for stack in stacks)
