"""The flags of open(2) as text, by the recording machine's numbers."""

from __future__ import annotations

from functools import lru_cache

_ACCESS = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}

# include/uapi/asm-generic/fcntl.h. O_SYNC and O_TMPFILE contain O_DSYNC and O_DIRECTORY, so they come first.
_GENERIC = {
    "O_SYNC": 0o4010000, "O_TMPFILE": 0o20200000, "O_CREAT": 0o100, "O_EXCL": 0o200, "O_NOCTTY": 0o400, "O_TRUNC": 0o1000,
    "O_APPEND": 0o2000, "O_NONBLOCK": 0o4000, "O_DSYNC": 0o10000, "O_ASYNC": 0o20000, "O_DIRECT": 0o40000,
    "O_LARGEFILE": 0o100000, "O_DIRECTORY": 0o200000, "O_NOFOLLOW": 0o400000, "O_NOATIME": 0o1000000,
    "O_CLOEXEC": 0o2000000, "O_PATH": 0o10000000,
}  # fmt: skip
# arch/arm64/include/uapi/asm/fcntl.h
_ARM64 = _GENERIC | {
    "O_DIRECTORY": 0o40000, "O_NOFOLLOW": 0o100000, "O_DIRECT": 0o200000, "O_LARGEFILE": 0o400000, "O_TMPFILE": 0o20040000,
}  # fmt: skip

O_PATH = 0o10000000


@lru_cache(maxsize=1024)
def text(flags: int, machine: str = "x86_64") -> str:
    """`O_WRONLY|O_CREAT|O_TRUNC`; bits without a name are shown in hexadecimal."""
    flags &= 0xFFFFFFFF
    names, rest = [_ACCESS[flags & 3]], flags & ~3
    for name, bits in (_ARM64 if machine in {"aarch64", "arm64"} else _GENERIC).items():
        if rest & bits == bits:
            names.append(name)
            rest &= ~bits
    if rest:
        names.append(hex(rest))
    return "|".join(names)
