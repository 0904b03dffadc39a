"""The folder as the registry of tools: their names and what each is for, without importing any."""

from __future__ import annotations

import os

_NOT_TOOLS = {
    "__init__",
    "blockoptions",
    "eventrows",
    "functionoptions",
    "histograms",
    "kit",
    "listed",
    "options",
    "probeoptions",
    "provenance",
    "rows",
}


def names() -> list[str]:
    """Every tool's name, from the file names alone."""
    files = (os.path.splitext(name) for name in os.listdir(os.path.dirname(__file__)))
    return sorted(stem for stem, suffix in files if suffix == ".py" and stem not in _NOT_TOOLS)


def summary(name: str) -> str:
    """A tool's one line of help, read from its file without importing it."""
    path = os.path.join(os.path.dirname(__file__), f"{name}.py")
    with open(path, encoding="utf-8") as file:
        return short(file.readline().strip().removeprefix('"""'))


def short(first_line: str) -> str:
    """What the first line of a tool's docstring says behind its name."""
    return first_line.partition(":")[2].strip().removesuffix(".")
