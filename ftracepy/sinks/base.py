"""What every sink does, and the buffered writing they share."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from typing import BinaryIO, Protocol, TextIO

from ftracepy.analysis.layout import Layout
from ftracepy.errors import FtracepyError
from ftracepy.sinks.escape import visible
from ftracepy.tools.rows import Row

_FLUSH_ROWS = 1024
_FLUSH_BYTES = 1 << 16


class Sink(Protocol):
    """Where a run's rows go. Rows may be held back until `flush`, so whoever waits for events flushes first.

    Each method may raise BrokenPipeError (the reader has gone: end the run quietly) or FtracepyError (the
    output cannot be written: disk full and the like).
    """

    def row(self, row: Row) -> None:
        """One row."""

    def layout(self) -> Layout | None:
        """How lines are laid out and where to put them, where rows may come as lines of plain text, too."""

    def notice(self, text: str) -> None:
        """Text the user must see, whatever the format."""

    def loss(self, cpu: int, events: int | None) -> None:
        """Events lost on `cpu` at this place among the rows; None: the kernel does not say how many."""

    def flush(self) -> None:
        """Write what is held back; notices too when a pipe's reader has gone, though there be nothing to write."""

    def close(self) -> None:
        """Flush for good; the output itself stays open."""


class Writable(Protocol):
    def write(self, text: str, /) -> object: ...


class _Writes:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write


class Output:
    """Text held back and written in large pieces, as UTF-8."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._held: list[str] = []
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._pipe = _pipe_of(out)

    def put(self, text: str) -> None:
        self._held.append(text)
        if len(self._held) >= _FLUSH_ROWS:
            self._write()

    def put_lines(self, lines: bytes) -> None:
        """Text that is bytes already."""
        self._make_ready()
        self._ready.append(lines)
        self._ready_bytes += len(lines)
        if self._ready_bytes >= _FLUSH_BYTES:
            self._write()

    def as_file(self) -> Writable:
        """The face that csv.writer wants."""
        return _Writes(self.put)

    def flush(self) -> None:
        if self._held or self._ready:
            self._write()
        elif self._pipe is not None and _reader_gone(self._pipe):
            raise BrokenPipeError

    def _make_ready(self) -> None:
        if self._held:
            self._ready.append("".join(self._held).encode("utf-8", "backslashreplace"))
            self._held.clear()

    def _write(self) -> None:
        self._make_ready()
        data = b"".join(self._ready)
        self._ready.clear()
        self._ready_bytes = 0
        try:
            self._out.write(data)
            self._out.flush()
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise cannot_write(self._out, fault) from None


def cannot_write(out: BinaryIO, fault: OSError) -> FtracepyError:
    """The error for an output that refuses what it is given."""
    name = getattr(out, "name", None)
    what = f"cannot write {name}" if isinstance(name, str) and not name.startswith("<") else "cannot write the output"
    return FtracepyError(what, why=fault.strerror or str(fault))


class Messages:
    """Losses and notices of the formats that have no place for them among the rows."""

    def __init__(self, output: Output, to: TextIO | None) -> None:
        self._output = output
        self._to = to

    def notice(self, text: str) -> None:
        """Rows first: on a terminal a message must stand where it happened."""
        self._output.flush()
        to = self._to or sys.stderr
        for line in text.splitlines():
            to.write(f"ftracepy: {visible(line)}\n")
        to.flush()

    def loss(self, cpu: int, events: int | None) -> None:
        count = "an unknown number of" if events is None else f"{events:,}"
        self.notice(f"lost {count} event{'' if events == 1 else 's'} on CPU {cpu}")


def is_terminal(out: BinaryIO) -> bool:
    try:
        return out.isatty()
    except ValueError:
        return False


def line_writer(out: BinaryIO) -> Callable[[bytes], object]:
    """What writes lines of text: to a terminal with every unsafe character escaped, elsewhere as they are, to the byte."""
    return (lambda data: out.write(_safe_lines(data))) if is_terminal(out) else out.write


def _safe_lines(data: bytes) -> bytes:
    """Line ends and tabs stay: they are the layout's own."""
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    return "\n".join(["\t".join(map(visible, line.split("\t"))) for line in lines]).encode()


def _pipe_of(out: BinaryIO) -> int | None:
    """The descriptor, where `out` is a pipe or socket whose reader can go away."""
    try:
        fd = out.fileno()
        mode = os.fstat(fd).st_mode
    except (OSError, ValueError):
        return None
    return fd if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def _reader_gone(fd: int) -> bool:
    """Whether nobody can read what is written to `fd` any more: `| head -1` must not wait for the next row to end."""
    poller = select.poll()
    poller.register(fd, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _fd, events in poller.poll(0))
