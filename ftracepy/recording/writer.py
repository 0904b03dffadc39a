"""Writes a trace.dat of version 7: pages go in as the kernel gave them, nothing is decoded."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress

from ftracepy import __version__
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.recording.codecs import NONE, codec
from ftracepy.recording.options import OptionId
from ftracepy.recording.progress import PROGRESS_OPTION, Progress, lock
from ftracepy.recording.sections import Encoder
from ftracepy.recording.spool import MOVE_BYTES, Spool
from ftracepy.recording.stats import stats_text
from ftracepy.recording.v7 import OPTIONS_SECTION
from ftracepy.schematexts import SchemaTexts
from ftracepy.source import CpuStats, Pages

_CHUNK_PAGES = 64  # more a chunk than trace-cmd's 10 compresses better, and its reader is slow with many chunks
_SLACK_BYTES = 256 << 10


class Writer:
    """One recording being written; a context manager. `size_bytes` counts the bytes of pages written so far.

    `texts` is what the kernel says of its events; `cpus` the CPUs whose pages may come. `finish`
    makes the file whole. Left without it (an error elsewhere), what was written until then is made
    whole all the same; killed, the file has the texts and the spools beside it the pages, which a
    reader puts together. Raises UsageFault where `path` cannot hold a recording, FtracepyError where
    the disk refuses.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        texts: SchemaTexts,
        cpus: Sequence[int],
        clock: str | None = None,
        page_bytes: int | None = None,
        compression: str = NONE,
    ) -> None:
        self.path = os.fspath(path)
        layout = texts.layout(page_bytes)
        self._texts = texts
        self._clock = clock or texts.clock
        self._page_bytes = layout.size_bytes
        self._encoder = Encoder(">" if texts.big_endian else "<", codec(compression))
        self._spools = {cpu: Spool(self.path, cpu, self._page_bytes) for cpu in cpus}
        self._finished = False
        self.size_bytes = 0
        self._fd = _create(self.path)
        lock(self._fd)
        head, self._options_at = self._encoder.head(layout.long_bytes, self._page_bytes)
        self._end = self._progress_at = 0
        self._sections: dict[int, tuple[int, int]] = {}  # by number: hash of the text, and where it is
        self._begin(head)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        with suppress(*([FtracepyError] if kind else [])):  # the first error is the one to be told
            self.finish()

    def write(self, pages: Pages) -> None:
        """Append one CPU's pages. Raises FtracepyError where the disk refuses; what was written before is kept."""
        spool = self._spools.get(pages.cpu)
        if spool is None:  # a CPU that came online while recording
            spool = self._spools[pages.cpu] = Spool(self.path, pages.cpu, self._page_bytes)
        self.size_bytes -= spool.size_bytes
        refused = spool.write(memoryview(pages.data).cast("B"))
        self.size_bytes += spool.size_bytes
        if refused:
            raise self._fault(spool.path, refused)

    def promise(self, until_ns: int) -> None:
        """Tell those who follow the file that every event older than `until_ns` (raw clock) has been written."""
        with suppress(OSError):  # a follower that hears less waits longer
            _write(self._fd, Progress(until_ns).pack(self._encoder.order), self._progress_at)

    def finish(self, stats: Sequence[CpuStats] = (), texts: SchemaTexts | None = None) -> None:
        """Make the file whole: once, later calls do nothing.

        `stats` are the kernel's counts at the end, so that losses are known to every reader; `texts`
        replaces those of the start: comms and modules seen while recording are in the later ones.
        """
        if self._finished:
            return
        self._finished = True
        try:
            self._write_all(texts or self._texts, stats)
        except OSError as error:
            raise self._fault(self.path, error, f"pages that are not in the file stay in '{self.path}.cpu*'") from None
        finally:
            os.close(self._fd)
            for spool in self._spools.values():
                spool.close()

    def _begin(self, head: bytes) -> None:
        """Write what is known already, and keep room for what `finish` adds, so that a full disk cannot spoil the recording."""
        texts = sum(len(body) for _, body in self._encoder.texts(self._texts))
        try:
            self._append(head)
            options = self._texts_options(self._texts) + self._facts(self._texts, ())
            self._progress_at = self._append_options([(PROGRESS_OPTION, Progress().pack(self._encoder.order)), *options])
            with suppress(OSError):  # a full disk fails at the first pages, with a better message
                os.posix_fallocate(self._fd, 0, self._end + texts + MOVE_BYTES + _SLACK_BYTES)
        except OSError as error:
            os.close(self._fd)
            raise self._fault(self.path, error) from None

    def _write_all(self, texts: SchemaTexts, stats: Sequence[CpuStats]) -> None:
        _write(self._fd, Progress(ending=True).pack(self._encoder.order), self._progress_at)
        options = self._texts_options(texts) + self._facts(texts, stats)
        options.append((OptionId.BUFFER, self._move_pages()))
        self._append_options(options, self._encoder.strings)
        os.ftruncate(self._fd, self._end)

    def _texts_options(self, texts: SchemaTexts) -> list[tuple[int, bytes]]:
        """Where each text section is: what the first ones say already is not written again."""
        options: list[tuple[int, bytes]] = []
        for number, body in self._encoder.texts(texts):
            if number not in self._sections or self._sections[number][0] != hash(body):
                self._sections[number] = (hash(body), self._append(self._encoder.section(number, body)))
            options.append((number, self._encoder.pack("Q", self._sections[number][1])))
        return options

    def _append_options(self, options: list[tuple[int, bytes]], more: Callable[[], bytes] = bytes) -> int:
        """Write an OPTIONS section and `more` behind it, then make it the file's; the answer is where its first data are."""
        done = (OptionId.DONE, self._encoder.pack("Q", 0))
        body = b"".join(self._encoder.option(number, data) for number, data in [*options, done])
        section = self._encoder.section(OPTIONS_SECTION, body)
        first = self._append(section)
        self._append(more())
        _write(self._fd, self._encoder.pack("Q", first), self._options_at)
        return first + len(section) - len(body) + len(self._encoder.option(0, b""))

    def _facts(self, texts: SchemaTexts, stats: Sequence[CpuStats]) -> list[tuple[int, bytes]]:
        facts = [
            (OptionId.TRACECLOCK, f"[{self._clock}]\n\0".encode()),
            (OptionId.UNAME, texts.uname.encode() + b"\0"),
            (OptionId.VERSION, f"ftracepy {__version__}\0".encode()),
            (OptionId.TRACEID, os.urandom(8)),
            *((OptionId.CPUSTAT, stats_text(one).encode() + b"\0") for one in stats),
            (OptionId.CPUCOUNT, self._encoder.pack("I", max(self._spools, default=-1) + 1)),
        ]
        return facts + self._time(texts)

    def _time(self, texts: SchemaTexts) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        if texts.time and (texts.time.mult, texts.time.shift) != (1, 0):
            found.append((OptionId.TSC2NSEC, self._encoder.pack("IIQ", texts.time.mult, texts.time.shift, 0)))
        if texts.time and texts.time.offset_ns:
            found.append((OptionId.OFFSET, f"{texts.time.offset_ns}\0".encode()))
        return found

    def _move_pages(self) -> bytes:
        """Bring all spools into the file; the answer is the BUFFER option that says where they are."""
        spools = [self._spools[cpu] for cpu in sorted(self._spools)]
        if self._encoder.codec:
            for spool in spools:
                spool.pack(self._encoder, _CHUNK_PAGES * self._page_bytes)
        section, places = self._places(spools)
        os.ftruncate(self._fd, self._end if not places else places[0][1])  # the room kept free is what moving needs
        for spool, offset in places:
            spool.move(self._fd, offset)
        return section

    def _places(self, spools: list[Spool]) -> tuple[bytes, list[tuple[Spool, int]]]:
        """Lay out the section: every CPU's pages begin at a multiple of the page size."""
        pack, header_bytes = self._encoder.pack, len(self._encoder.section_header(OptionId.BUFFER, 0))
        start, end = self._end, self._end + header_bytes
        option = pack("Q", start) + b"\0" + self._clock.encode() + b"\0" + pack("II", self._page_bytes, len(spools))
        places = []
        for spool in spools:
            end = -(-end // self._page_bytes) * self._page_bytes
            places.append((spool, end))
            option += pack("IQQ", spool.cpu, end, spool.size_bytes)
            end += spool.size_bytes
        self._append(self._encoder.section_header(OptionId.BUFFER, end - start - header_bytes))
        self._end = end
        return option, places

    def _append(self, data: bytes) -> int:
        """Write at the end; the answer is where that was."""
        start = self._end
        _write(self._fd, data, start)
        self._end += len(data)
        return start

    def _fault(self, path: str, error: OSError, kept: str = "") -> FtracepyError:
        code, disk = error.errno or 0, os.statvfs(os.path.dirname(os.path.abspath(self.path)))
        kept = kept or f"{self.size_bytes >> 10} KB of pages are saved"
        return FtracepyError(
            f"cannot write the recording '{self.path}'",
            kernel=os.strerror(code),
            wrote=f"{path} ({errno.errorcode.get(code, code)})",
            why=f"{disk.f_bavail * disk.f_frsize >> 20} MB are free there; {kept}",
            hint="another disk (-o), or fewer events",
        )


def _create(path: str) -> int:
    what = f"cannot write the recording '{path}'"
    try:
        # Arguments, paths and kernel addresses of a whole machine: not for every user's eyes.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise UsageFault(what, kernel=os.strerror(error.errno or 0)) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UsageFault(what, why="it is not a regular file, and parts of a recording are written out of order")
    return fd


def _write(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(fd, rest, offset)
        rest, offset = rest[done:], offset + done
