"""An instance's ring buffer: its size, its sub-buffers, and how full it must be before a reader is woken."""

from __future__ import annotations

from pathlib import Path

from ftracepy.tracefs import files


def size_kb(root: Path) -> int | None:
    """KB for each CPU; None where CPUs differ ("X") or it cannot be read. "7 (expanded: 1408)" counts as 7."""
    words = (files.try_read(root / "buffer_size_kb") or "").split()
    return int(words[0]) if words and words[0].isdigit() else None


def set_size_kb(root: Path, kb: int) -> None:
    """KB for each CPU, rounded up by the kernel to whole sub-buffers. Raises FtracepyError (ENOMEM: more than there is)."""
    files.write(root / "buffer_size_kb", str(kb), f"cannot give each CPU a buffer of {kb} KB")


def set_wakeup_percent(root: Path, percent: int) -> bool:
    """How full a CPU's buffer must be to wake readers (0: any event); False before 5.0, where any event wakes them."""
    if not (root / "buffer_percent").exists():
        return False
    files.write(root / "buffer_percent", str(percent), f"cannot set the wake-up mark to {percent} %")
    return True


def subbuffer_bytes(root: Path) -> int | None:
    """One sub-buffer of this instance (6.8 and newer); None where header_page alone tells it."""
    text = files.try_read(root / "buffer_subbuf_size_kb")
    return int(text) * 1024 if text and text.strip().isdigit() else None


def header_page(root: Path) -> bytes:
    return files.read_bytes(root / "events/header_page", "cannot read the layout of the ring buffer")


def header_event(root: Path) -> bytes:
    return files.read_bytes(root / "events/header_event", "cannot read the layout of event headers")
