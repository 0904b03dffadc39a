"""Calls of kernel functions counted in the kernel: exact, of one process alone where asked, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy import live
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.kernelcounts import readings
from ftracepy.live.aides.counts import CountsAide, Key
from ftracepy.live.instance import Instance
from ftracepy.live.owner import PREFIX
from ftracepy.live.plan import EVERYBODY, Scope, plan
from ftracepy.probes import KernelCounts
from ftracepy.sidefacts import SideFact
from ftracepy.stream import Stream
from ftracepy.tracefs import Tracefs, instances

# 1009 calls of getsid by one child, 101 by another.
_CHILD = "import os, sys\nsys.stdin.readline()\nfor _ in range(1009): os.getsid(0)"
_FUNCTIONS = ("__x64_sys_getsid", "__arm64_sys_getsid", "no_such_function")


def counted(tracefs: Tracefs, *, alone: bool) -> Counter[tuple[int | str, ...]]:
    wish = KernelCounts("calls", functions=_FUNCTIONS)
    total = Counter[tuple[int | str, ...]]()
    with subprocess.Popen([sys.executable, "-S", "-c", _CHILD], stdin=subprocess.PIPE) as child:
        made = plan([wish], tracefs, scope=Scope(pid=child.pid) if alone else EVERYBODY)
        with live.open(made, tracefs=tracefs) as source:
            other = threading.Thread(target=_work, args=(child, source.stop))
            other.start()
            for reading in readings(Feed(Stream(source), source.schema), wish):
                total.update(reading.counts)
            other.join()
    return total


def _work(child: subprocess.Popen[bytes], stop: Callable[[], None]) -> None:
    subprocess.run([sys.executable, "-S", "-c", "import os\nfor _ in range(101): os.getsid(0)"], check=True)
    child.communicate(b"\n")
    stop()


@pytest.mark.parametrize(("alone", "calls"), [(False, 1110), (True, 1009)], ids=["everybody's", "one process's"])
def test_calls_of_a_function(clean_kernel: Tracefs, requires: Callable[[str], None], alone: bool, calls: int) -> None:
    requires("kprobes")
    name, comm = f"__{'arm64' if os.uname().machine == 'aarch64' else 'x64'}_sys_getsid", Path("/proc/thread-self/comm")
    before = comm.read_bytes()
    assert counted(clean_kernel, alone=alone) == {(name,): calls}
    assert comm.read_bytes() == before  # trying hist triggers renames the thread


class SlowToBegin:
    """A counter that begins after many an interval, and that nobody may ask before."""

    keys: tuple[str, ...] = ("number",)
    filter = ""
    begun = False

    def begin(self, instance: Instance) -> None:
        time.sleep(0.2)
        self.begun = True

    def totals(self) -> tuple[dict[Key, int], int]:
        assert self.begun
        return {(1,): 7}, 0

    def end(self) -> None:
        assert self.begun


def test_nothing_is_read_before_the_counting_has_begun(clean_kernel: Tracefs) -> None:
    told: list[SideFact] = []
    aide = CountsAide("slow", SlowToBegin(), clean_kernel, interval_s=0.01)
    aide.start(told.append)
    aide.stop()
    assert [json.loads(fact.body)["counts"] for fact in (told[0], told[-1])] == [[], [[[1], 7]]]
    assert [name for name in instances.names(clean_kernel.root) if name.startswith(f"{PREFIX}{os.getpid()}_")] == []
