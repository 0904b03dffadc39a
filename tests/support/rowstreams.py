"""Random streams of what the snoopers read, and their rows made in batches beside those made one by one."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ftracepy import recording, sinks
from ftracepy.analysis.feed import Feed
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact, pack
from ftracepy.tools import kit
from ftracepy.values import replace
from tests.support.mutate import mutated
from tests.support.pages import UNKNOWN, PageWriter
from tests.support.recorded import batches

ROOT = Path(__file__).parents[2] / "fixtures"
TIDS = (11, 12, 21, 22, 4_000_000)
COMMS = (*["sh"] * 9, "Web Content", "caf\u00e9", "a\\b", "x\x1b[1m", 'say "it"', "a,b", "")
PATHS = (
    *[b"/etc/passwd"] * 9,
    b"",
    b"/tmp/\xc3\xa9",
    b"/a b",
    b'/q"u\\o,te',
    b"(fault)",
    b"relative",
    b"/x\n",
    b"/" + b"long" * 80,
)
# Names that several folders have, a name that is another's link, what needs more than one piece, and what is no UTF-8.
FILES = (
    *[b"/d/a", b"/e/a", b"/d/b", b"/d/link"] * 4,
    b"a",
    b"/d/",
    b"/d/\xff",
    b"/d/\xc3\xa9",
    b"/d/x\ny",
    b"/" + b"deep/" * 300 + b"a",
)
RETS = (*[0, 3, -2] * 6, 7, -2, -13, -4, -4095, -4096, -512, -513, -514, -516, 1 << 40)
FORMATS = ("table", "json", "csv")


class Made:
    """A stream of one recording's events, each in a sub-buffer of its own, as the dice have it."""

    def __init__(self, fixture: str, dice: random.Random, facts: str = "") -> None:
        with recording.open(ROOT / fixture / "trace.dat") as opened:
            self.schema: Schema = opened.schema
        self.dice, self.pages = dice, list[tuple[int, bytes]]()
        self._write, self._ts = PageWriter(self.schema), 1_000_000
        self.lines = 0  # made in batches
        self._reached = 0  # what happened before has been told
        self._names = {one.name for one in self.schema.formats.values()}
        if facts:
            self.fact(Kind.HEADER, 0, b'{"own": [22], "ways": [{"how": "%s"}]}' % facts.encode())

    def at(self, tid: int, name: str, **values: Any) -> None:
        if name in self._names:
            lost = self.dice.choice((0,) * 200 + (3, UNKNOWN))
            self._ts += self.dice.choice((1, 900, 2_000_000, 300_000_000 if self.dice.random() < 0.02 else 5))
            page = self._write.page(self._ts, self._write.event(name, common_pid=tid, **values), lost=lost)
            self.pages.append((self.dice.randrange(2), page))

    def fact(self, kind: Kind, tid: int, body: bytes) -> None:
        for _ in self.pieces(kind, tid, body, self._ts):
            pass

    def pieces(self, kind: Kind, tid: int, body: bytes, when: int) -> Iterator[None]:
        for piece in pack(SideFact(kind, tid, max(when, 0), body)):
            self.at(1, "raw_data", id=int.from_bytes(piece[:4], "little"), buf=piece[4:])
            yield

    def about_tasks(self, tid: int) -> None:
        other, comm = self.dice.choice(TIDS), self.dice.choice(COMMS)
        choice = self.dice.randrange(7)
        if choice == 0:
            self.at(tid, "task_rename", pid=self.dice.choice((tid, other)), newcomm=comm)
        elif choice == 1:
            self.at(tid, "sched_process_exec", pid=self.dice.choice((tid, other)), old_pid=tid, filename="/bin/sh")
        elif choice == 2:
            self.at(tid, "sched_process_exit")
        elif choice == 3:
            self.at(tid, "task_newtask", pid=other, comm=comm, clone_flags=self.dice.choice((0, 0x10000)))
            self.at(tid, "sched_process_fork", parent_pid=tid, child_pid=other, child_comm=comm)
        elif choice == 4:
            self.at(tid, "signal_deliver", sa_handler=self.dice.choice((0, 1, 99)), sa_flags=self.dice.choice((0, 0x10000000)))
        elif choice == 5:
            self.fact(Kind.TASKS, 0, f"{other} {tid} 1 0 {comm}\n".encode())
        elif choice == 6:
            self.fact(Kind.CAUGHT_UP, 0, b"opens")

    def kill(self, tid: int) -> Iterator[None]:
        target, sig = self.dice.choice((*TIDS, 0, -5, 99)), self.dice.choice((0, 9, 15, 77, -1))
        nr, name = self.dice.choice(((62, "kill"), (200, "tkill")))
        if self.dice.random() < 0.95:
            self.at(tid, f"sys_enter_{name}", __syscall_nr=nr, pid=target, sig=sig)
            yield
        for _ in range(self.dice.choice((0, 1, 1, 1, 2))):
            self.at(tid, "signal_generate", pid=self.dice.choice((target, 12)), comm=self.dice.choice(COMMS), sig=sig)
            yield
        if self.dice.random() < 0.95:
            self.at(tid, f"sys_exit_{name}", __syscall_nr=self.dice.choice((nr, nr, nr, 59)), ret=self.dice.choice(RETS))
            yield

    def open(self, tid: int) -> Iterator[None]:
        nr, name = self.dice.choice(((257, "openat"), (2, "open"), (437, "openat2"), (85, "creat")))
        args = {"flags": self.dice.choice((0, 0o2000000, 0o1101, 0o10000000))} if name.startswith("open") and nr < 400 else {}
        path = self.dice.choice(PATHS)
        if self.dice.random() < 0.8:
            self.at(tid, "path_site", nr=self.dice.choice((nr, nr, nr, 2)), path=path[:256].ljust(256, b"\0"))
            yield
        if self.dice.random() < 0.95:
            self.at(tid, f"sys_enter_{name}", __syscall_nr=nr, **args)
            yield
        for _ in range(self.dice.choice((0, 1, 1, 2))):
            self.at(tid, "path_kernel", path=self.dice.choice((path, b"/link")) + b"\0")
            yield
        ret = self.dice.choice(RETS)
        if ret >= 0 and self.dice.random() < 0.9:
            self.fact(Kind.PATH, tid, b"/root" + path)
        if self.dice.random() < 0.95:
            self.at(tid, f"sys_exit_{name}", __syscall_nr=nr, ret=ret)
            yield

    def watched(self, tid: int) -> Iterator[None]:
        """An open as fanotify tells of it: behind it or within it, once or again, for several opens together, late or never."""
        nr, name = self.dice.choice(((257, "openat"), (2, "open")))
        path, flags = self.dice.choice(FILES), self.dice.choice((0, 0, 0, 0o2000000, 0o10000000))
        if self.dice.random() < 0.8:
            passed = self.dice.choice((path, path, path, path.rpartition(b"/")[2], b"/d/link", b"a"))
            self.at(tid, "path_site", nr=nr, path=passed[:256].ljust(256, b"\0"))
        self.at(tid, f"sys_enter_{name}", __syscall_nr=nr, filename=self.dice.choice((1, 2, 3)), flags=flags)
        yield
        ret = self.dice.choice((3, 3, 3, 4, -2))
        told = [path] * self.dice.choice((0, 1, 1, 1, 1, 1, 1, 2)) if ret >= 0 else []
        if self.dice.random() < 0.1:
            told.append(self.dice.choice(FILES))
        if told and self.dice.random() < 0.2:
            yield from self._told(tid, told.pop())
        self.at(tid, f"sys_exit_{name}", __syscall_nr=nr, ret=ret)
        yield
        for one in told:
            if self.dice.random() < 0.3:
                yield
            yield from self._told(tid, one)
        if self.dice.random() < 0.4:
            self._reached = max(self._ts - self.dice.choice((0, 1, 1000, 3_000_000)), 0)
            yield from self.pieces(Kind.CAUGHT_UP, 0, self.dice.choice((b"opens",) * 9 + (b"argv",)), self._reached)
        if self.dice.random() < 0.01:
            self.fact(self.dice.choice((Kind.SILENT, Kind.TELLS)), 0, b"opens")

    def _told(self, tid: int, path: bytes) -> Iterator[None]:
        since = self.dice.choice((b"\0%d" % self._reached,) * 6 + (b"", b"\0", b"\0%dx" % (self._ts * 2), b"\0" + b"9" * 30))
        when = self.dice.choice((self._ts, self._ts + 900, (self._ts // 10_000 + 1) * 10_000))
        return self.pieces(Kind.PATH, tid, path + since, when)

    def fill(self, work: Any, rounds: int, tids: Sequence[int] = TIDS) -> Made:
        busy: dict[int, Iterator[None]] = {}
        for _ in range(rounds):
            tid = self.dice.choice(tids)
            if self.dice.random() < 0.03:
                self.about_tasks(tid)
            one = busy.setdefault(tid, work(tid))
            if next(one, self) is self:
                del busy[tid]
        return self

    def damage(self, share: float) -> Made:
        """So many of the sub-buffers, where they hold anything."""
        for at, (cpu, page) in enumerate(self.pages):
            if self.dice.random() < share:
                self.pages[at] = cpu, mutated(page[:200], self.dice.randrange(1 << 32)).ljust(200, b"\0") + page[200:]
        return self

    def written(self, tool: str, format: str, options: dict[str, Any], batch_events: int, *, plain: bool) -> bytes:
        loaded, out, messages = kit.load(tool), io.BytesIO(), io.StringIO()
        asked = loaded.options(**options)
        sink = sinks.open(format, loaded.row_for(asked), out, timestamps=asked.timestamps, messages=messages)
        layout = sink.layout() if plain else None
        if layout is not None:
            layout = replace(layout, put=partial(self._put, layout.put))
        feed = Feed(
            batches(self.schema, self.pages, batch_events), self.schema, notice=sink.notice, loss=sink.loss, layout=layout
        )
        for row in loaded.run(feed, asked):
            sink.row(row)
        sink.close()
        return out.getvalue() + messages.getvalue().encode()

    def _put(self, put: Callable[[bytes], None], lines: bytes) -> None:
        self.lines += lines.count(b"\n")
        put(lines)


OPTIONS: tuple[dict[str, Any], ...] = ({}, {"timestamps": True}, {"pid": 12}, {"tid": 21}, {"comm": kit.pattern("sh|e")})


def lines(written: bytes) -> list[bytes]:
    """What the mark means is said as soon as a row with it is made, which may be held back: it is put first."""
    return sorted(written.split(b"\n"), key=lambda line: b"~ stands before" not in line)


def same(made: Made, tool: str, options: dict[str, Any]) -> None:
    format, size = made.dice.choice(FORMATS), made.dice.choice((7, 50, 65536))
    plain = lines(made.written(tool, format, options, size, plain=True))
    one_by_one = lines(made.written(tool, format, options, size, plain=False))
    assert [pair for pair in zip(plain, one_by_one, strict=False) if pair[0] != pair[1]][:2] == []
    assert len(plain) == len(one_by_one)
