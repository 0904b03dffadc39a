"""Finding tracefs: each place it can be, and each reason why there is none told apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftracepy import tracefs
from ftracepy.errors import KernelCannot, NotPermitted
from ftracepy.tracefs import mount, permission
from ftracepy.tracefs.mount import Places
from tests.support import fake_tracefs


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracefs.ENV_ROOT, raising=False)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A system without any tracefs, whose kernel knows both file systems."""
    found = Places(tmp_path / "tracing", tmp_path / "debug", tmp_path / "proc")
    for folder in (found.tracing, found.debug, found.proc / "self"):
        folder.mkdir(parents=True)
    (found.proc / "filesystems").write_text("nodev\ttracefs\nnodev\tdebugfs\n\text4\n")
    (found.proc / "self/mountinfo").write_text("")
    return found


def test_given_by_argument_and_by_environment(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_tracefs.make(tmp_path / "given")
    assert tracefs.find(root, places=places).root == root
    monkeypatch.setenv(tracefs.ENV_ROOT, str(root))
    assert tracefs.find(places=places).root == root
    assert tracefs.find(places=places).instance("x") == root / "instances/x"
    with pytest.raises(KernelCannot, match="there is no tracefs at"):
        tracefs.find(tmp_path, places=places)


def test_its_own_place_comes_before_debugfs(places: Places) -> None:
    old = fake_tracefs.make(places.debug / "tracing")
    assert tracefs.find(places=places).root == old
    new = fake_tracefs.make(places.tracing)
    assert tracefs.find(places=places).root == new


def test_mounted_somewhere_else(tmp_path: Path, places: Places) -> None:
    root = fake_tracefs.make(tmp_path / "a b")
    escaped = str(root).replace(" ", r"\040")
    line = f"42 23 0:13 / {escaped} rw,relatime shared:1 - tracefs nodev rw\n"
    (places.proc / "self/mountinfo").write_text("1 0 8:1 / / rw - ext4 /dev/vda rw\n" + line)
    assert tracefs.find(places=places).root == root


def test_root_mounts_and_says_so(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(mount, "_mount", lambda kind, where: fake_tracefs.make(where))
    assert tracefs.find(say=said.append, places=places).root == places.tracing
    assert said == [f"mounted tracefs at {places.tracing}"]


def test_not_to_be_mounted(places: Places) -> None:
    with pytest.raises(KernelCannot, match="not mounted"):
        tracefs.find(mount=False, places=places)


def test_a_kernel_without_tracing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (places.proc / "filesystems").write_text("\text4\n")
    with pytest.raises(KernelCannot, match="this kernel has no tracefs") as caught:
        tracefs.find(places=places)
    assert "CONFIG_FTRACE" in caught.value.hint
    assert "--replay" in caught.value.hint


def test_not_root(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="only root can mount it") as caught:
        tracefs.find(places=places)
    assert caught.value.why == "you are not root"
    assert "--replay" in caught.value.hint


@pytest.mark.parametrize(
    ("uid_map", "capabilities", "lockdown", "why"),
    [
        ("0 1000 1\n", "000001ffffffffff", "", "user namespace"),
        ("0 0 4294967295\n", "00000000a80425fb", "", "CAP_SYS_ADMIN"),
        ("0 0 4294967295\n", "000001ffffffffff", "none integrity [confidentiality]\n", "lockdown"),
        ("0 0 4294967295\n", "000001ffffffffff", "[none] integrity confidentiality\n", ""),
    ],
    ids=["user namespace", "capability", "lockdown", "unknown"],
)
def test_why_root_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid_map: str, capabilities: str, lockdown: str, why: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fake_tracefs.put(tmp_path, "self/uid_map", uid_map)
    fake_tracefs.put(tmp_path, "self/status", f"Name:\tx\nCapEff:\t{capabilities}\n")
    fake_tracefs.put(tmp_path, "lockdown", lockdown)
    found = permission.why_denied(tmp_path, tmp_path)
    assert why in found
    assert bool(found) == bool(why)
