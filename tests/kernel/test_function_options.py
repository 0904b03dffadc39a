"""Each option of the function tools and of kprobe, live, on one program whose every thread does a prime number of calls."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs
from ftracepy.values import dataclass
from tests.kernel.test_commands import FTRACEPY, python, rows_of, watch

pytestmark = pytest.mark.kernel

Rows = list[dict[str, Any]]
_CALL, _OUTER = "do_nanosleep", "hrtimer_nanosleep"
# The main thread 53, one that was there before 31, one that begins later 17, a child process 11.
MAIN, SECOND, LATER, CHILD = 53, 31, 17, 11
_LOAD = f"""import os, sys, threading, time
go, done = sys.argv[1:]
def sleeps(count):
    for _ in range(count): time.sleep(0.002)
def second():
    with open(f'/proc/self/task/{{threading.get_native_id()}}/comm', 'w') as comm: comm.write('second')
    print(threading.get_native_id(), flush=True)
    may.acquire()
    sleeps({SECOND})
may = threading.Lock()
may.acquire()
threads = [threading.Thread(target=second), threading.Thread(target=sleeps, args=({LATER},))]
threads[0].start()
with open(go) as file: file.read()
may.release()
threads[1].start()
if (child := os.fork()) == 0:
    sleeps({CHILD})
    os._exit(0)
sleeps({MAIN})
for one in threads: one.join()
os.waitpid(child, 0)
with open(done, 'w') as file: file.write('done')
"""
_SLEEPS = "import time\nfor _ in range({}): time.sleep({})\n"


@pytest.fixture(autouse=True)
def _function_tracer(requires: Callable[[str], None]) -> None:
    requires("function tracer")


@dataclass(frozen=True, slots=True)
class Load:
    """The program, which waits; `command` lets it go and waits until it has done all."""

    pid: int
    second: int
    command: str


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    go, done = tmp_path / "go", tmp_path / "done"
    for one in (go, done):
        os.mkfifo(one)
    program = [sys.executable, "-S", "-c", _LOAD, str(go), str(done)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            second = int(process.stdout.readline())
            yield Load(process.pid, second, f"echo go >{shlex.quote(str(go))}; cat {shlex.quote(str(done))} >/dev/null")
        finally:
            process.kill()


def _counted(rows: Rows) -> int:
    return sum(row["count"] for row in rows)


def _calls(rows: Rows) -> int:
    return sum(row["function"] == _CALL for row in rows)


_TOOLS: dict[str, tuple[tuple[str, ...], Callable[[Rows], int]]] = {
    "functrace": ((_CALL,), _calls),
    "funcgraph": (("--children", _CALL, _CALL), _calls),
    "funcslower": ((_CALL, "0"), _calls),
    "funccount": ((_CALL,), _counted),
    "funclatency": ((_CALL,), _counted),
    "kprobe": ((f"p:sleeps {_CALL} %di",) if os.uname().machine == "x86_64" else (f"p:sleeps {_CALL} %x0",), len),
}


@pytest.mark.parametrize("tool", _TOOLS)
def test_a_process_is_all_its_threads_later_ones_too(clean_kernel: Tracefs, load: Load, tool: str) -> None:
    options, count = _TOOLS[tool]
    assert count(watch(tool, load.command, "-p", str(load.pid), *options)) == MAIN + SECOND + LATER


@pytest.mark.parametrize("tool", _TOOLS)
def test_a_thread_alone(clean_kernel: Tracefs, load: Load, tool: str) -> None:
    options, count = _TOOLS[tool]
    assert count(watch(tool, load.command, "-L", str(load.second), *options)) == SECOND


@pytest.mark.parametrize("tool", _TOOLS)
def test_a_name_alone(clean_kernel: Tracefs, load: Load, tool: str) -> None:
    options, count = _TOOLS[tool]
    assert count(watch(tool, load.command, "-n", "^second$", *options)) == SECOND


@pytest.mark.parametrize("of_second", [False, True], ids=["by value", "by thread"])
def test_a_filter_and_a_scope_together(
    clean_kernel: Tracefs, load: Load, requires: Callable[[str], None], of_second: bool
) -> None:
    requires("kprobes")
    requires("BTF")
    filter_, count = (f"common_pid == {load.second}", SECOND) if of_second else ("ret == 0", MAIN + SECOND + LATER)
    assert len(watch("kprobe", load.command, "-p", str(load.pid), f"r:slept {_CALL} ret=$retval", filter_)) == count


def text_of(tool: str, *options: str, work: str = python(_SLEEPS.format(7, 0.002))) -> list[str]:
    """The lines of a table."""
    line = [*FTRACEPY, tool, *options, "--format", "table", "--", "sh", "-c", work]
    return subprocess.run(line, check=True, capture_output=True, text=True, timeout=240).stdout.splitlines()


def mine(lines: list[str]) -> list[str]:
    return [line for line in lines if re.search(r"\bpython", line)]


@pytest.mark.parametrize("tool", ["functrace", "funcgraph", "funcslower", "kprobe"])
def test_times_of_day_stand_in_front_with_t(clean_kernel: Tracefs, tool: str) -> None:
    options, _ = _TOOLS[tool]
    heading, *lines = text_of(tool, "-t", *options)
    assert heading.startswith("TIME")
    stamps = [float(line.split()[0]) for line in mine(lines)]
    assert len(stamps) == 7
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] >= 0.012  # six sleeps of 2 ms lie between


@pytest.mark.parametrize(("tool", "habits"), [
    ("functrace", ("-H",)), ("funcgraph", ("-a", "-H", "-P", "-T")), ("funcslower", ("-a", "-H", "-P")), ("kprobe", ("-H", "-F")),
])  # fmt: skip
def test_what_is_accepted_for_habit_shows_as_much(clean_kernel: Tracefs, tool: str, habits: tuple[str, ...]) -> None:
    options, _ = _TOOLS[tool]
    heading, *lines = text_of(tool, *habits, *options)
    assert heading.startswith("TIME") == ("-a" in habits)
    assert {"PID", "COMM"} <= set(heading.split())
    assert len(mine(lines)) == 7


@pytest.mark.parametrize("tool", _TOOLS)
def test_ends_by_itself(clean_kernel: Tracefs, tool: str) -> None:
    """Rows are there though nothing interrupts it."""
    options, count = _TOOLS[tool]
    with subprocess.Popen([sys.executable, "-S", "-c", _SLEEPS.format(100_000, 0.05)]) as busy:
        try:
            began = time.monotonic()
            line = [*FTRACEPY, tool, "-p", str(busy.pid), "-d", "1.5", "--format", "json", *options]
            done = subprocess.run(line, check=True, capture_output=True, timeout=120)
            assert time.monotonic() - began >= 1.5
        finally:
            busy.kill()
    assert count(rows_of(done.stdout)) >= 1


@pytest.mark.parametrize("tool", ["functrace", "funcgraph", "funcslower", "kprobe"])
def test_so_many_rows(clean_kernel: Tracefs, tool: str) -> None:
    options, _ = _TOOLS[tool]
    assert len(watch(tool, python(_SLEEPS.format(29, 0.002)), "--limit", "13", *options)) == 13


def test_functrace_without_interrupts(clean_kernel: Tracefs) -> None:
    """Timers strike in interrupts alone."""
    work = python(_SLEEPS.format(11, 0.002))
    names = ("hrtimer_interrupt", _CALL)
    both = Counter(row["function"] for row in watch("functrace", work, *names) if row["context"] is not None)
    assert both["hrtimer_interrupt"] > 0
    rows = watch("functrace", work, "--no-irq", *names)
    assert {row["context"] for row in rows} == {None}
    assert sum(row["comm"].startswith("python") and row["function"] == _CALL for row in rows) == 11


def test_functions_left_out(clean_kernel: Tracefs) -> None:
    work = python(_SLEEPS.format(11, 0.002))
    for tool in ("functrace", "funcgraph", "funcslower", "funclatency"):
        where = ("--children", "*nanosleep") if tool == "funcgraph" else ()
        words = ("*nanosleep", "0") if tool == "funcslower" else ("*nanosleep",)
        by_function = ("-F",) if tool == "funclatency" else ()
        rows = watch(tool, work, "-x", f"{_OUTER},*64*,*32*", "-n", "^python", *where, *by_function, *words)
        named = Counter[str]()
        for row in rows:
            named[row["function"]] += row.get("count", 1)
        assert (named[_CALL], named[_OUTER]) == (11, 0), tool


def test_funcgraph_without_times(clean_kernel: Tracefs) -> None:
    options, _ = _TOOLS["funcgraph"]
    heading, *lines = text_of("funcgraph", "-D", *options)
    assert "US" not in heading.split()
    assert len(mine(lines)) == 7


def test_funcgraph_of_slow_trees_alone(clean_kernel: Tracefs) -> None:
    work = python("import time\nfor at in range(19): time.sleep(0.3 if at % 6 == 5 else 0.001)\n")
    rows = [
        row for row in watch("funcgraph", work, "-u", "300000", "--children", _CALL, _OUTER) if row["comm"].startswith("python")
    ]
    assert [row["function"] for row in rows] == [_OUTER, _CALL] * 3
    assert all(row["took_ns"] >= 300_000_000 for row in rows[::2])


@pytest.mark.parametrize("tool", ["funcgraph", "funcslower", "funclatency"])
def test_time_asleep_left_out(clean_kernel: Tracefs, tool: str) -> None:
    """50 ms of sleep take the processor less, however slow it is emulated."""
    options = {"funcgraph": ("--children", _CALL, _CALL), "funcslower": (_CALL, "0"), "funclatency": ("-n", "^python", _CALL)}[
        tool
    ]
    rows = watch(tool, python(_SLEEPS.format(11, 0.05)), "-C", *options)
    if tool == "funclatency":
        assert sum(row["count"] for row in rows if row["low"] < 50_000_000) == 11
    else:
        took = [row["took_ns"] for row in rows if row["comm"].startswith("python")]
        assert len(took) == 11
        assert all(one < 50_000_000 for one in took)


def test_funcgraph_tells_arguments_and_results(clean_kernel: Tracefs) -> None:
    """Where this kernel's tracer can; else its first lines say that it cannot."""
    name = "__arm64_sys_getsid" if os.uname().machine == "aarch64" else "__x64_sys_getsid"
    code = "import os\nfor at in range(13):\n try: os.getsid(4000000 + at)\n except OSError: pass"
    line = [
        *FTRACEPY,
        "funcgraph",
        "--args",
        "--retval",
        "--children",
        name,
        name,
        "--format",
        "json",
        "--",
        "sh",
        "-c",
        python(code),
    ]
    done = subprocess.run(line, check=True, capture_output=True, text=True, timeout=120)
    rows = [row for row in rows_of(done.stdout.encode()) if row["comm"].startswith("python")]
    said = done.stdout + done.stderr
    assert len(rows) == 13
    for what, key in (("funcgraph-args", "args"), ("funcgraph-retval", "ret")):
        if (clean_kernel.root / "options" / what).exists():
            assert all(row[key] is not None for row in rows)
        else:
            assert all(row[key] is None for row in rows)
            assert f"this kernel has no option {what}" in said
    assert {row["ret"] for row in rows} <= {-3, None}  # ESRCH


def test_only_the_largest_counts(clean_kernel: Tracefs) -> None:
    work = python(_SLEEPS.format(101, 0.001) + "import os\nfor _ in range(997): os.getsid(0)\n")
    name = "__arm64_sys_getsid" if os.uname().machine == "aarch64" else "__x64_sys_getsid"
    [row] = watch("funccount", work, "-t", "1", _CALL, name)
    assert (row["function"], row["count"]) == (name, 997)


def test_histograms_in_units_by_interval_and_function(clean_kernel: Tracefs) -> None:
    work = python(_SLEEPS.format(53, 0.003))
    for unit, option in ((1000, "-u"), (1_000_000, "-m")):
        rows = watch("funclatency", work, "-n", "^python", option, _CALL)
        assert sum(row["count"] for row in rows) == 53
        assert all(row["low"] % unit == 0 and row["high"] % unit == 0 for row in rows)
        assert sum(row["count"] for row in rows if row["high"] > 3_000_000) == 53
    code = "import time\nfor _ in range(3):\n for _ in range(17): time.sleep(0.002)\n time.sleep(0.4)\n"
    rows = watch("funclatency", python(code), "-n", "^python", "-i", "0.3", "-T", "-F", _CALL, _OUTER)
    assert Counter({name: sum(r["count"] for r in rows if r["function"] == name) for name in (_CALL, _OUTER)}) == {
        _CALL: 54,
        _OUTER: 54,
    }
    assert len({row["block"] for row in rows if row["count"]}) > 1
    assert all(row["time"] for row in rows)


def test_kprobe_shows_the_format_of_its_event(clean_kernel: Tracefs, requires: Callable[[str], None]) -> None:
    requires("kprobes")
    lines = text_of("kprobe", "-v", f"p:sleeps {_CALL} sp=$stack:x64")
    assert any("sleeps" in line for line in lines)
    assert any("field:u64 sp;" in line for line in lines)
    assert any(line.strip().startswith("print fmt:") for line in lines)


def test_kprobe_shows_fields_as_columns(clean_kernel: Tracefs, requires: Callable[[str], None]) -> None:
    requires("kprobes")
    requires("BTF")
    heading, *lines = text_of("kprobe", "--fields", "mode,common_pid", f"p:sleeps {_CALL} mode", "mode == 1 || mode == 0")
    assert {"MODE", "COMMON_PID"} <= set(heading.split())
    assert len(mine(lines)) == 7
    assert {line.split()[-2] for line in mine(lines)} & {"0", "1", "HRTIMER_MODE_ABS", "HRTIMER_MODE_REL"}


def test_a_filter_compares_nothing_that_could_not_be_read(clean_kernel: Tracefs, requires: Callable[[str], None]) -> None:
    """Of each second open there is a file to look into; what lies in the field of the others passes no comparison."""
    requires("kprobes")
    requires("BTF")
    code = (
        "import os\nwith open('/proc/self/comm', 'w') as comm: comm.write('opener')\n"
        "for at in range(101):\n try: os.close(os.open('/missing' if at % 2 else '/', 0))\n except OSError: pass\n"
        "with open('/proc/self/comm', 'w') as comm: comm.write('closer')\n"
    )
    functions = Path("/proc/kallsyms").read_text()
    name = next(one for one in ("do_file_open", "do_filp_open") if f" {one}\n" in functions)
    definition = f"r:opened {name} file=$retval flags=$retval->f_flags"

    def passing(filter_: str) -> Counter[bool]:
        rows = watch("kprobe", python(code), definition, filter_)
        return Counter(row["fields"]["flags"] is None for row in rows if row["comm"] == "opener")

    assert passing("file != 0")[True] == 50
    assert passing("flags != 4294967295")[True] == 0
    assert passing("flags >= 0 || flags < 0")[True] == 0
    assert passing("!(flags == 305419896) && file != 1")[True] == 50
    assert passing("flags & 4294967295 || file == 18446744073709551614")[True] == 50
