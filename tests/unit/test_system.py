"""Names against what the C library, the kernel's headers and /proc say."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.sidefacts import MAX_BODY_BYTES
from ftracepy.system import errnos, openflags, proc, signals, syscalls
from ftracepy.system.tasklines import TaskLine, pack_tasks, unpack_tasks

COMMS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=15)
PIDS = st.integers(0, 4194304)
TASKS = st.builds(TaskLine, PIDS, PIDS, st.integers(-1, 4194304), st.integers(-1, 2**32 - 1), COMMS)


@given(st.lists(TASKS, max_size=200))
def test_task_lines_survive_packing_and_fit_a_record(tasks: list[TaskLine]) -> None:
    bodies = list(pack_tasks(tasks))
    assert [task for body in bodies for task in unpack_tasks(body)] == tasks
    assert all(len(body) <= MAX_BODY_BYTES for body in bodies)


@given(st.binary(max_size=300))
def test_any_bytes_unpack_to_some_tasks(body: bytes) -> None:
    unpack_tasks(body)


def test_the_snapshot_has_this_thread_and_its_parent() -> None:
    seen: list[TaskLine] = []
    thread = threading.Thread(target=lambda: seen.extend(proc.threads(os.getpid())))
    thread.start()
    thread.join()
    mine = {task.tid: task for task in seen}
    assert mine[os.getpid()].ppid == os.getppid()
    assert mine[os.getpid()].uid == os.getuid()
    assert mine[os.getpid()].comm == Path("/proc/self/comm").read_text().rstrip("\n")
    assert {task.tgid for task in seen} == {os.getpid()}
    assert len(seen) >= 2


def test_a_comm_with_newline_and_backslash_is_read_back(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_bytes(b"Name:\ta\\nb\\\\n\nTgid:\t7\nPid:\t8\nPPid:\t1\nUid:\t5\t0\t0\t0\n")
    assert proc.task_line(str(status)) == TaskLine(8, 7, 1, 5, "a\nb\\n")


def test_what_is_gone_is_no_error() -> None:
    assert list(proc.threads(4194305)) == []
    assert proc.argv(4194305) is None
    assert proc.task_line("/nonexistent") is None


def test_syscall_names_by_number_agree_with_the_headers() -> None:
    assert [syscalls.name_of(number, "x86_64") for number in (0, 59, 219, 257, 322, 435, 462)] == [
        "read", "execve", "restart_syscall", "openat", "execveat", "clone3", "mseal",
    ]  # fmt: skip
    assert [syscalls.name_of(number, "i386") for number in (5, 11, 20, 295)] == ["open", "execve", "getpid", "openat"]
    assert [syscalls.name_of(number, "arm64") for number in (25, 56, 169, 221)] == ["fcntl", "openat", "gettimeofday", "execve"]


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from([*syscalls.ABIS, None]))
def test_any_number_has_some_name(number: int, abi: str | None) -> None:
    assert syscalls.name_of(number, abi)


def test_x32_and_unknown_numbers_say_so() -> None:
    assert syscalls.name_of(0x40000000 + 39, "x86_64") == "x32_getpid"
    assert syscalls.name_of(5000, "x86_64") == "syscall_5000"
    assert syscalls.name_of(-1, "x86_64") == "syscall_-1"


def test_names_people_know() -> None:
    assert syscalls.known_as("newfstat") == "fstat"
    assert syscalls.event_names("stat") == ("stat", "newstat")
    assert syscalls.number_of("openat", "x86_64") == 257
    assert syscalls.number_of("open", "arm64") is None


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EPERM, errno.EAGAIN, errno.EDEADLK, errno.EOPNOTSUPP])
def test_errno_names_are_defined_as_such(number: int) -> None:
    assert getattr(errno, errnos.name(number)) == number


def test_kernel_internal_errors_have_names() -> None:
    assert errnos.name(512) == "ERESTARTSYS"
    assert errnos.name(4000) == "4000"
    assert errnos.failed(-1)
    assert errnos.failed(-4095)
    assert not errnos.failed(-4096)
    assert not errnos.failed(0)


def test_every_signal_has_the_name_the_c_library_gives_it() -> None:
    for number in range(1, 32):
        assert signal.Signals[signals.name(number)].value == number
    assert signals.name(signal.SIGRTMIN) == "SIGRTMIN"
    assert signals.name(signal.SIGRTMIN + 3) == "SIGRTMIN+3"
    assert signals.name(signal.SIGRTMAX) == "SIGRTMAX"
    assert [signals.name(number) for number in (0, 32, 65)] == ["0", "32", "65"]


@pytest.mark.parametrize(("text", "number"), [("9", 9), ("KILL", 9), ("sigterm", 15), ("RTMIN+1", 35)])
def test_signals_are_found_by_what_users_type(text: str, number: int) -> None:
    assert signals.number(text) == number


def test_a_signal_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="NOSUCH"):
        signals.number("NOSUCH")


def test_open_flags_agree_with_the_c_library() -> None:
    assert openflags.text(os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC) == "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"
    assert openflags.text(os.O_RDWR | os.O_TMPFILE) == "O_RDWR|O_TMPFILE"
    assert openflags.text(os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) == "O_RDONLY|O_DIRECTORY|O_NOFOLLOW"
    assert openflags.text(os.O_SYNC) == "O_RDONLY|O_SYNC"
    assert openflags.text(os.O_DSYNC) == "O_RDONLY|O_DSYNC"
    assert openflags.text(0x80000000) == "O_RDONLY|0x80000000"
    assert openflags.text(0o40000, "aarch64") == "O_RDONLY|O_DIRECTORY"
