"""Calls of kernel functions counted in the kernel: exact, of one process alone where asked, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy import live
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.kernelcounts import readings
from ftracepy.live.plan import EVERYBODY, Scope, plan
from ftracepy.probes import KernelCounts
from ftracepy.stream import Stream
from ftracepy.tracefs import Tracefs

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
