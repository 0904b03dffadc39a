"""A program that opens files through io_uring, without any library: python uring.py FOLDER N.

N files f0, f1 … of the folder and as many that are not there (none0 …), every other one by a worker thread.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys

_SETUP, _ENTER, _OPENAT, _ASYNC, _AT_FDCWD = 425, 426, 18, 1 << 4, -100
_SQES = 0x10000000  # include/uapi/linux/io_uring.h: IORING_OFF_SQES
libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    """One request at a time; offsets are those of struct io_uring_params."""

    def __init__(self) -> None:
        params = bytearray(120)
        self.fd = libc.syscall(_SETUP, 8, (ctypes.c_char * 120).from_buffer(params))
        if self.fd < 0:
            sys.exit(f"no io_uring: {os.strerror(ctypes.get_errno())}")
        entries, results = struct.unpack_from("II", params)
        _, self.tail, self.mask, _, _, _, self.array = struct.unpack_from("7I", params, 40)
        self.done, _, self.done_mask, _, _, self.cqes = struct.unpack_from("6I", params, 80)
        size = max(self.array + 4 * entries, self.cqes + 16 * results)
        self.rings = mmap.mmap(self.fd, size)
        self.sqes = mmap.mmap(self.fd, 64 * entries, offset=_SQES)

    def _word(self, at: int) -> int:
        (value,) = struct.unpack_from("I", self.rings, at)
        return int(value)

    def open(self, path: str, by_worker: bool) -> int:
        name = ctypes.create_string_buffer(os.fsencode(path))
        tail = self._word(self.tail)
        slot = tail & self._word(self.mask)
        flags = _ASYNC if by_worker else 0
        request = struct.pack("BBHiQQIIQ", _OPENAT, flags, 0, _AT_FDCWD, 0, ctypes.addressof(name), 0, os.O_RDONLY, 7)
        self.sqes[slot * 64 : slot * 64 + 64] = request.ljust(64, b"\0")
        struct.pack_into("I", self.rings, self.array + 4 * slot, slot)
        struct.pack_into("I", self.rings, self.tail, tail + 1)
        if libc.syscall(_ENTER, self.fd, 1, 1, 1, None, 0) != 1:
            sys.exit("io_uring_enter failed")
        done = self._word(self.done)
        (result,) = struct.unpack_from("i", self.rings, self.cqes + 16 * (done & self._word(self.done_mask)) + 8)
        struct.pack_into("I", self.rings, self.done, done + 1)
        if result >= 0:
            os.close(result)
        return int(result)


if __name__ == "__main__":
    ring = Ring()
    for number in range(int(sys.argv[2])):
        assert ring.open(f"{sys.argv[1]}/f{number}", number % 2 == 1) >= 0
        assert ring.open(f"{sys.argv[1]}/none{number}", number % 2 == 1) == -2
