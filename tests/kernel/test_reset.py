"""However a run ends, the whole tracefs tree is afterwards as it was, and what belongs to others is untouched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftracepy.live.instance import Instance
from ftracepy.live.reset import reset
from ftracepy.symbols import elf
from ftracepy.tracefs import Tracefs, buffer, clock, events, instances, probes, stats
from tests.support.dying import Dying, dying
from tests.support.machines import FIRST_ARGUMENT
from tests.support.tracefs_tree import difference, snapshot

_ROOT = Path(__file__).parents[2]
_RUN = """
import signal, sys
from ftracepy import live, tracefs
from ftracepy.live.plan import Plan, ProbeDef
from ftracepy.probes import Tracepoint
plan = Plan(
    events=[Tracepoint("raw_syscalls", "sys_enter", "id > 0"), Tracepoint("raw_syscalls", "sys_exit")],
    uprobes=[ProbeDef("p", name, place, ("a=REGISTER:u64",)) for name, place in zip(("one", "two"), sys.argv[1:], strict=True)],
)
print("starting", flush=True)
with live.open(plan, tracefs=tracefs.find()) as source:
    signal.signal(signal.SIGTERM, lambda *_: source.stop())
    print(source.instance.name, flush=True)
    for _ in source.rounds():
        pass
""".replace("REGISTER", FIRST_ARGUMENT)
MOMENTS = 41


def start_of(program: str) -> str:
    """Where its first instruction lies: older kernels refuse to probe what they cannot decode as one."""
    code = elf.read(program)
    return f"{os.path.realpath(program)}:{code.file_offset(code.entry):#x}"


def start() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, start_of("/bin/cat"), start_of("/bin/ls")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdout
    assert process.stdout.readline() == "starting\n"
    return process


def started(process: subprocess.Popen[str]) -> str:
    """The run's name, once it traces."""
    assert process.stdout
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str], number: int) -> int:
    process.send_signal(number)
    process.communicate()
    return process.returncode


def reset_of(tracefs: Tracefs, name: str) -> list[str]:
    """What reset removed of one run; other dead runs may lie about on a busy machine."""
    return [line for line in reset(tracefs) if name in line]


def ours(tracefs: Tracefs, pid: int) -> list[str]:
    """Instances and probe groups of one run: the quick look, between looks at the whole tree."""
    groups = [probe.group for probe in probes.listed(tracefs.root, "uprobe_events")]
    return [name for name in instances.names(tracefs.root) + groups if name.startswith(f"ftracepy_{pid}_")]


@pytest.fixture(scope="module")
def load() -> Iterator[None]:
    """Two processes that make system calls whenever nobody else wants the processor."""
    code = "import os\nos.nice(19)\nwhile True: os.getppid(); os.stat('/')"
    busy = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(2)]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def runs() -> Iterator[Dying]:
    with dying(start_of("/bin/cat"), start_of("/bin/ls")) as one:
        yield one


@pytest.fixture
def others(tracefs: Tracefs) -> Iterator[Tracefs]:
    """Somebody else's instance with settings of its own, and somebody else's probe, in use."""
    root, name = tracefs.root, f"somebody_{os.getpid()}"
    path = instances.make(root, name)
    probes.add(root, "uprobe_events", f"p:{name}/theirs {start_of('/bin/sh')} a={FIRST_ARGUMENT}:u64")
    clock.choose(path, "boot")
    buffer.set_size_kb(path, 512)
    events.set_filter(path, "sched", "sched_switch", "prev_pid == 1")
    events.set_enabled(path, "sched", "sched_switch")
    events.set_enabled(path, name, "theirs")
    yield tracefs
    instances.remove(root, name)
    probes.remove(root, "uprobe_events", name, "theirs")


@pytest.mark.usefixtures("load")
class TestTheTreeIsAsBefore:
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
    def test_after_an_ordered_end(self, others: Tracefs, number: int, status: int) -> None:
        before = snapshot(others.root)
        process = start()
        name = started(process)
        during = snapshot(others.root, [process.pid])
        assert end(process, number) == status
        assert difference(before, snapshot(others.root, [process.pid])) == []
        assert {f"instances/{name}/", f"events/{name}/one/enable", f"instances/somebody_{os.getpid()}/"} <= during.keys()

    @pytest.mark.everywhere
    def test_after_sigkill_at_each_change_and_reset(self, others: Tracefs, runs: Dying) -> None:
        changes = runs.run().changes
        assert changes > 10
        before = snapshot(others.root)
        pids, removed, killed = [], 0, 0
        for at in range(changes):
            ended = runs.run(signal.SIGKILL, ("before", "after")[at % 2], at)
            killed += ended.status == -signal.SIGKILL
            pids.append(ended.pid)
            removed += len(reset(others))
            assert ours(others, ended.pid) == []
        assert killed > changes - 5  # how many there are to the end may differ by a few
        assert removed > changes
        assert difference(before, snapshot(others.root, pids)) == []

    @pytest.mark.parametrize("what", ["change", "thread"])
    def test_after_an_interrupt_at_each_moment(self, others: Tracefs, runs: Dying, what: str) -> None:
        """Of changes, and of beginning threads and waiting for them: it ends, and undoes all, wherever it is struck."""
        whole = runs.run()
        moments = [("after", at) for at in range(0, whole.changes, 2)]
        if what == "thread":
            moments = [("call", at) for at in whole.calls[:: max(len(whole.calls) // MOMENTS, 1)]]
        assert len(moments) > 3
        before = snapshot(others.root)
        pids, statuses = [], set()
        for when, at in moments:
            ended = runs.run(signal.SIGINT, when, at)
            pids.append(ended.pid)
            statuses.add(ended.status)
            assert (when, at, ended.status, ours(others, ended.pid)) == (when, at, ended.status, [])
        assert 128 + signal.SIGINT in statuses
        assert statuses <= {128 + signal.SIGINT, 0}
        assert difference(before, snapshot(others.root, pids)) == []

    def test_after_sigkill_without_a_journal(self, others: Tracefs, monkeypatch: pytest.MonkeyPatch) -> None:
        before = snapshot(others.root)
        monkeypatch.setenv("FTRACEPY_STATE", "/proc/no-such-folder")
        process = start()
        name = started(process)
        end(process, signal.SIGKILL)
        assert reset_of(others, name) == [f"instance {name}", f"probe {name}/one", f"probe {name}/two"]
        assert difference(before, snapshot(others.root, [process.pid])) == []


def test_a_living_run_is_left_alone(others: Tracefs) -> None:
    alive, dead = start(), start()
    living, gone = started(alive), started(dead)
    end(dead, signal.SIGKILL)
    with Instance(others) as mine:
        assert reset_of(others, gone) == [f"instance {gone}", f"probe {gone}/one", f"probe {gone}/two"]
        assert {living, mine.name, f"somebody_{os.getpid()}"} <= set(instances.names(others.root))
    assert events.is_enabled(others.instance(living), "raw_syscalls", "sys_exit")
    assert len(probes.in_group(others.root, living)) == 2
    assert end(alive, signal.SIGTERM) == 0
    assert reset_of(others, living) == []


def test_probes_that_somebody_else_enabled_too(others: Tracefs) -> None:
    """Then the probe cannot be removed before it is off everywhere; the events are the dead run's own, so off they go."""
    process = start()
    name = started(process)
    theirs = others.instance(f"somebody_{os.getpid()}")
    events.set_enabled(theirs, name, "one")
    end(process, signal.SIGKILL)
    assert len(reset_of(others, name)) == 3
    assert events.is_enabled(theirs, "sched", "sched_switch")
    assert stats.cpus(theirs) == stats.cpus(others.root)
