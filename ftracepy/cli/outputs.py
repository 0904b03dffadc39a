"""Where a command writes: standard output or the file of -o, and messages beside it."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from ftracepy.errors import FtracepyError
from ftracepy.sinks.base import cannot_write
from ftracepy.sinks.escape import visible


@contextmanager
def output(path: str | None) -> Iterator[BinaryIO]:
    """The open output; raises FtracepyError at once where the file cannot be written."""
    if path in {None, "-"}:
        yield from _standard_output()
        return
    assert path is not None
    try:
        raw = _LateTruncated(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
    except OSError as fault:
        raise FtracepyError(f"cannot write '{path}'", why=fault.strerror or str(fault)) from None
    raw.name = path
    file = io.BufferedWriter(raw)
    try:
        yield cast(BinaryIO, file)
        _finish(file, raw)
    finally:
        # Straight to the descriptor: what a full disk refused once must not be tried, and complained of, again.
        raw.close()


def _standard_output() -> Iterator[BinaryIO]:
    """As a stream that writes all it is given: without a buffer (python -u, PYTHONUNBUFFERED) it may write a part, and say so."""
    stream = sys.stdout.buffer
    if not isinstance(stream, io.RawIOBase):
        yield stream
        return
    whole = io.BufferedWriter(stream)
    try:
        yield cast(BinaryIO, whole)
        whole.flush()
    finally:
        with suppress(OSError, ValueError):  # what the pipe refused is not tried again
            whole.detach()


def _finish(file: io.BufferedWriter[_LateTruncated], raw: _LateTruncated) -> None:
    try:
        file.flush()
        raw.begin()
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise cannot_write(cast(BinaryIO, file), fault) from None


class _LateTruncated(io.FileIO):
    """A file whose old content goes when the new begins: a run that the kernel refuses leaves the last result alone."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "wb")
        self._begun = not stat.S_ISREG(os.fstat(fd).st_mode)

    def begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.truncate(0)

    def write(self, data: io.ReadableBuffer, /) -> int:  # type: ignore[name-defined]
        self.begin()
        return super().write(data)


def say(text: str) -> None:
    """A message that is no row, on stderr, after what stands before it on stdout."""
    sys.stdout.flush()
    sys.stderr.write("".join(f"ftracepy: {visible(line)}\n" for line in text.splitlines()))
    sys.stderr.flush()


class Progress:
    """`say`, with texts that begin with a carriage return kept on one line of the terminal, each in place of the last."""

    def __init__(self) -> None:
        self._shown = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self._clear()

    def __call__(self, text: str) -> None:
        if not text.startswith("\r"):
            self._clear()
            say(text)
            return
        line = f"ftracepy: {visible(text[1:])}"
        sys.stderr.write("\r" + line.ljust(self._shown))
        sys.stderr.flush()
        self._shown = len(line)

    def _clear(self) -> None:
        """Blanks, not an escape sequence: every terminal knows them."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            self._shown = 0


def show(text: str) -> None:
    """One line of output that may quote the kernel or a file."""
    sys.stdout.write(visible(text) + "\n")
