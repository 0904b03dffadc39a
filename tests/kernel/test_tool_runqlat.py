"""runqlat live, against the kernel's own account of how long a task waited."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import python, watch

# Two that want one CPU. /proc/self/schedstat: time run, time waited (ns), time slices.
_WORK = """import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
rival = os.fork()
if not rival:
    while os.getppid() != 1: pass
    os._exit(0)
def waited():
    with open('/proc/self/schedstat') as file: return int(file.read().split()[1])
def call(name):
    with open('/proc/self/comm', 'w') as file: file.write(name)
before = waited()
call('waits')
begun = waited()
while time.thread_time() < 0.3: pass
ended = waited()
call('sleeps')
after = waited()
for _ in range(101): time.sleep(0.001)
os.kill(rival, 9)
open(PATH, 'w').write(f'{ended - begun} {after - before}')
"""


@pytest.mark.counted("runqlat", "the time that a task waited beside a rival, as schedstat has it")
def test_waits_are_what_the_scheduler_says(clean_kernel: Tracefs, tmp_path: Path) -> None:
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel keeps no such account")
    told = tmp_path / "told"
    rows = watch("runqlat", python(_WORK.replace("PATH", repr(str(told)))))
    least, most = map(int, told.read_text().split())  # read within, and around, the time that it has its name
    (mine,), (sleeps,) = ([row for row in rows if row["comm"] == name] for name in ("waits", "sleeps"))
    assert sleeps["count"] >= 101
    assert 0.95 * least - 1_000_000 <= mine["total_ns"] <= 1.05 * most + 1_000_000
    assert mine["max_ns"] <= mine["total_ns"] == pytest.approx(mine["average_ns"] * mine["count"], rel=0.01)
