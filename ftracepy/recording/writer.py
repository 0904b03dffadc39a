"""Writes a trace.dat of version 7: pages go in as the kernel gave them, nothing is decoded."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from ftracepy import __version__
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.recording.codecs import NONE, codec
from ftracepy.recording.head import MOST_CPUS
from ftracepy.recording.options import OptionId, kept_options
from ftracepy.recording.outputs import Output
from ftracepy.recording.progress import PROGRESS_OPTION, Progress, Settled, lock
from ftracepy.recording.sections import Encoder
from ftracepy.recording.spool import MOVE_BYTES, Spool
from ftracepy.recording.stats import stats_texts
from ftracepy.recording.v7 import OPTIONS_SECTION
from ftracepy.schematexts import SchemaTexts
from ftracepy.source import CpuStats, Pages
from ftracepy.values import dataclass, field, replace

_CHUNK_PAGES = 64  # more a chunk than trace-cmd's 10 compresses better, and its reader is slow with many chunks
_SLACK_BYTES = 256 << 10
SETTLE_BYTES = 8 << 20  # by then it shows which CPU brings most


@dataclass(slots=True)
class Buffer:
    """One instance being written; `mark` tells its spools' names from others'."""

    name: str
    clock: str
    page_bytes: int
    mark: str
    spools: dict[int, Spool] = field(default_factory=dict)
    stats: list[CpuStats] = field(default_factory=list)
    stats_texts: dict[int, str] = field(default_factory=dict)


class Writer:
    """One recording being written; a context manager. `size_bytes` counts the bytes of pages written so far.

    `texts` is what the kernel says of its events; `cpus` the CPUs whose pages may come. `finish`
    makes the file whole; a `path` that is a pipe ("-" is standard output) gets all of it then. Left
    without it (an error elsewhere), what was written until then is made whole all the same; killed, the
    file has the texts and the spools beside it the pages, which a reader puts together. `options` and
    `sections` are those of another recording, to be kept instead of our own. Raises UsageFault where `path`
    cannot hold a recording, FtracepyError where the disk refuses, BrokenPipeError where a pipe's reader has gone.
    """

    compresses = True
    settles = True  # one CPU's pages go to their last place at once

    def __init__(
        self,
        path: str | os.PathLike[str],
        texts: SchemaTexts,
        cpus: Sequence[int],
        clock: str | None = None,
        page_bytes: int | None = None,
        compression: str = NONE,
        *,
        options: Sequence[tuple[int, bytes]] | None = None,
        sections: Mapping[int, bytes] | None = None,
    ) -> None:
        if compression != NONE and not self.compresses:
            raise UsageFault("a recording of version 6 cannot be compressed", hint="--version 7")
        layout = texts.layout(page_bytes)
        self._texts = texts
        self._page_bytes = layout.size_bytes
        self._given = options
        self._extra = dict(sections or {})
        self._encoder = Encoder(">" if texts.big_endian else "<", codec(compression))
        self._output = Output(os.fspath(path))
        self.path = self._output.path
        self._fd = self._output.fd
        self._buffers: dict[str, Buffer] = {}
        self._settled: Settled | None = None
        self._may_settle = self.settles and compression == NONE
        self.add_instance("", cpus, clock or texts.clock, self._page_bytes)
        self._finished = False
        self.size_bytes = self._until_ns = 0
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

    def add_instance(self, name: str, cpus: Sequence[int], clock: str, page_bytes: int) -> None:
        """One more buffer beside the top-level one (""), before anything is written to it."""
        mark = f".instance{len(self._buffers)}" if name else ""
        self._buffers[name] = Buffer(name, clock, page_bytes, mark)
        for cpu in cpus:
            self._spool(self._buffers[name], cpu)

    def _spool(self, buffer: Buffer, cpu: int) -> Spool:
        if cpu not in buffer.spools:  # one that came online while recording
            buffer.spools[cpu] = Spool(self._output.spool, cpu, buffer.page_bytes, buffer.mark)
        return buffer.spools[cpu]

    def write(self, pages: Pages, instance: str = "") -> None:
        """Append one CPU's pages. Raises FtracepyError where the disk refuses; what was written before is kept."""
        self._write(pages.cpu, [memoryview(pages.data).cast("B")], instance)

    def write_round(self, pages: Sequence[Pages]) -> None:
        """Append pages of many CPUs to the top-level buffer, at one go for each; as `write`."""
        pieces: dict[int, list[memoryview]] = {}
        for one in pages:
            pieces.setdefault(one.cpu, []).append(memoryview(one.data).cast("B"))
        for cpu, data in pieces.items():
            self._write(cpu, data, "")

    def _write(self, cpu: int, pieces: Sequence[memoryview], instance: str) -> None:
        spool = self._spool(self._buffers[instance], cpu)
        self.size_bytes -= spool.size_bytes
        refused = spool.write(pieces)
        self.size_bytes += spool.size_bytes
        if refused:
            raise self._fault(self.path if spool.place else spool.path, refused)
        if self._may_settle and self.size_bytes >= SETTLE_BYTES:
            self._settle()

    def count(self, instance: str, stats: Sequence[CpuStats], texts: Mapping[int, str] | None = None) -> None:
        """Note the kernel's counts of an instance, and its `texts` of them by CPU, for `finish` to write."""
        self._buffers[instance].stats = list(stats)
        self._buffers[instance].stats_texts = dict(texts or {})

    def promise(self, until_ns: int) -> None:
        """Tell those who follow the file that every event older than `until_ns` (raw clock) has been written."""
        self._until_ns = until_ns
        with suppress(OSError):  # a follower that hears less waits longer
            self._tell(Progress(until_ns, settled=self._settled))

    def finish(self, stats: Sequence[CpuStats] = (), texts: SchemaTexts | None = None) -> None:
        """Make the file whole: once, later calls do nothing.

        `stats` are the kernel's counts at the end, so that losses are known to every reader; `texts`
        replaces those of the start: comms and modules seen while recording are in the later ones.
        """
        if self._finished:
            return
        self._finished = True
        if stats:
            self.count("", stats)
        try:
            self._write_all(texts or self._texts)
            self._output.send(self._end)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._fault(self.path, error, f"pages that are not in the file stay in '{self.path}.cpu*'") from None
        finally:
            self._output.close()
            for spool in self._all_spools():
                spool.close()

    def _begin(self, head: bytes) -> None:
        """Write what is known already, and keep room for what `finish` adds, so that a full disk cannot spoil the recording."""
        texts = sum(len(body) for _, body in self._encoder.texts(self._texts))
        try:
            self._append(head)
            options = self._texts_options(self._texts) + self._facts(self._texts)
            first, self._progress_at = self._append_options([(PROGRESS_OPTION, Progress().pack(self._encoder.order)), *options])
            self._point_to(first)
            self._output.keep_room(texts + MOVE_BYTES + _SLACK_BYTES)
        except OSError as error:
            self._output.close()
            raise self._fault(self.path, error) from None

    def _settle(self) -> None:
        """Have the CPU that brought most write to its place behind the head of its section, where that fits beside its spool."""
        self._may_settle = False
        spool = max(self._buffers[""].spools.values(), key=lambda one: one.size_bytes, default=None)
        if spool is None or not spool.size_bytes:
            return
        start, page_bytes = self._end, self._page_bytes
        header = self._encoder.section_header(OptionId.BUFFER, 0)
        place = -(-(start + len(header)) // page_bytes) * page_bytes
        settled = Settled(spool.cpu, place)
        try:
            write_at(self._fd, header, start)
            spool.copy(self._fd, place)
            self._tell(Progress(self._until_ns, settled=settled))
        except OSError:
            os.ftruncate(self._fd, start)
            return
        spool.settle(self._fd, place)
        self._settled = settled

    def _write_all(self, texts: SchemaTexts) -> None:
        """Pages are moved last, to where the options say already: who is killed meanwhile leaves all that a reader needs."""
        if self._settled:
            self._settled = replace(self._settled, size_bytes=self._buffers[""].spools[self._settled.cpu].size_bytes)
        self._tell(Progress(ending=True, settled=self._settled))
        places, options = list[tuple[Spool, int]](), list[tuple[int, bytes]]()
        packed = [self._packed(buffer) for buffer in self._buffers.values()]
        self._output.free_room()
        for buffer, spools in zip(self._buffers.values(), packed, strict=True):
            option, some = self._places(buffer, spools)
            options.append((OptionId.BUFFER, option))
            places += some
        options = [*self._texts_options(texts), *self._facts(texts), *options]
        first = self._append_options(options, self._encoder.strings)[0]
        self._tell(Progress(ending=True, options_at=first, settled=self._settled))
        self._move(places)
        self._point_to(first)
        os.ftruncate(self._fd, self._end)

    def _tell(self, progress: Progress) -> None:
        write_at(self._fd, progress.pack(self._encoder.order), self._progress_at)

    def _texts_options(self, texts: SchemaTexts) -> list[tuple[int, bytes]]:
        """Where each text section is: what the first ones say already is not written again."""
        options: list[tuple[int, bytes]] = []
        for number, body in [*self._encoder.texts(texts), *self._extra.items()]:
            if number not in self._sections or self._sections[number][0] != hash(body):
                self._sections[number] = (hash(body), self._append(self._encoder.section(number, body)))
            options.append((number, self._encoder.pack("Q", self._sections[number][1])))
        return options

    def _append_options(self, options: list[tuple[int, bytes]], more: Callable[[], bytes] = bytes) -> tuple[int, int]:
        """Write an OPTIONS section and `more` behind it; the answer is where that is, and its first option's data."""
        done = (OptionId.DONE, self._encoder.pack("Q", 0))
        body = b"".join(self._encoder.option(number, data) for number, data in [*options, done])
        section = self._encoder.section(OPTIONS_SECTION, body)
        first = self._append(section)
        self._append(more())
        return first, first + len(section) - len(body) + len(self._encoder.option(0, b""))

    def _point_to(self, options: int) -> None:
        """Make these options the file's."""
        write_at(self._fd, self._encoder.pack("Q", options), self._options_at)

    def _facts(self, texts: SchemaTexts) -> list[tuple[int, bytes]]:
        return [
            (OptionId.TRACECLOCK, f"[{self._buffers[''].clock}]\n\0".encode()),
            (OptionId.UNAME, texts.uname.encode() + b"\0"),
            *self._counts(),
            (OptionId.CPUCOUNT, self._encoder.pack("I", self._cpu_count())),
            *(self._own_facts(texts) if self._given is None else kept_options(self._given)),
        ]

    def _cpu_count(self) -> int:
        """How many CPUs the machine had: as the options of another recording say, or as there are pages of."""
        said = [data for number, data in self._given or () if number == OptionId.CPUCOUNT and len(data) == 4]
        order: Literal["big", "little"] = "big" if self._encoder.order == ">" else "little"
        seen = max((spool.cpu for spool in self._all_spools()), default=-1) + 1
        return max([seen, *(min(int.from_bytes(data, order), MOST_CPUS) for data in said)])

    def _counts(self) -> Iterator[tuple[int, bytes]]:
        for buffer in self._buffers.values():
            for text in stats_texts(buffer.name, buffer.stats, buffer.stats_texts):
                yield OptionId.CPUSTAT, text.encode() + b"\0"

    def _own_facts(self, texts: SchemaTexts) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = [
            (OptionId.VERSION, f"ftracepy {__version__}\0".encode()),
            (OptionId.TRACEID, os.urandom(8)),
        ]
        if texts.time and (texts.time.mult, texts.time.shift) != (1, 0):
            found.append((OptionId.TSC2NSEC, self._encoder.pack("IIQ", texts.time.mult, texts.time.shift, 0)))
        if texts.time and texts.time.offset_ns:
            found.append((OptionId.OFFSET, f"{texts.time.offset_ns}\0".encode()))
        return found

    def _all_spools(self) -> list[Spool]:
        return [spool for buffer in self._buffers.values() for spool in buffer.spools.values()]

    def _packed(self, buffer: Buffer) -> list[Spool]:
        """A buffer's spools, compressed where the file is."""
        spools = [buffer.spools[cpu] for cpu in sorted(buffer.spools)]
        if self._encoder.codec:
            for spool in spools:
                spool.pack(self._encoder, _CHUNK_PAGES * buffer.page_bytes)
        return spools

    def _move(self, places: list[tuple[Spool, int]]) -> None:
        for spool, offset in places:
            spool.move(self._fd, offset)

    def _places(self, buffer: Buffer, spools: list[Spool]) -> tuple[bytes, list[tuple[Spool, int]]]:
        """Lay out the section: every CPU's pages begin at a multiple of the page size, those of one that has settled first."""
        pack, header_bytes = self._encoder.pack, len(self._encoder.section_header(OptionId.BUFFER, 0))
        start, end = self._end, self._end + header_bytes
        option = pack("Q", start) + f"{buffer.name}\0{buffer.clock}\0".encode() + pack("II", buffer.page_bytes, len(spools))
        places = []
        for spool in sorted(spools, key=lambda one: not one.place):
            end = -(-end // buffer.page_bytes) * buffer.page_bytes
            places.append((spool, end))
            end += spool.size_bytes
        for spool, at in sorted(places, key=lambda one: one[0].cpu):
            option += pack("IQQ", spool.cpu, at, spool.size_bytes)
        write_at(self._fd, self._encoder.section_header(OptionId.BUFFER, end - start - header_bytes), start)
        self._end = end
        return option, places

    def _append(self, data: bytes) -> int:
        """Write at the end; the answer is where that was."""
        start = self._end
        write_at(self._fd, data, start)
        self._end += len(data)
        return start

    def _fault(self, path: str, error: OSError, kept: str = "") -> FtracepyError:
        code, disk = error.errno or 0, os.statvfs(self._output.folder)
        kept = self._output.why or kept or f"{self.size_bytes >> 10} KB of pages are saved"
        return FtracepyError(
            f"cannot write the recording '{self.path}'",
            kernel=os.strerror(code),
            wrote=f"{path or self._output.folder} ({errno.errorcode.get(code, code)})",
            why=f"{disk.f_bavail * disk.f_frsize >> 20} MB are free there; {kept}",
            hint="another disk (-o), or fewer events",
        )


def write_at(fd: int, data: bytes, offset: int) -> None:
    """All of `data` at `offset`."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(fd, rest, offset)
        rest, offset = rest[done:], offset + done
