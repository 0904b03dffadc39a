"""options/: the switches of one instance, and its tracing_on."""

from __future__ import annotations

from pathlib import Path

from ftracepy.tracefs import files


def exists(root: Path, name: str) -> bool:
    return (root / "options" / name).exists()


def get(root: Path, name: str) -> bool | None:
    """Whether the option is on; None where this kernel has no such option."""
    text = files.try_read(root / "options" / name)
    return None if text is None else text.strip() == "1"


def set_option(root: Path, name: str, on: bool = True) -> None:
    files.write(root / "options" / name, "1" if on else "0", f"cannot turn the option {name} {'on' if on else 'off'}")


def is_tracing(root: Path) -> bool | None:
    """tracing_on; None where it cannot be read."""
    text = files.try_read(root / "tracing_on")
    return None if text is None else text.strip() == "1"


def set_tracing(root: Path, on: bool) -> None:
    files.write(root / "tracing_on", "1" if on else "0", f"cannot {'start' if on else 'stop'} recording")
