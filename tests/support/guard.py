"""A guard that the kernel itself keeps: who calls bpf(2) or perf_event_open(2) after it is up dies of SIGSYS, children too.

A seccomp filter, inherited by every process begun later: so a whole run of live tests proves that nothing they start calls
either. Format: linux/filter.h, linux/seccomp.h, linux/audit.h; numbers: the kernel's system call tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_MACHINE = os.uname().machine
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[_MACHINE]
FORBIDDEN = {
    "x86_64": {"bpf": 321, "perf_event_open": 298},
    "aarch64": {"bpf": 280, "perf_event_open": 241},
}[_MACHINE]
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000


def stand() -> bool:
    """Put the guard up in this thread and all it starts; False on a kernel without seccomp filters. Raises OSError."""
    program = _program()
    buffer = ctypes.create_string_buffer(program)
    size = len(program) // 8
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", size, ctypes.addressof(buffer)))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described) == 0:
        return True
    if ctypes.get_errno() == errno.EINVAL:
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _program() -> bytes:
    """Of the native interface only: `seccomp_data` holds the number at byte 0 and the architecture at byte 4."""
    numbers = list(FORBIDDEN.values())
    steps = [(_LOAD_WORD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH), (_RETURN, 0, 0, _ALLOW), (_LOAD_WORD, 0, 0, 0)]
    steps += [(_JUMP_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _KILL_PROCESS)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
