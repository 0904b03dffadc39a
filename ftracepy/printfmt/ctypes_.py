"""Sizes and signs of the C types that casts and sizeof in a `print fmt` name."""

from __future__ import annotations

import re
from typing import NamedTuple


class CType(NamedTuple):
    """Bytes and sign of an integer (or pointer) type."""

    size: int
    signed: bool


INT = CType(4, True)
UINT = CType(4, False)
S64 = CType(8, True)
U64 = CType(8, False)

_WORDS = frozenset(("unsigned", "signed", "int", "long", "short", "char", "void", "const", "volatile", "struct", "union", "enum"))
_FIXED = {
    "u8": 1, "s8": -1, "u16": 2, "s16": -2, "u32": 4, "s32": -4, "u64": 8, "s64": -8,
    "uint8_t": 1, "int8_t": -1, "uint16_t": 2, "int16_t": -2, "uint32_t": 4, "int32_t": -4, "uint64_t": 8, "int64_t": -8,
    "le8": 1, "be8": 1, "le16": 2, "be16": 2, "le32": 4, "be32": 4, "le64": 8, "be64": 8,
    "bool": 1, "_Bool": 1, "gfp_t": 4, "dev_t": 4, "pid_t": -4, "uid_t": 4, "gid_t": 4, "umode_t": 2, "clockid_t": -4,
    "sector_t": 8, "loff_t": -8, "blkcnt_t": 8, "dma_addr_t": 8, "phys_addr_t": 8, "resource_size_t": 8, "ktime_t": -8,
    "blk_opf_t": 4, "fmode_t": 4, "vm_fault_t": 4, "nid_t": 4, "block_t": 4, "tid_t": 4, "ext4_fsblk_t": 8, "ext4_lblk_t": 4,
    "xfs_ino_t": 8, "xfs_fsblock_t": 8, "xfs_daddr_t": -8, "xfs_off_t": -8, "xfs_extlen_t": 4, "xfs_agblock_t": 4,
    "xfs_agnumber_t": 4, "xfs_agino_t": 4, "xfs_filblks_t": 8, "xfs_fileoff_t": 8, "xfs_lsn_t": -8, "xfs_fsize_t": -8,
    "xfs_dahash_t": 4, "xfs_rfsblock_t": 8, "xfs_exntst_t": 4, "xfs_nlink_t": 4,
}  # fmt: skip
_LONG_NAMES = frozenset({"size_t", "ssize_t", "ino_t", "uintptr_t", "intptr_t", "pgoff_t", "pfn_t", "cycles_t"})
_NAME = re.compile(r"[A-Za-z_]\w*$")


def starts_type(word: str) -> bool:
    """Whether `word` can only begin a type."""
    return word in _WORDS or word in _LONG_NAMES or word.removeprefix("__") in _FIXED or word in _FIXED


def ctype(text: str, long_bytes: int = 8) -> CType | None:
    """The type named `text`, or None where its size is not known."""
    if "*" in text:
        return CType(long_bytes, False)
    words = [word for word in text.split() if word not in {"const", "volatile", "int"}]
    if "enum" in words:
        return UINT
    if not words:
        return INT
    signed = "unsigned" not in words
    base = [word for word in words if word not in {"unsigned", "signed"}]
    match base:
        case []:
            return CType(4, signed)
        case ["char"]:
            return CType(1, signed)
        case ["short"]:
            return CType(2, signed)
        case ["long"]:
            return CType(long_bytes, signed)
        case ["long", "long"]:
            return CType(8, signed)
        case [name]:
            return _named(name, long_bytes)
    return None


def _named(name: str, long_bytes: int) -> CType | None:
    if name in _LONG_NAMES:
        return CType(long_bytes, name in {"ssize_t", "intptr_t"})
    size = _FIXED.get(name) or _FIXED.get(name.removeprefix("__"))
    return CType(abs(size), size < 0) if size else None


def wrap(value: int, type_: CType) -> int:
    """`value` as a variable of `type_` would hold it."""
    bits = type_.size * 8
    value &= (1 << bits) - 1
    return value - (1 << bits) if type_.signed and value >> (bits - 1) else value


def is_identifier(word: str) -> bool:
    return bool(_NAME.match(word))
