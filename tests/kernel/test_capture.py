"""The live source against the real kernel: order, side facts first, every clock, stopping, and what others may do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from ftracepy import live
from ftracepy.errors import FtracepyError
from ftracepy.live.plan import Mark, Plan
from ftracepy.live.source import LiveSource
from ftracepy.probes import Tracepoint
from ftracepy.sidefacts import Kind, SideFact, Unpacker
from ftracepy.stream import Stream
from ftracepy.tracefs import Tracefs, clock, instances

CALLS = 5003  # prime
GETPPID = Tracepoint("syscalls", "sys_enter_getppid")
_CHILD = f"import os, sys\nsys.stdin.readline()\nfor _ in range({CALLS}): os.getppid()"


def child() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", _CHILD], stdin=subprocess.PIPE)


def plan_for(*processes: subprocess.Popen[bytes]) -> Plan:
    return Plan(events=[GETPPID], pids=tuple(one.pid for one in processes), follow_forks=True)


def go(source: LiveSource, *processes: subprocess.Popen[bytes]) -> None:
    """Let the children run, one after the other, and stop the source when all have ended."""

    def work() -> None:
        for process in processes:
            process.communicate(b"go\n")
        source.stop()

    threading.Thread(target=work).start()


@pytest.mark.parametrize("name", ["mono", "boot", "mono_raw", "tai", "global", "local", "perf", "counter", "uptime", "x86-tsc"])
def test_every_clock_delivers_everything_in_order(clean_kernel: Tracefs, name: str) -> None:
    if name not in clock.available(clean_kernel.root):
        pytest.skip(f"this kernel has no clock {name}")
    processes = [child(), child()]
    with live.open(plan_for(*processes), tracefs=clean_kernel, clock=name, facts=False) as source:
        go(source, *processes)
        stream, stamps, pids = Stream(source), [], []
        for batch in stream:
            stamps += list(batch.ts)
            pids += list(batch.pid)
    assert sorted(pids) == sorted([processes[0].pid] * CALLS + [processes[1].pid] * CALLS)
    assert stream.late == 0
    if name != "local":  # each CPU's own: not to be compared
        assert stamps == sorted(stamps)
    if name not in {"local", "uptime"}:  # in jiffies one process may end and the next begin at the same time, on two CPUs
        assert pids == [processes[0].pid] * CALLS + [processes[1].pid] * CALLS
    assert source.health().notices == []


class Teller:
    """An aide that speaks at once and at its end."""

    name = "teller"

    def start(self, mark: Mark) -> None:
        self.mark = mark
        mark(SideFact(Kind.NOTICE, 1, 0, b"first"))

    def catch_up(self) -> None:
        self.mark(SideFact(Kind.CAUGHT_UP, 0, 0, b"teller"))

    def stop(self) -> None:
        self.catch_up()


def test_header_comes_first_then_tasks_and_aides_are_heard_to_the_end(clean_kernel: Tracefs) -> None:
    process = child()
    plan = plan_for(process)
    plan.aides.append(Teller())
    unpack = Unpacker()
    facts = []
    with live.open(plan, tracefs=clean_kernel, header={"tool": "x"}) as source:
        go(source, process)
        for batch in Stream(source):
            for event in batch:
                if event.name == "raw_data":
                    facts += list(unpack.unpack(event["id"], event["buf"]))
    kinds = [fact.kind for fact in facts]
    assert kinds[0] == Kind.HEADER
    assert kinds[1] == Kind.NOTICE
    assert Kind.TASKS in kinds
    assert kinds[-1] == Kind.CAUGHT_UP
    header = json.loads(facts[0].body)
    assert header["version"] == 1
    assert header["tool"] == "x"
    assert header["clock"] == "mono"
    assert os.getpid() in header["own"]
    tasks = b"".join(fact.body for fact in facts if fact.kind == Kind.TASKS)
    assert str(os.getpid()).encode() in tasks


@pytest.mark.parametrize("size", [0, 1, 997, 1000, 1001, 5003])
def test_a_fact_of_any_size_comes_whole(clean_kernel: Tracefs, size: int) -> None:
    """Kernels differ in how much of a write to trace_marker_raw they keep."""
    body = bytes(at % 251 + 1 for at in range(size))
    unpack, facts = Unpacker(), []
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel, facts=False) as source:
        source.mark(SideFact(Kind.PATH, 7, 1, body))
        source.stop()
        for batch in Stream(source):
            facts += [fact for event in batch if event.name == "raw_data" for fact in unpack.unpack(event["id"], event["buf"])]
    assert [fact.body for fact in facts if fact.kind is Kind.PATH] == [body]


def test_a_record_the_kernel_cuts_short_is_told(clean_kernel: Tracefs) -> None:
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel, facts=False) as source:
        whole = source.instance.mark_raw(b"\1\0\0\0" + b"x" * 3000)
        source.stop()
        found = [event["buf"].rstrip(b"\0") for batch in Stream(source) for event in batch if event.name == "raw_data"]
    assert whole is (found == [b"x" * 3000])


def test_own_calls_are_not_in_the_trace(clean_kernel: Tracefs) -> None:
    process = child()
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel, facts=False) as source:
        threads = [threading.Thread(target=os.getppid) for _ in range(3)]
        for _ in range(CALLS):
            os.getppid()
        go(source, process)
        pids = [pid for batch in Stream(source) for pid in batch.pid]
    assert not threads[0].is_alive()
    assert os.getpid() not in pids
    assert pids.count(process.pid) == CALLS


def test_stop_from_a_signal_handler(clean_kernel: Tracefs) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel) as source:
            signal.signal(signal.SIGUSR1, lambda *_: source.stop())
            os.kill(os.getpid(), signal.SIGUSR1)
            *_, last = source.rounds()
        assert last.last
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_nobody_can_remove_an_instance_that_is_read(clean_kernel: Tracefs) -> None:
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel) as source:
        with pytest.raises(OSError, match="busy"):
            os.rmdir(source.instance.path)
        source.stop()
        assert list(source.rounds())[-1].last
    assert source.instance.name not in instances.names(clean_kernel.root)


def test_switched_off_by_somebody_else_ends_in_order(clean_kernel: Tracefs) -> None:
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel) as source:
        (source.instance.path / "tracing_on").write_text("0")
        source.stop()
        assert list(source.rounds())[-1].last


def test_a_cpu_that_went_away_is_told_of(clean_kernel: Tracefs, monkeypatch: pytest.MonkeyPatch) -> None:
    with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel) as source:
        monkeypatch.setattr("ftracepy.live.source._online_cpus", lambda: "fewer")
        source.stop()
        assert list(source.rounds())[-1].last
    (notice,) = source.health().notices
    assert notice.endswith("at the start and fewer at the end; events of both are here")


def test_threads_and_descriptors_are_given_back(clean_kernel: Tracefs) -> None:
    def once() -> None:
        with live.open(Plan(events=[GETPPID]), tracefs=clean_kernel, buffer_kb=64) as source:
            source.stop()
            for _ in source.rounds():
                pass

    once()
    before = (len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")))
    for _ in range(3):
        once()
    assert (len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))) == before


def test_a_plan_this_kernel_refuses_leaves_nothing(clean_kernel: Tracefs) -> None:
    refused = Plan(events=[GETPPID, Tracepoint("sched", "sched_switch", "no_such_field == 1")])
    with pytest.raises(FtracepyError, match="cannot filter"):
        live.open(refused, tracefs=clean_kernel).__enter__()
