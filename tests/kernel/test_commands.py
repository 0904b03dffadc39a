"""The commands as a user runs them, live: right rows, every way to end, nothing left in the kernel."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import pytest

from ftracepy import tracefs
from ftracepy.live.owner import PREFIX
from ftracepy.tracefs import Tracefs, instances, probes

pytestmark = pytest.mark.kernel

FTRACEPY = [sys.executable, "-P", "-m", "ftracepy.cli"]
MANY = 307
PROGRAMS = 101  # an emulated processor takes a sixth of a second for each
_PATIENCE_S = 120  # an emulated processor beside others


def rows_of(output: bytes) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines()]
    return [line for line in lines if not {"notice", "loss"} & set(line)]


def watch(tool: str, command: str, *options: str) -> list[dict[str, Any]]:
    """The tool's rows while a shell command runs."""
    with running(tool, *options, "--format", "json", "--strict", "--", "sh", "-c", command) as process:
        output, words = process.communicate(timeout=_PATIENCE_S * 2)
    assert process.returncode == 0, words.decode()
    return rows_of(output)


def differing(ours: bytes, theirs: bytes) -> list[tuple[bytes | None, bytes | None]]:
    """The first few lines that differ: pytest's own comparison of long texts takes hours."""
    pairs = zip_longest(ours.splitlines(), theirs.splitlines())
    return list(islice((pair for pair in pairs if pair[0] != pair[1]), 5))


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -S -c {shlex.quote(code)}"


def left_by(pid: int) -> list[str]:
    """Instances and probe groups of one run."""
    root = tracefs.find().root
    groups = [probe.group for probe in probes.listed(root, "uprobe_events")]
    return [name for name in instances.names(root) + groups if name.startswith(f"{PREFIX}{pid}_")]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """ftracepy, which must have left nothing in the kernel when it has ended."""
    with subprocess.Popen([*FTRACEPY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
            process.communicate(timeout=_PATIENCE_S)
            assert left_by(process.pid) == []
        finally:
            process.kill()


def touch_until_seen(process: subprocess.Popen[bytes], path: Path) -> bytes:
    """Open a file again and again until the tool has shown a row of it: what it wrote until then."""
    assert process.stdout
    seen, end = b"", time.monotonic() + _PATIENCE_S
    while os.fsencode(path) not in seen and time.monotonic() < end:
        path.read_bytes()
        if select.select([process.stdout], [], [], 0.05)[0]:
            seen += os.read(process.stdout.fileno(), 1 << 16)
    assert os.fsencode(path) in seen
    return seen


@pytest.mark.counted("opensnoop", "307 opens")
def test_every_open_shows_its_path(clean_kernel: Tracefs, tmp_path: Path) -> None:
    paths = [str(tmp_path / f"file number {at}") for at in range(MANY)]
    code = f"import os\nfor at in range({MANY}): os.close(os.open({str(tmp_path)!r} + f'/file number {{at}}', 0o101))"
    shown = [row["path"] for row in watch("opensnoop", python(code)) if str(tmp_path) in (row["path"] or "")]
    assert shown == paths


def test_one_file_opened_again_and_again(clean_kernel: Tracefs, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("")
    code = f"import os\nos.chdir({str(tmp_path)!r})\nfor _ in range({MANY}): os.close(os.open('one', 0))"
    shown = [row["path"] for row in watch("opensnoop", python(code)) if (row["path"] or "").endswith("one")]
    # The kernel's copy of the name is the name as passed; fanotify tells the file.
    assert shown in ([str(tmp_path / "one")] * MANY, ["one"] * MANY)


@pytest.mark.counted("opensnoop", "307 failed opens")
def test_every_failed_open_shows_its_path_and_error(clean_kernel: Tracefs) -> None:
    code = f"import os\nfor at in range({MANY}):\n try: os.open(f'/no/such/{{at}}', 0)\n except OSError: pass"
    rows = [row for row in watch("opensnoop", python(code), "-x") if (row["path"] or "").startswith("/no/such/")]
    assert [(row["path"], row["err"], row["fd"]) for row in rows] == [(f"/no/such/{at}", "ENOENT", None) for at in range(MANY)]


@pytest.mark.counted("execsnoop", "101 programs and their arguments")
def test_every_program_shows_its_arguments(clean_kernel: Tracefs) -> None:
    rows = watch("execsnoop", f"at=0; while [ $at -lt {PROGRAMS} ]; do /bin/echo $at 'a b' >/dev/null; at=$((at + 1)); done")
    shown = [row["args"] for row in rows if row["args"][0] == "/bin/echo"]
    assert shown == [["/bin/echo", str(at), "a b"] for at in range(PROGRAMS)]


@pytest.mark.counted("killsnoop", "53 signals")
def test_every_signal_is_shown(clean_kernel: Tracefs) -> None:
    code = "import os, signal\nsignal.signal(10, lambda *_: None)\nfor _ in range(53): os.kill(os.getpid(), 10)"
    rows = watch("killsnoop", python(code))
    assert [(row["signal"], row["result"]) for row in rows if row["signal"] == "SIGUSR1"] == [("SIGUSR1", "0")] * 53
    assert all(row["pid"] == row["tpid"] for row in rows if row["signal"] == "SIGUSR1")


@pytest.mark.counted("syscount", "1220 calls, 211 of them failed")
def test_calls_are_counted_exactly(clean_kernel: Tracefs) -> None:
    code = "import os\nfor _ in range(1009): os.getsid(0)\nfor _ in range(211):\n try: os.getsid(4194304)\n except OSError: pass"
    [row] = [row for row in watch("syscount", python(code), "-c") if row["syscall"] == "getsid"]
    assert (row["count"], row["errors"]) == (1220, 211)


def test_a_command_alone(clean_kernel: Tracefs) -> None:
    """Somebody else is busy meanwhile."""
    code = "import os\nfor _ in range(1009): os.getsid(0)\nos.system('exec true')"
    with subprocess.Popen([sys.executable, "-S", "-c", "import os\nwhile True: os.getsid(0)"]) as other:
        try:
            rows = watch("syscount", python(code), "-c", "-v", "-F")
        finally:
            other.kill()
    assert [(row["count"], row["comm"].startswith("python")) for row in rows if row["syscall"] == "getsid"] == [(1009, True)]
    assert {row["comm"] for row in rows} >= {"sh", "true"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)]
)
def test_a_signal_flushes_rows_and_leaves_the_kernel_clean(clean_kernel: Tracefs, tmp_path: Path, number: int, code: int) -> None:
    file = tmp_path / "watched"
    file.write_text("")
    with running("opensnoop") as process:
        touch_until_seen(process, file)
        process.send_signal(number)
    assert process.returncode == code


def test_a_closed_pipe_ends_it(clean_kernel: Tracefs, tmp_path: Path) -> None:
    file = tmp_path / "watched"
    file.write_text("")
    with running("opensnoop") as process:
        touch_until_seen(process, file)
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        end = time.monotonic() + _PATIENCE_S
        while process.poll() is None and time.monotonic() < end:
            file.read_bytes()
            time.sleep(0.02)
        assert process.returncode == 141


def test_ctrl_c_on_a_terminal(clean_kernel: Tracefs, tmp_path: Path) -> None:
    file = tmp_path / "watched"
    file.write_text("")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(FTRACEPY[0], [*FTRACEPY, "opensnoop"])
    seen, end = b"", time.monotonic() + _PATIENCE_S
    while b"watched" not in seen and time.monotonic() < end:
        file.read_bytes()
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 1 << 16)
    os.write(terminal, b"\x03")
    while select.select([terminal], [], [], _PATIENCE_S)[0]:
        try:
            os.read(terminal, 1 << 16)
        except OSError:
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"watched" in seen
    os.close(terminal)


def test_what_is_recorded_is_what_trace_cmd_reads(clean_kernel: Tracefs, tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    work = python("import os\nfor _ in range(10007): os.getppid()")
    events = ["-e", "syscalls:sys_enter_getppid", "-e", "sched:sched_switch"]
    subprocess.run([*FTRACEPY, "record", *events, "-o", str(path), "--", "sh", "-c", work], check=True, capture_output=True)
    theirs = subprocess.run(["trace-cmd", "report", "-N", str(path)], capture_output=True, check=True)
    ours = subprocess.run([*FTRACEPY, "report", "--style", "trace-cmd", str(path)], capture_output=True, check=True)
    assert differing(ours.stdout, theirs.stdout) == []
    assert theirs.stderr == b""
    assert ours.stdout.count(b"sys_enter_getppid:") >= 10007


def test_a_live_tool_and_its_recording_say_the_same(clean_kernel: Tracefs, tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    command = ["sh", "-c", "/bin/true one; /bin/true two three; cat /missing; :"]
    subprocess.run([*FTRACEPY, "record", "--tool", "execsnoop", "-F", "-o", str(path), "--", *command], capture_output=True)
    replayed = subprocess.run(
        [*FTRACEPY, "execsnoop", "--replay", str(path), "--format", "json"], capture_output=True, check=True
    )
    live = watch("execsnoop", command[-1])
    said = [row["args"] for row in rows_of(replayed.stdout)]
    assert said[1:] == [["/bin/true", "one"], ["/bin/true", "two", "three"], ["cat", "/missing"]]
    assert all(row in [one["args"] for one in live] for row in said)


def test_a_command_that_cannot_run_is_one_message(clean_kernel: Tracefs, tmp_path: Path) -> None:
    line = [*FTRACEPY, "record", "-e", "sched:sched_switch", "-o", str(tmp_path / "x.dat"), "--", "/no/such/program"]
    done = subprocess.run(line, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"cannot run '/no/such/program'" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_process_with_its_new_threads_and_no_other(clean_kernel: Tracefs, tmp_path: Path) -> None:
    """--pid on a process that starts a thread only after tracing began."""
    file = tmp_path / "file"
    file.write_text("")
    code = (
        "import os, sys, threading\n"
        "sys.stdin.readline()\n"
        f"def work():\n for _ in range(23): os.close(os.open({str(file)!r}, 0))\n"
        "one = threading.Thread(target=work); one.start(); one.join(); work()\n"
        "os.fork() or (work(), os._exit(0))\n"
        "os.wait()\n"
    )
    with (
        subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE) as target,
        running("opensnoop", "--pid", str(target.pid), "--format", "json", "-d", "4") as process,
    ):
        assert process.stdout
        process.stdout.readline()  # the header's notice: tracing is on
        assert target.stdin
        target.stdin.write(b"go\n")
        target.stdin.close()
        target.wait(_PATIENCE_S)
        output, _ = process.communicate(timeout=_PATIENCE_S)
    opened = [row for row in rows_of(output) if row["path"] == str(file)]
    assert len(opened) == 46
    assert {row["pid"] for row in opened} == {target.pid}


def test_a_name_with_a_newline_costs_trace_cmd_no_other_name(clean_kernel: Tracefs, tmp_path: Path) -> None:
    program = tmp_path / "two\nlines"
    program.write_text("#!/bin/sh\n:\n")
    program.chmod(0o755)
    path = tmp_path / "x.dat"
    line = [*FTRACEPY, "record", "-e", "sched:sched_process_exit", "-o", str(path), "--", "sh", "-c", f"'{program}'; /bin/true"]
    subprocess.run(line, check=True, capture_output=True)
    report = subprocess.run(["trace-cmd", "report", "-N", str(path)], capture_output=True, check=True).stdout
    assert b"true-" in report
