"""Writes a trace.dat of version 6: texts, options and then all buffers, nothing compressed (trace-cmd.dat.v6(5))."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ftracepy.errors import UsageFault
from ftracepy.recording.head import MAGIC
from ftracepy.recording.options import OptionId
from ftracepy.recording.spool import Spool
from ftracepy.recording.writer import Buffer, Writer, write_at
from ftracepy.schematexts import SchemaTexts


class Writer6(Writer):
    """As Writer; nothing is in the file before `finish`, since what the format puts first is known last.

    Raises UsageFault for what version 6 cannot hold: compression, instances with pages of another size.
    """

    compresses = settles = False

    def add_instance(self, name: str, cpus: Sequence[int], clock: str, page_bytes: int) -> None:
        if page_bytes != self._page_bytes:
            why = f"the pages of '{name}' have {page_bytes} bytes, those of the top-level buffer {self._page_bytes}"
            raise UsageFault("a recording of version 6 has pages of one size", why=why, hint="--version 7")
        super().add_instance(name, cpus, clock, page_bytes)

    def promise(self, until_ns: int) -> None:
        """Nobody can follow a file that is empty until its end."""

    def _begin(self, head: bytes) -> None:
        """Nothing yet."""

    def _write_all(self, texts: SchemaTexts) -> None:
        pack = self._encoder.pack
        cpus = max(self._cpu_count(), 1)  # trace-cmd does not read a file of none
        order = bytes([self._encoder.order == ">", texts.layout(self._page_bytes).long_bytes])
        self._append(MAGIC + b"6\0" + order + pack("I", self._page_bytes))
        for _, body in self._encoder.texts(texts):
            self._append(body)
        self._append(pack("I", cpus) + b"options  \0")
        instances = [buffer for buffer in self._buffers.values() if buffer.name]
        facts = [fact for fact in self._facts(texts) if fact[0] != OptionId.CPUCOUNT]
        self._append(b"".join(self._encoder.option(number, data) for number, data in facts))
        offsets = [self._append_instance(buffer) for buffer in instances]
        self._append(pack("H", OptionId.DONE))
        self._move(self._place_all(self._buffers[""], cpus))
        for buffer, offset in zip(instances, offsets, strict=True):
            write_at(self._fd, pack("Q", self._end), offset)
            self._move(self._place_all(buffer, cpus))
        os.ftruncate(self._fd, self._end)

    def _append_instance(self, buffer: Buffer) -> int:
        """The option that names an instance; the answer is where the offset of its data belongs."""
        data = self._encoder.pack("Q", 0) + buffer.name.encode() + b"\0"
        return self._append(self._encoder.option(OptionId.BUFFER, data)) + 6

    def _place_all(self, buffer: Buffer, cpus: int) -> list[tuple[Spool, int]]:
        """A buffer's table of places, its clock, and its pages behind them; every CPU up to the last has an entry."""
        pack = self._encoder.pack
        clock = f"[{buffer.clock}]\0".encode()
        table_bytes, tag = 16 * cpus, b"flyrecord\0"
        end = self._end + len(tag) + table_bytes + 8 + len(clock)
        table, places = b"", []
        for cpu in range(cpus):
            end = -(-end // self._page_bytes) * self._page_bytes
            spool = buffer.spools.get(cpu)
            size = spool.size_bytes if spool else 0
            table += pack("QQ", end, size)
            if spool:
                places.append((spool, end))
            end += size
        self._append(tag + table + pack("Q", len(clock)) + clock)
        self._end = end
        return places
