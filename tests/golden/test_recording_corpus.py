"""Every recording of the corpus against trace-cmd's report of it: each event's CPU, thread and time, nothing more or less."""

from __future__ import annotations

import gzip
import lzma
import os
import random
import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.batch import decoder_for
from ftracepy.errors import FtracepyError
from ftracepy.recording import Recording, Writer

CORPUS = Path(os.environ.get("FTRACEPY_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
FILES = sorted([*CORPUS.glob("dat/*/*.dat*"), *CORPUS.glob("public/trace.dat/*.dat.xz")])
# Flags in hexadecimal, then the time; a time of 12 digits and more follows without a space (flags are 0 in all such files).
_LINE = re.compile(r"-(?P<pid>\d+) +\[(?P<cpu>\d+)\]-0x(?:0|[0-9a-f]+ +| +)(?P<time>\d+(?:\.\d{9})?): ")
_UNKNOWN = "[UNKNOWN EVENT]-0x"  # trace-cmd loses its way in a kprobe's string array; only the number of lines is right
# What trace-cmd adds to the time of events behind a discarded one: the padding's own delta, which the kernel leaves out.
_DISCARD_NS = 2

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings under {CORPUS} (FTRACEPY_CORPUS)")

Seen = Counter[tuple[int, int]]


def plain(path: Path, tmp_path: Path) -> Path:
    """The recording, unpacked where the corpus keeps it packed."""
    if path.suffix != ".xz":
        return path
    (tmp_path / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
    return tmp_path / path.stem


def beside(path: Path, what: str) -> str:
    """A text that the corpus keeps beside a recording."""
    stem = path.name.removesuffix(".xz").removesuffix(".dat")
    return gzip.decompress(path.with_name(f"{stem}.{what}.txt.gz").read_bytes()).decode(errors="replace")


def reported(text: str) -> tuple[Seen, dict[int, list[int]]]:
    """What `trace-cmd report -R -t` (3.4) says: how many events of each CPU and thread, and the times of each CPU's."""
    seen, times = Seen(), dict[int, list[int]]()
    for line in text.splitlines():
        if match := _LINE.search(line):
            cpu = int(match["cpu"])
            seen[cpu, int(match["pid"])] += 1
            times.setdefault(cpu, []).append(int(match["time"].replace(".", "")))
    return seen, {cpu: sorted(of_cpu) for cpu, of_cpu in times.items()}


def decoded(found: Recording) -> tuple[Seen, dict[int, list[int]]]:
    """The same from our reader, over all instances."""
    seen, times = Seen(), dict[int, list[int]]()
    for buffer in found.buffers:
        one = found.of_instance(buffer.name)
        decoder, scale, until_ns = decoder_for(one.schema, one.cpus), one.schema.time, 0
        for round_ in one.rounds():
            for part in round_.pages:
                decoder.feed(part.cpu, part.data, part.offset_bytes)
            batch = decoder.batch(2**64 - 1 if round_.last else round_.until_ns, 1 << 30)
            assert batch.faults == []
            assert all(event.ts >= until_ns for event in batch), "an event older than what was promised whole"
            until_ns = round_.until_ns
            for event in batch:
                seen[event.cpu, event.pid] += 1
                times.setdefault(event.cpu, []).append((event.ts * scale.mult >> scale.shift) + scale.offset_ns)
        assert one.health().notices == []
    return seen, {cpu: sorted(of_cpu) for cpu, of_cpu in times.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_all_events_of_all_instances(path: Path, tmp_path: Path) -> None:
    text = beside(path, "report.rawfields-ns")
    theirs, their_times = reported(text)
    ours, our_times = decoded(recording.open(plain(path, tmp_path)))
    if path.name.startswith("fmt_v7_zlib-k6.12-s390x"):  # no trace-cmd reads it, but the kernel counted what is there
        assert (theirs.total(), ours.total()) == (0, 30 + 19)
        return
    if unknown := text.count(_UNKNOWN):
        assert ours >= theirs
        assert ours.total() == theirs.total() + unknown
        return
    assert ours == theirs
    assert our_times.keys() == their_times.keys()
    for cpu, times in our_times.items():
        off = [theirs - ours for ours, theirs in zip(times, their_times[cpu], strict=True)]
        assert 0 <= min(off) <= max(off) <= _DISCARD_NS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_statistics_of_all_instances(path: Path, tmp_path: Path) -> None:
    found = recording.open(plain(path, tmp_path))
    stats = [one for buffer in found.buffers for one in found.of_instance(buffer.name).health().stats]
    dump = beside(path, "dump")
    for word, ours in [("overrun", "overrun"), ("dropped events", "dropped"), ("read events", "read"), ("entries", "entries")]:
        theirs = [int(number) for number in re.findall(rf"^{word}: (\d+)$", dump, re.MULTILINE)]
        assert Counter(getattr(one, ours) for one in stats) == Counter(theirs)


_INSTANCES = [
    ("inst3-k6.12", "", "this recording also holds the instances 'bar', 'foo'"),
    ("inst3-k5.10", "", "this recording also holds the instances 'bar', 'foo'"),
    ("inst_only-k6.12", "solo", None),
    ("inst_only-k5.10", "solo", None),
]


@pytest.mark.parametrize(("name", "instance", "notice"), _INSTANCES)
def test_which_instance_is_meant(name: str, instance: str, notice: str | None, tmp_path: Path) -> None:
    path = plain(next(path for path in FILES if path.name.startswith(name)), tmp_path)
    found = recording.open(path)
    assert found.instance == instance
    assert found.health().notices == ([notice] if notice else [])
    assert found.buffers[0].name == ""
    assert recording.open(path, instance=found.buffers[-1].name).instance == found.buffers[-1].name


@pytest.mark.parametrize("path", FILES[::9], ids=lambda path: path.name)
def test_damage_is_refused_or_noticed(path: Path, tmp_path: Path) -> None:
    """Bytes changed, cut out or cut off at random places (the same ones in each run)."""
    dice = random.Random(path.name)
    sound = plain(path, tmp_path).read_bytes()
    for _ in range(40):
        data = bytearray(sound)
        place = dice.randrange(len(data))
        match dice.randrange(4):
            case 0:
                del data[place:]
            case 1:
                del data[place : place + dice.randrange(1, 64)]
            case 2:
                data[place : place + 4] = dice.randbytes(4)
            case _:
                for _ in range(20):
                    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (tmp_path / "bad.dat").write_bytes(data)
        with suppress(FtracepyError):
            _walk(recording.open(tmp_path / "bad.dat"))


def _walk(found: Recording) -> None:
    """Decode all that is there, as far as it goes."""
    for buffer in found.buffers:
        one = found.of_instance(buffer.name)
        decoder = decoder_for(one.schema, one.cpus)
        for round_ in one.rounds():
            for part in round_.pages:
                decoder.feed(part.cpu, part.data, part.offset_bytes)
            decoder.batch(2**64 - 1, 1 << 30)


_REWRITTEN = [
    path for path in FILES if path.name.startswith(("drop_", "fmt_v7_big", "smp4_", "subbuf_", "opt_", "sched-", "fmt_v6-"))
]


@pytest.mark.skipif(not shutil.which("trace-cmd"), reason="trace-cmd is not installed")
@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("path", _REWRITTEN, ids=lambda path: path.name)
def test_trace_cmd_sees_no_difference_in_what_we_wrote(path: Path, compression: str, tmp_path: Path) -> None:
    source = plain(path, tmp_path)
    found = recording.open(source)
    with Writer(tmp_path / "ours.dat", found.texts, found.cpus, compression=compression) as writer:
        for round_ in found.rounds():
            for part in round_.pages:
                writer.write(part)
        writer.finish(found.health().stats)
    again = recording.open(tmp_path / "ours.dat")
    assert again.schema == found.schema
    assert again.health() == found.health()
    assert decoded(again) == decoded(found)
    assert _report(tmp_path / "ours.dat") == _report(source)


def _report(path: Path) -> str:
    done = subprocess.run(["trace-cmd", "report", "-N", "-i", path], capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode(errors="replace")
