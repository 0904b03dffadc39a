"""/etc/ld.so.cache: which file the dynamic loader takes for a library's name (glibc, sysdeps/generic/dl-cache.h).

Read directly: ldconfig, asked the same, writes the cache and the links to libraries anew.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from ftracepy.values import dataclass

_NEW = b"glibc-ld.so.cache1.1"
_HEAD_BYTES, _ENTRY_BYTES = 48, 24
# The bits of an entry's flags that say for which kind of machine: 64-bit x86, arm64, 64-bit riscv (double float).
_ARCH_MASK = 0xFF00
_ARCHS = {0x0000: "32-bit or the only kind", 0x0300: "x86_64", 0x0800: "x32", 0x0A00: "aarch64", 0x0900: "arm (hard float)",
          0x1000: "riscv64", 0x0500: "powerpc64", 0x0400: "s390x"}  # fmt: skip
_DEFAULT_FOLDERS = ("lib", "usr/lib", "lib64", "usr/lib64")


@dataclass(frozen=True, slots=True)
class Cached:
    """One library: the name that programs ask for, the file, and for which kind of machine."""

    name: str
    path: str
    arch: str


def libraries(root: str = "/") -> list[Cached]:
    """Every library that the loader of this file tree would find without being told where; [] without cache and folders."""
    try:
        data = Path(root, "etc/ld.so.cache").read_bytes()
    except OSError:
        data = b""
    found = list(_parsed(data))
    known = {one.name for one in found}
    folders = _DEFAULT_FOLDERS if found else (*_DEFAULT_FOLDERS, *_machine_folders(root))
    return [*found, *(one for one in _in_folders(root, folders) if one.name not in known)]


def _parsed(data: bytes) -> Iterator[Cached]:
    """The table in the new format, which may follow one in the old; its offsets count from its own start."""
    start = data.find(_NEW)
    if start < 0 or len(data) < start + _HEAD_BYTES:
        return
    order = ">" if data[start + 28] & 3 == 3 else "<"
    (count,) = struct.unpack_from(order + "I", data, start + len(_NEW))
    for at in range(count):
        try:
            flags, key, value = struct.unpack_from(order + "iII", data, start + _HEAD_BYTES + _ENTRY_BYTES * at)
        except struct.error:
            return
        yield Cached(_text(data, start + key), _text(data, start + value), _ARCHS.get(flags & _ARCH_MASK, hex(flags)))


def _text(data: bytes, at: int) -> str:
    return os.fsdecode(data[at : data.find(b"\0", at)])


def _machine_folders(root: str) -> list[str]:
    """Debian's folders of libraries, one for each kind of machine, which its loader knows without the cache."""
    top = Path(root)
    return [str(one.relative_to(top)) for folder in ("lib", "usr/lib") for one in sorted(top.glob(f"{folder}/*-linux-*"))]


def _in_folders(root: str, folders: Iterable[str]) -> Iterator[Cached]:
    """What the loader looks into after the cache; musl's has no cache at all."""
    for folder in folders:
        try:
            names = sorted(os.listdir(os.path.join(root, folder)))
        except OSError:
            continue
        for name in names:
            if ".so" in name:
                yield Cached(name, f"/{folder}/{name}", "")


def stem(name: str) -> str:
    """`libc` of libc.so.6, as people name libraries; also of the older libc-2.31.so."""
    short = name.partition(".so")[0]
    base, dash, version = short.rpartition("-")
    return base if dash and version[:1].isdigit() else short


def matching(name: str, root: str = "/") -> list[Cached]:
    """The libraries that `libc`, `libc.so` or `libc.so.6` means, each file once."""
    found = [one for one in libraries(root) if one.name == name]
    found = found or [one for one in libraries(root) if ".so" in name and one.name.startswith(f"{name}.")]
    found = found or [one for one in libraries(root) if stem(one.name) == name]
    by_file: dict[str, Cached] = {}
    for one in found:
        by_file.setdefault(os.path.realpath(os.path.join(root, one.path.lstrip("/"))), one)
    return list(by_file.values())
