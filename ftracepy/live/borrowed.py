"""What is set at the top level because no instance has it: noted in the journal, taken only if idle, put back at the end.

A setting is put back to what it was if it still is what we made it. A list of functions or threads is taken only while it
is empty, and emptied again while nothing is on it but what we put there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from os import sysconf
from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.live.journal import Journal
from ftracepy.tracefs import events, files, functions

_BUSY_HINT = "end whoever uses it, or put it back by: echo > {}"


class Borrowed:
    """The top level's files as one run uses them. `undo_by` registers what is to be done at its end."""

    def __init__(self, root: Path, journal: Journal, undo_by: Callable[[Callable[[], object]], None]) -> None:
        self._root, self._journal, self._undo_by = root, journal, undo_by

    def setting(self, name: str, text: str) -> None:
        """Write `text` to a file of the top level. Raises FtracepyError."""
        was = value(self._root, name)
        if was == text:
            return
        self._journal.note("setting", name, was=was, made=text)
        self._undo_by(lambda: put_back(self._root, name, was, text))
        files.write(self._root / name, text)

    def idle(self, name: str, idle: str) -> None:
        """Raise FtracepyError unless the file says `idle`: somebody uses it."""
        if (now := value(self._root, name)) != idle:
            raise in_use(name, now)

    def list(self, name: str, words: Sequence[str], add: Callable[[], object]) -> None:
        """Have `add` put `words` (names, globs or numbers) on a list. Raises FtracepyError where somebody else uses it."""
        if not words:
            return
        if there := functions.listed(self._root, name):
            raise in_use(name, there[0])
        self._journal.note("list", name, made="\n".join(words))
        self._undo_by(lambda: clear_own(self._root, name, words))
        add()


def in_use(name: str, says: str) -> FtracepyError:
    why = f"{name} at the top level of tracefs is {says!r}, and holds for everybody"
    return FtracepyError("somebody else uses the function tracer", why=why, hint="end that first")


def value(root: Path, name: str) -> str:
    """A setting as it would be written: of a choice what is chosen, of a size the number."""
    words = (files.try_read(root / name) or "").split()
    chosen = next((word.strip("[]") for word in words if word.startswith("[")), None)
    if name.endswith("buffer_size_kb") and "(expanded:" in words:
        return words[-1].rstrip(")")  # once expanded it stays so, and would be by anybody's use
    return chosen if chosen is not None else " ".join(words)


def put_back(root: Path, name: str, was: str, made: str) -> bool:
    """Undo `setting`; False where it is not ours any more. Raises FtracepyError."""
    now = value(root, name)
    if not (same(now, made) or (name.endswith("buffer_size_kb") and _rounded_up(now, made))):
        return False
    files.write(root / name, was, f"cannot put {name} back to {was!r}")
    return True


def same(now: str, made: str) -> bool:
    """Whether a file says what was written to it; an event that triggers hold too says 1*."""
    return now.rstrip("*") == made


def _rounded_up(now: str, made: str) -> bool:
    """Whether a size is what was written, in whole sub-buffers: some kernels say that once the buffer has been looked at."""
    return now.isdecimal() and made.isdecimal() and 0 <= int(now) - int(made) <= sysconf("SC_PAGE_SIZE") >> 10


def clear_own(root: Path, name: str, words: Iterable[str]) -> bool:
    """Undo `list`; False where nothing of ours, or something of others is on it. Raises FtracepyError.

    Threads are put on their lists by the kernel, too (children of listed ones): those lists are ours while nobody traces.
    """
    there = functions.listed(root, name)
    if name.endswith("_pid") and there and functions.tracer(root) == functions.NO_TRACER and not events.enabled(root):
        functions.clear(root, name)
        return True
    globs = [word.partition(":mod:")[0] for word in words]
    if not there or not all(any(fnmatchcase(one, glob) for glob in globs) for one in there):
        return False
    functions.clear(root, name)
    return True
