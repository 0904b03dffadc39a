"""Texts from the kernel's own copies: 307 opens and 101 execs, names in memory nobody has touched, names at their limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftracepy.errors import KernelCannot
from ftracepy.live.plan import plan
from ftracepy.live.ways import argv_kernel, canary, path_eprobe, path_field, path_kprobe
from ftracepy.live.ways.trials import Offer, Trials
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.symbols import words
from ftracepy.tracefs import Tracefs
from tests.kernel.test_ways import EXECS, OPENS, N, Seen, answers, opener, opens_of_all_kinds, programs, shm

__all__ = ["shm"]

# Opens, one after the other, names that lie alone in pages of a file mapped into memory and not read before.
_UNTOUCHED = """
import ctypes, json, mmap, os, sys
names = [name.encode() for name in json.load(open(sys.argv[1]))]
libc, size = ctypes.CDLL(None), 4096 * len(names)
with open(sys.argv[1] + ".pages", "w+b") as file:
    for name in names:
        file.write(name.ljust(4096, b"\\0"))
    file.flush()
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, ctypes.c_size_t(size), 1, 2, file.fileno(), ctypes.c_long(0))
for number in range(len(names)):
    libc.open(ctypes.c_void_p(at + 4096 * number), os.O_RDONLY)
print(json.dumps([os.getpid(), []]))
"""


def paths_passed(seen: Seen, pid: int) -> list[str]:
    """The last text before the end of each open of one thread."""
    found, text = [], ""
    for event in seen.events:
        if event.pid != pid:
            continue
        if event.name == "path_kernel":
            text = event["path"]
        elif event.name == "sys_exit_openat":
            found.append(text)
            text = ""
    return found


@pytest.fixture
def copies(clean_kernel: Tracefs, requires: Any) -> Tracefs:
    """A kernel whose own copy of a name can be read."""
    requires("kprobes")
    return clean_kernel


def test_every_open_of_307_is_as_passed(copies: Tracefs, tmp_path: Path, shm: Path) -> None:
    kinds = opens_of_all_kinds(tmp_path, shm)
    seen = Seen(copies, OPENS, opener(tmp_path / "todo", kinds, tmp_path))
    assert seen.uses("kprobe on do_")
    pid, results = answers(tmp_path / "todo")
    assert results == [0] * N
    assert paths_passed(seen, pid)[-N:] == [path for path, _ in kinds]


def test_names_at_their_limits(copies: Tracefs, tmp_path: Path) -> None:
    """PATH_MAX is 4096 bytes with the NUL; a record of the ring buffer holds a little less than a page."""
    kinds = [("x", 0), ("./" * 120 + "new\nline", 0), ("\N{SNOWMAN}", 0), ("/" + "y/" * 1900, 0), ("z" * 255, os.O_CREAT)]
    seen = Seen(copies, OPENS, opener(tmp_path / "todo", kinds, tmp_path))
    pid, _ = answers(tmp_path / "todo")
    assert paths_passed(seen, pid)[-len(kinds) :] == [path for path, _ in kinds]


def test_names_in_memory_not_touched_yet(copies: Tracefs, tmp_path: Path) -> None:
    names = [f"/no/such/{at}" for at in range(101)]
    todo = tmp_path / "todo"
    todo.write_text(json.dumps(names))

    def action() -> None:
        done = subprocess.run([sys.executable, "-c", _UNTOUCHED, todo], capture_output=True, check=True, timeout=60)
        todo.with_suffix(".done").write_bytes(done.stdout)

    seen = Seen(copies, OPENS, action)
    pid, _ = answers(todo)
    assert paths_passed(seen, pid)[-101:] == names


def argv_shown(seen: Seen) -> list[list[str]]:
    found = []
    for event in seen.events:
        if event.name == "argv_kernel":
            block = b"".join(words.raw(event[f"block{at}"]) for at in range(4))
            if "argc" in event:
                found.append([part.decode() for part in block.split(b"\0")[: event["argc"]]])
                continue
            size = event["end"] - event["start"]
            assert size <= len(block)
            found.append([part.decode() for part in block[:size].split(b"\0")[:-1]])
    return found


def test_every_exec_of_101_has_its_argv(copies: Tracefs, tmp_path: Path, requires: Any) -> None:
    requires("argv: kprobe on its stack" if os.uname().machine == "x86_64" else "BTF")
    todo = programs(tmp_path)

    def action() -> None:
        for argv in todo:
            subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, timeout=60)

    seen = Seen(copies, EXECS, action)
    assert any(map(seen.uses, ("proc_exec_connector", "sched_process_exec", "start_thread")))
    shown = [argv for argv in argv_shown(seen) if argv in todo]
    assert shown == todo


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="this architecture inlines start_thread")
def test_argv_on_the_new_stack_where_there_are_no_types(copies: Tracefs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> Any:
        raise KernelCannot("no types")

    monkeypatch.setattr(argv_kernel, "by_tracepoint", none)
    monkeypatch.setattr(argv_kernel, "by_kprobe", none)
    test_every_exec_of_101_has_its_argv(copies, tmp_path, lambda _feature: None)


def test_a_script_shows_its_interpreter(copies: Tracefs, tmp_path: Path, requires: Any) -> None:
    requires("argv: kprobe on its stack" if os.uname().machine == "x86_64" else "BTF")
    programs(tmp_path)
    script = str(tmp_path / "script")
    seen = Seen(copies, EXECS, lambda: subprocess.run([script, "one"], check=True, timeout=60))
    assert ["/bin/sh", script, "one"] in argv_shown(seen)


@pytest.mark.parametrize("offer", ["kprobe", "field", "event probe"])
def test_each_way_to_a_path_shows_a_known_one_or_is_refused(clean_kernel: Tracefs, tmp_path: Path, offer: str) -> None:
    trials = Trials(clean_kernel, Verdicts(tmp_path))
    offers: dict[str, Offer] = {
        "kprobe": lambda: path_kprobe.candidates(clean_kernel),
        "field": lambda: path_field.candidate(clean_kernel),
        "event probe": lambda: path_eprobe.candidate(clean_kernel, ("open", "openat", "openat2", "creat")),
    }
    found = trials.first(offers[offer])
    if found is None:
        assert trials.refused
        return
    for _ in range(7):
        canary.prove(clean_kernel, found)


def test_a_plan_says_kernels_copy_where_kprobes_work(copies: Tracefs) -> None:
    assert {way.provenance for way in plan(OPENS, copies).ways} == {"kernel-copy"}
