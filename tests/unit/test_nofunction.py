"""Why a function cannot be traced: the reason that holds, and names near the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.live.ways import nofunction
from ftracepy.tracefs import cmdlines
from ftracepy.tracefs.functions import Function

NAMES = ["vfs_read", "vfs_readv", "vfs_write", "__x64_sys_openat", "free_pages.part.0", "tick_sched_timer"]
KNOWN = [Function(name) for name in NAMES] + [Function("nvme_submit", "nvme_core")]


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    symbols = b"ffff1 T do_syscall_64\nffff2 D jiffies\nffff3 t free_pages.part.0\nffff4 t nvme_x\t[nvme_core]\nffff5 T stop_it\n"
    monkeypatch.setattr(cmdlines, "kallsyms", lambda: symbols)
    blacklist = tmp_path / "blacklist"
    blacklist.write_text("0xffff5-0xffff6\tstop_it\n")
    monkeypatch.setattr(nofunction, "_BLACKLIST", blacklist)


@pytest.mark.parametrize(
    ("pattern", "why", "hint"),
    [
        ("vfs_raed", "misspelt", "'vfs_read'"),
        ("sys_openat", "no function of that name", "'__x64_sys_openat'"),
        ("free_pages", "free_pages.part.0", "'free_pages.part.0'"),
        ("do_syscall_64", "notrace", ""),
        ("jiffies", "a variable", ""),
        ("stop_it", "blacklist", ""),
        ("nvme_x", "notrace", "'nvme_submit'"),
        ("qxz_*", "matches", ""),
        ("no_such_module_x:*", "there is no module no_such_module_x", ""),
    ],
)
def test_the_reason_and_what_is_near(pattern: str, why: str, hint: str) -> None:
    fault = nofunction.no_such_function(pattern, KNOWN)
    assert pattern in fault.what
    assert why in fault.why
    assert hint in fault.hint


def test_at_most_a_few_names() -> None:
    assert nofunction.near("vfs_rea", [f"vfs_read{at}" for at in range(50)]) == [
        "vfs_read0",
        "vfs_read1",
        "vfs_read2",
        "vfs_read3",
    ]
