"""Text of this kernel's own events, line by line: against the instance's `trace` file and against `trace-cmd report -N`."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import pytest

from ftracepy.batch import Batch, decoder_for
from ftracepy.live.instance import Instance
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import Tracepoint
from ftracepy.recording import Writer
from ftracepy.schema import Schema
from ftracepy.schematexts import SchemaTexts
from ftracepy.source import Pages
from ftracepy.text import Formatter
from ftracepy.tracefs import Tracefs, options
from tests.support.machines import FIRST_ARGUMENT, SECOND_ARGUMENT

SYSTEMS = ("syscalls", "raw_syscalls", "sched", "task", "signal", "timer", "irq", "irq_vectors", "block", "net", "sock", "tcp",
           "skb", "power", "workqueue", "ipi", "tlb", "mmap", "kmem")  # fmt: skip
# `jiffies` and HZ are the kernel's own; trace-cmd misreads its table of timer flags (see tests/golden/differences.toml), and
# says what it cannot read at all.
_ONLY_THE_KERNEL = re.compile(rb"writeback_single_inode|jbd2_run_stats|jbd2_checkpoint_stats")
_TRACE_CMD_WRONG = re.compile(rb"timer_start: .*flags=|\[FAILED TO PARSE\]")
# Of what it could not read it shows the bytes, ends of lines too, up to the next event's beginning.
_UNREAD = re.compile(rb"(?<=\[FAILED TO PARSE\])(?:.*\n(?!.{16}-\d+ +\[\d{3}\]))+.*")
_POINTER = re.compile(rb"\b[0-9a-f]{16}\b")
# What a pointer is shown as that only that kernel could compute (a page's, from where this boot put its table of pages).
_NO_POINTER = b"(____ptrval____)"


def work() -> None:
    """A little of everything that the systems above trace."""
    subprocess.run(["sh", "-c", "ls / > /dev/null; kill -0 $$; exit 3"], check=False)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        client.sendall(b"x")
        peer.recv(1)
        peer.close()


def recorded(tracefs: Tracefs) -> tuple[bytes, bool, SchemaTexts, dict[int, bytes]]:
    """The kernel's text, whether it has hashes for pointers, the texts to read the pages with, and the pages."""
    with Instance(tracefs, buffer_kb=16384) as instance:
        for system in SYSTEMS:
            if (folder := instance.path / "events" / system).exists():
                for event in folder.glob("*/format"):
                    instance.expect(Tracepoint(system, event.parent.name))
                (folder / "enable").write_text("1")
        work()
        os.write(marker := os.open(instance.path / "trace_marker", os.O_WRONLY), b"two\nlines\n")
        os.close(marker)
        instance.stop_recording()
        text, hashed = kernels_text(instance.path)
        texts = instance.texts(symbols=True)
        return text, hashed, texts, {cpu: drained(instance.path, cpu) for cpu in instance.cpus()}


def kernels_text(path: Path) -> tuple[bytes, bool]:
    """With pointers as they are, where the kernel can: 6.1.192 then loses each line's first string, and no comm is empty."""
    if options.exists(path, "hash-ptr"):
        options.set_option(path, "hash-ptr", False)
        if b"comm= " not in (text := (path / "trace").read_bytes()):
            return text, False
        options.set_option(path, "hash-ptr", True)
    return (path / "trace").read_bytes(), True


def drained(path: Path, cpu: int) -> bytes:
    """Every sub-buffer of one CPU."""
    fd = os.open(path / f"per_cpu/cpu{cpu}/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
    try:
        pieces = []
        while piece := read(fd):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""


def batch_of(schema: Schema, data: dict[int, bytes]) -> Batch:
    decoder = decoder_for(schema, sorted(data))
    for cpu, pages in data.items():
        decoder.feed(cpu, pages)
    return decoder.batch(max_events=1 << 22)


def test_lines_are_the_kernels_and_trace_cmds(clean_kernel: Tracefs, tmp_path: Path) -> None:
    text, hashed, texts, data = recorded(clean_kernel)
    schema = texts.schema()
    batch = batch_of(schema, data)
    assert len(batch) > 1000
    mine = Formatter(schema).lines(batch).splitlines()
    kernel = [line for line in text.splitlines() if not line.startswith((b"#", b"CPU:"))]
    require_equal(mine, kernel, lambda a, b: is_same(a, b, hashed) or _ONLY_THE_KERNEL.search(b) is not None)
    if shutil.which("trace-cmd") is None:
        pytest.skip("the kernel's text is equal; no trace-cmd here for the other half")
    compare_with_trace_cmd(schema, texts, data, batch, tmp_path / "x.dat")


def require_equal(mine: list[bytes], theirs: list[bytes], equal: Callable[[bytes, bytes], bool]) -> None:
    """Shows the lines around the first difference: what one more line on a side comes from stands before it."""
    pairs = enumerate(zip_longest(mine, theirs, fillvalue=b"no line"))
    differ = [at for at, (a, b) in pairs if not equal(a, b)]
    around = slice(max(differ[0] - 2, 0), differ[0] + 4) if differ else slice(0)
    assert not differ, f"{len(differ)} of {len(theirs)}; the first of them: {mine[around]} and {theirs[around]}"


def is_same(mine: bytes, kernel: bytes, hashed: bool) -> bool:
    """Whether two lines are equal but for pointers that cannot be known; all of them, where this kernel shows hashes."""
    if mine == kernel:
        return True
    mine = _POINTER.sub(_NO_POINTER, mine) if hashed else mine
    known = map(re.escape, mine.split(_NO_POINTER))
    return re.fullmatch(rb"(?:[0-9a-f]{16}|\(____ptrval____\))".join(known), kernel) is not None


def compare_with_trace_cmd(schema: Schema, texts: SchemaTexts, data: dict[int, bytes], batch: Batch, path: Path) -> None:
    with Writer(path, texts, sorted(data)) as writer:
        for cpu, pages in data.items():
            writer.write(Pages(cpu, pages))
    run = subprocess.run(["trace-cmd", "report", "-N", "-i", str(path)], capture_output=True, check=True)
    theirs = [line for line in _UNREAD.sub(b"", run.stdout).splitlines() if not line.startswith(b"cpus=")]
    mine = Formatter(schema, "trace-cmd").lines(batch).splitlines()
    require_equal(mine, theirs, lambda a, b: a == b or _TRACE_CMD_WRONG.search(b) is not None)


def test_probes_and_user_stacks(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        (instance.path / "options/userstacktrace").write_text("1")
        instance.add_probe(
            ProbeDef("p", "here", f"{shutil.which('true')}:0x2000", (f"a={FIRST_ARGUMENT}:u64", f"b={SECOND_ARGUMENT}:x32"))
        )
        instance.enable(Tracepoint("sched", "sched_process_exec"))
        subprocess.run(["true"], check=True)
        instance.stop_recording()
        text = (instance.path / "trace").read_bytes()
        schema = instance.texts(symbols=True).schema()
        data = {cpu: drained(instance.path, cpu) for cpu in instance.cpus()}
    kernel = [line for line in text.splitlines() if not line.startswith(b"#")]
    assert Formatter(schema).lines(batch_of(schema, data)).splitlines() == kernel
    assert kernel
