"""Loss identity: of N known events, delivered + overrun + dropped + still buffered = N, whatever the reader does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ftracepy import live
from ftracepy.live import capture
from ftracepy.live.instance import Instance
from ftracepy.live.plan import Plan
from ftracepy.probes import Tracepoint
from ftracepy.source import CpuStats
from ftracepy.stream import Stream
from ftracepy.tracefs import Tracefs, options

CALLS = 100_003  # prime, by each of THREADS
THREADS = 3
EVENTS = CALLS * THREADS
GETPPID = Tracepoint("syscalls", "sys_enter_getppid")
_CALLER = f"""
import os, sys, threading
cpus = sorted(os.sched_getaffinity(0))
def call(number):
    os.sched_setaffinity(0, [cpus[number % len(cpus)]])
    for _ in range({CALLS}):
        os.getppid()
sys.stdin.readline()
threads = [threading.Thread(target=call, args=(number,)) for number in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@contextmanager
def caller() -> Iterator[subprocess.Popen[bytes]]:
    """A process that makes EVENTS calls of getppid from threads on every CPU once it is sent a line."""
    with subprocess.Popen([sys.executable, "-S", "-c", _CALLER], stdin=subprocess.PIPE) as process:
        yield process
        assert process.wait() == 0


def run(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"go\n")


def issued(stats: list[CpuStats]) -> int:
    return sum(one.read + one.lost + one.entries for one in stats)


@pytest.mark.parametrize("overwrite", [True, False])
def test_no_reader(clean_kernel: Tracefs, overwrite: bool) -> None:
    with caller() as process, Instance(clean_kernel, buffer_kb=64) as instance:
        options.set_option(instance.path, "overwrite", overwrite)
        instance.only([process.pid])
        instance.enable(GETPPID)
        run(process)
        stats = instance.stats()
    assert sum(one.entries for one in stats) > 0
    assert sum(one.overrun if overwrite else one.dropped for one in stats) > EVENTS // 2
    assert sum(one.read for one in stats) == 0
    assert issued(stats) == EVENTS


@pytest.mark.parametrize(("buffer_kb", "pause_s"), [(8192, 0.0), (64, 0.02)], ids=["fast", "slow"])
def test_reader(clean_kernel: Tracefs, monkeypatch: pytest.MonkeyPatch, buffer_kb: int, pause_s: float) -> None:
    if pause_s:
        monkeypatch.setattr(capture, "QUEUE_BYTES", 1 << 16)
    with caller() as process, live.open(plan_for(process), tracefs=clean_kernel, buffer_kb=buffer_kb, facts=False) as source:
        delivered = 0
        for count, batch in enumerate(stream := Stream(source)):
            if count == 0:
                run(process)
                source.stop()
            delivered += len(batch)
            time.sleep(pause_s)
    health = source.health()
    assert sum(one.read for one in health.stats) == delivered
    assert delivered + health.lost == EVENTS
    assert sum(one.entries for one in health.stats) == 0
    assert sum(stream.losses_seen.values()) + sum(stream.unseen_losses().values()) == health.lost
    assert bool(health.lost) == bool(pause_s)
    assert stream.late == 0
    assert not stream.faults


def test_leaving_early_counts_what_stays_buffered(clean_kernel: Tracefs) -> None:
    with caller() as process, live.open(plan_for(process), tracefs=clean_kernel, facts=False) as source:
        run(process)
    assert issued(source.health().stats) == EVENTS


def plan_for(process: subprocess.Popen[bytes]) -> Plan:
    return Plan(events=[GETPPID], pids=(process.pid,), follow_forks=True)
