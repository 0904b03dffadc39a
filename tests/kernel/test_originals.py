"""perf-tools' scripts beside ours: the same work under both, at once where the kernel allows, and what each counted of it.

In a guest of the lab that has the package, alone: `scripts/lab 5.10 --originals`. What the originals counted is kept as found,
for docs/perf-tools.md; ours has to be right whatever they do.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs
from ftracepy.values import dataclass
from tests.kernel.test_commands import FTRACEPY, watch
from tests.support import disks, originals, retransmitting

pytestmark = [pytest.mark.kernel, pytest.mark.originals]

Rows = list[dict[str, Any]]
_CALL = "__x64_sys_getsid"
_SECONDS = "15"  # perf that Ctrl-C ends is taken for one that failed
_SLEEP = "hrtimer_nanosleep"
_LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
_GETSIDS = "import os\nfor _ in range({}): os.getsid(0)\n"
_SLEEPS = "import time\nfor _ in range(53): time.sleep(0.02)\n"
_WHO = "import os\nfor at in range(211):\n try: os.getpriority(0, at)\n except OSError: pass\n"
_KILLS = "import os, signal\nsignal.signal(10, lambda *_: None)\nfor _ in range(53): os.kill(os.getpid(), 10)\n"
_ECHOES = "import os\nfor at in range(53): os.waitpid(os.posix_spawn('/bin/echo', ['/bin/echo', str(at), 'a b'], {}, file_actions=[(os.POSIX_SPAWN_CLOSE, 1)]), 0)\n"  # noqa: E501
_OPENS = "import os\nfor at in range(307): os.close(os.open(f'/tmp/opened-{at}', 0o101))\n"
_READS = (
    "import mmap, os\nfd = os.open('/dev/DISK', os.O_RDWR | os.O_DIRECT)\npage = mmap.mmap(-1, 4096)\n"
    "for at in range({}): os.preadv(fd, [page], at * 65536 % (8 << 20))\n"
)
_CACHED = (
    "import os\nfd = os.open('/dev/DISK', os.O_RDWR)\nos.pwrite(fd, bytes(3203 * 4096), 0)\nos.fsync(fd)\n"
    "os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n"
    "for _ in 'ab':\n at = 0\n while at < 3203 * 4096: at += len(os.pread(fd, min(262144, 3203 * 4096 - at), at))\n"
)
_RETRANSMITS = (
    f"import sys; sys.path.insert(0, {os.path.dirname(retransmitting.__file__)!r})\n"
    "from retransmitting import counts, data, later\nbefore = counts()\ndata(4)\nafter = counts()\n"
    "while (more := later()) != after: after = more\nprint(after['RetransSegs'] - before['RetransSegs'])\n"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One tool's work; `theirs` and `ours` count what was right of it in the original's text and in our rows."""

    name: str
    tool: str
    what: str
    truth: int | None  # None: the work itself tells
    work: str
    options: tuple[str, ...]
    own: tuple[str, ...]
    theirs: Callable[[str, int], int]
    ours: Callable[[Rows, int], int]
    apart: bool = False
    above: int = 0  # so many more may be right as well


def lines(pattern: str) -> Callable[[str, int], int]:
    """Counts lines of the original's text; PID in the pattern is the program's."""
    return lambda text, pid: len(re.findall(pattern.replace("PID", str(pid)), text, re.MULTILINE))


def sums(pattern: str) -> Callable[[str, int], int]:
    return lambda text, pid: sum(map(int, re.findall(pattern.replace("PID", str(pid)), text, re.MULTILINE)))


def rows(**wanted: Any) -> Callable[[Rows, int], int]:
    """Counts our rows of the program that hold those values."""
    return lambda found, pid: sum(row["pid"] == pid and wanted.items() <= row.items() for row in found)


def total(key: str = "count", **wanted: Any) -> Callable[[Rows, int], int]:
    return lambda found, _pid: sum(row[key] for row in found if wanted.items() <= row.items())


def _opened(found: Rows, pid: int) -> int:
    paths = [row["path"] for row in found if row["pid"] == pid and row["fd"] is not None]
    return sum(f"/tmp/opened-{at}" in paths for at in range(307))


def _opened_theirs(text: str, pid: int) -> int:
    found = set(re.findall(rf"^python\S*\s+{pid}\s+0x[0-9a-f]+ (/tmp/opened-\d+)$", text, re.MULTILINE))
    return sum(f"/tmp/opened-{at}" in found for at in range(307))


def _echoed(found: Rows, _pid: int) -> int:
    args = [row["args"] for row in found]
    return sum(["/bin/echo", str(at), "a b"] in args for at in range(53))


def _echoed_theirs(text: str, _pid: int) -> int:
    found = set(re.findall(r"^\s*\d+\s+\d+ /bin/echo (\d+) a b$", text, re.MULTILINE))
    return sum(str(at) in found for at in range(53))


def _getsids(found: Rows, pid: int) -> int:
    return sum(row["count"] for row in found if (row["pid"], row["syscall"]) == (pid, "getsid"))


_GETSID = "syscalls:sys_enter_getsid"
_BUCKET = r"->\s*[\d.]*\s*: (\d+)"
CASES = (
    Case("bitesize", "bitesize", "reads of 4 KB", 101, _READS.format(101), (_SECONDS,), ("--device", "DISK"),
         sums(r"^\s+1\.0 -> 7\.9\s+: (\d+)"), total(low=1024, high=8192)),
    Case("cachestat", "cachestat", "pages read in", 3203, _CACHED, ("-D",), ("-D", "-n", "^python"),
         sums(r"^\s*-?\d+\s+(-?\d+)\s+-?\d+\s+-?[\d.]+%"), total("misses"), above=512),
    Case("execsnoop", "execsnoop", "programs with their arguments", 53, _ECHOES, (), (), _echoed_theirs, _echoed),
    Case("funccount", "funccount", "calls", 997, _GETSIDS.format(997), (_CALL,), (_CALL,),
         sums(rf"^{_CALL}\s+(\d+)"), total(function=_CALL)),
    Case("funcgraph", "funcgraph", "calls with their times", 53, _SLEEPS, ("-m", "1", "-p", "{pid}", _SLEEP),
         ("-m", "1", _SLEEP), lines(rf"[\d.]+ us\s+\|\s+(?:}}|{_SLEEP}\(\);)"), rows(function=_SLEEP, part="whole"), apart=True),
    Case("funcslower", "funcslower", "slow calls", 53, _SLEEPS, ("-p", "{pid}", _SLEEP, "1000"), (_SLEEP, "1000"),
         lines(rf"[\d.]+ us\s+\|.*{_SLEEP}"), rows(function=_SLEEP), apart=True),
    Case("functrace", "functrace", "calls", 307, _GETSIDS.format(307), ("-p", "{pid}", _CALL), (_CALL,),
         lines(rf"^\s*python\S*-PID .*: {_CALL} <-"), rows(function=_CALL)),
    Case("iolatency", "iolatency", "reads", 307, _READS.format(307), ("-d", "DEV"), ("-d", "DISK"),
         sums(rf"^\s*\d+\s+{_BUCKET}"), total()),
    Case("iosnoop", "iosnoop", "reads, each with its size", 101, _READS.format(101), ("-d", "DEV"), ("-d", "DISK"),
         lines(r"^\S+\s+\d+\s+R\S*\s+\d+,\d+\s+\d+\s+4096\s+[\d.]+$"), rows(size_bytes=4096)),
    Case("iosnoop", "iosnoop", "reads of a process", 101, _READS.format(101), ("-p", "{pid}"), ("-d", "DISK"),
         lines(r"^python\S*\s+PID\s+R\S*\s"), rows(size_bytes=4096)),
    Case("killsnoop", "killsnoop", "signals to itself", 53, _KILLS, (), (),
         lines(r"^python\S*\s+PID\s+PID\s+10\s+0\s*$"), rows(signal="SIGUSR1", result="0")),
    Case("kprobe", "kprobe", "calls", 307, _GETSIDS.format(307), ("-p", "{pid}", f"p:getsids {_CALL}"), (f"p:ours {_CALL}",),
         lines(r"^\s*python\S*-PID .* getsids: "), rows(event="ours")),
    Case("opensnoop", "opensnoop", "opens, each with its path", 307, _OPENS, ("-p", "{pid}"), (), _opened_theirs, _opened),
    Case("perf-stat-hist", "hist", "values", 211, _WHO, ("-b", "1 10 100", "syscalls:sys_enter_getpriority", "who", _SECONDS),
         ("-b", "1 10 100", "syscalls:sys_enter_getpriority", "who"), sums(_BUCKET), total()),
    Case("syscount", "syscount", "calls of a process", 1009, _GETSIDS.format(1009), ("-c", "-p", "{pid}"), ("-c", "-v"),
         sums(r"^getsid\s+(\d+)"), _getsids),
    Case("tcpretrans", "tcpretrans", "segments, each with its connection", None, _RETRANSMITS, (), (),
         lines(r"127\.0\.0\.1:\d+\s+R>\s+127\.0\.0\.1:\d+\s+ESTABLISHED"),
         lambda found, _pid: sum(row["kind"] == "R" and row["local"].startswith("127.0.0.1:") for row in found)),
    Case("tpoint", "tpoint", "events", 307, _GETSIDS.format(307), ("-p", "{pid}", _GETSID), (_GETSID,),
         lines(r"^\s*python\S*-PID .*sys_getsid\("), rows(event=_GETSID)),
    Case("uprobe", "uprobe", "calls of a library's function", 211, _GETSIDS.format(211), ("-p", "{pid}", f"p:{_LIBC}:getsid"),
         (f"p:{_LIBC}:getsid",), lines(r"^\s*python\S*-PID .* getsid: "), rows(event="getsid")),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _alone(request: pytest.FixtureRequest) -> None:
    """They take the top level for themselves, and some need perf, which the other tests' guard forbids."""
    others = [one for one in request.session.items if one.get_closest_marker("originals") is None]
    if not Path("/lab/init").exists() or others or not Path(originals.program("tpoint")).exists():
        pytest.skip("only where nobody else traces: in a guest that has perf-tools, alone")
    for name, program in (("awk", "gawk"), ("which", "which.debianutils")):  # packages' scripts would make these links
        if shutil.which(name) is None:
            Path("/usr/bin", name).symlink_to(program)
    Path("/proc/sys/kernel/kptr_restrict").write_text("1")  # else their tcpretrans finds no connection
    if not os.path.ismount("/sys/kernel/debug"):
        if not Path("/sys/kernel/debug").is_dir():
            pytest.skip("this kernel has no debugfs, and each of the originals goes through it")
        subprocess.run(["mount", "-t", "debugfs", "none", "/sys/kernel/debug"], check=True)


@pytest.fixture(scope="module")
def findings() -> Iterator[list[dict[str, Any]]]:
    """What is kept of a kernel."""
    found: list[dict[str, Any]] = []
    yield found
    told = {"release": os.uname().release, "findings": found}
    Path("/lab/out/originals.json").write_text(json.dumps(told, indent=1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.what}".replace(" ", "_"))
def test_ours_is_right_whatever_the_original_says(
    clean_kernel: Tracefs, tmp_path: Path, case: Case, findings: list[dict[str, Any]]
) -> None:
    disk = disks.nvme("disk")
    numbers = Path(f"/sys/block/{disk}/dev").read_text().strip().replace(":", ",")

    def filled(text: str) -> str:
        return text.replace("DISK", disk or "").replace("DEV", numbers)

    beside = tmp_path / "theirs"
    driver = [sys.executable, "-S", originals.__file__, str(beside), filled(case.work), case.name, *map(filled, case.options)]
    own = tuple(map(filled, case.own))
    if case.apart:
        subprocess.run(driver, check=True, timeout=240)
        cleanup()
        alone = tmp_path / "said"
        code = f"import os\nopen({str(alone)!r}, 'w').write(str(os.getpid()))\n{case.work}"
        rows_ = watch(case.tool, shlex.join([sys.executable, "-S", "-c", code]), *own)
        theirs = json.loads(beside.read_text())
        counted = case.ours(rows_, int(alone.read_text()))
    else:
        rows_ = watch(case.tool, shlex.join(driver), *own)
        theirs = json.loads(beside.read_text())
        counted = case.ours(rows_, theirs["pid"])
        cleanup()
    truth = int(theirs["said"]) if case.truth is None else case.truth
    found = {"name": case.name, "tool": case.tool, "what": case.what, "truth": truth, "ours": counted,
             "theirs": case.theirs(theirs["text"], theirs["pid"]), "above": case.above, "error": complaint(theirs["text"]),
             "at_once": not case.apart}  # fmt: skip
    findings.append(found)
    Path(f"/lab/out/original-{case.name}.txt").write_text(theirs["text"][-20000:])
    if not truth <= counted <= truth + case.above:
        Path(f"/lab/out/ours-{case.name}.json").write_text("".join(f"{json.dumps(row)}\n" for row in rows_))
    assert truth <= counted <= truth + case.above, found


_COMPLAINT = re.compile(
    r"ERROR|WARNING|syntax error|[Pp]ermission denied|Invalid argument|runaway|No such|not found|uninitialized"
)


def complaint(text: str) -> str:
    """The first line in which something is said to be wrong."""
    return next((line.strip() for line in text.splitlines() if _COMPLAINT.search(line)), "")


def cleanup() -> None:
    """What the original left at the top level."""
    subprocess.run([*FTRACEPY, "reset", "--everything", "-f", "-q"], check=False, capture_output=True, timeout=120)


# A setting each, and what it is when nobody traces.
_SETTINGS: tuple[tuple[str, str], ...] = (
    ("kprobe_events", "p:left/one vfs_read"),
    ("uprobe_events", f"p:left/two {_LIBC}:0x40000"),
    ("set_ftrace_filter", "vfs_read"),
    ("set_ftrace_notrace", "vfs_write"),
    ("set_graph_function", "vfs_open"),
    ("set_ftrace_pid", "1"),
    ("set_event_pid", "1"),
    ("events/sched/sched_switch/enable", "1"),
    ("events/sched/sched_waking/filter", "pid == 1"),
    ("events/sched/sched_wakeup/trigger", "traceoff:1"),
    ("tracing_thresh", "1000"),
    ("tracing_on", "0"),
    ("buffer_size_kb", "100"),
)


def test_reset_puts_back_what_the_original_does_and_more(clean_kernel: Tracefs, findings: list[dict[str, Any]]) -> None:
    root = clean_kernel.root

    def disturbed() -> dict[str, str]:
        for name, value in _SETTINGS:
            (root / name).write_text(value)
        return {name: (root / name).read_text() for name, _ in _SETTINGS}

    cleanup()
    fresh = {name: (root / name).read_text() for name, _ in _SETTINGS}

    def put_back(changed: dict[str, str]) -> int:
        assert all(changed[name] != fresh[name] for name, _ in _SETTINGS)
        after = {name: (root / name).read_text() for name, _ in _SETTINGS}
        return sum(after[name] == fresh[name] for name, _ in _SETTINGS)

    changed = disturbed()
    done = subprocess.run([originals.program("reset-ftrace"), "-q"], capture_output=True, text=True, timeout=120)
    theirs = put_back(changed)
    cleanup()
    changed = disturbed()
    subprocess.run([*FTRACEPY, "reset", "--everything", "-f", "-q"], check=True, timeout=120)
    ours = put_back(changed)
    findings.append({"name": "reset-ftrace", "tool": "reset --everything", "what": "settings put back", "truth": len(_SETTINGS),
                     "ours": ours, "theirs": theirs, "above": 0, "error": complaint(done.stdout + done.stderr),
                     "at_once": False})  # fmt: skip
    assert ours == len(_SETTINGS) == 13
