"""Keeps every processor from idling, at the lowest priority: of an idle one's interrupts some kernels save no stack (6.18)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def _spin(cpu: int) -> subprocess.Popen[bytes]:
    one = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    os.sched_setaffinity(one.pid, {cpu})
    os.sched_setscheduler(one.pid, os.SCHED_IDLE, os.sched_param(0))
    return one


@contextmanager
def occupied() -> Iterator[None]:
    """While this lasts something runs on each processor that this process may use, and gives way to all else."""
    spinning = [_spin(cpu) for cpu in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()
