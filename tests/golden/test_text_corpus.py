"""Recordings by others, as text in trace-cmd's style, against `trace-cmd report` (3.4) of the same files: -N, -R and -l.

Every line must be equal or one of the agreed differences of differences.toml; the share of equal lines is printed.
"""

from __future__ import annotations

import gzip
import lzma
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ftracepy import recording
from ftracepy.printfmt import Form
from ftracepy.stream import Stream
from ftracepy.text import Formatter
from tests.support import tally
from tests.support.corpus import ROOT

FILES = sorted([*ROOT.glob("dat/*/*.dat"), *ROOT.glob("dat/*/*.dat.xz"), *ROOT.glob("public/trace.dat/*.dat.xz")])
_EVENT = re.compile(rb"(?:\](?:-0x\S+| \S{5,6})?|-\d+ +\d+[.a-zA-Z0-9]{5,6}) *[0-9.]+: (?P<name>\S+?): ")
_INSTANCE = re.compile(rb"^\w+: +\S.*-\d+ +(?:\[\d+\]|\d+[.a-zA-Z]{3})", re.MULTILINE)
_HEADER = (b"cpus=", b"version =", b"trace-cmd: ")
_LEAST_EQUAL = {"text": 0.995, "raw": 0.99, "latency": 0.99}

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recordings under {ROOT} (FTRACEPY_CORPUS)")


@dataclass(frozen=True)
class Difference:
    events: tuple[str, ...]
    theirs: re.Pattern[str]
    ours: re.Pattern[str]
    only_in: str
    forms: tuple[str, ...]

    def explains(self, form: str, file: str, event: str, ours: str, theirs: str) -> bool:
        here = form in self.forms and self.only_in in file and (event in self.events or "*" in self.events)
        return here and bool(self.theirs.search(theirs)) and bool(self.ours.search(ours))


@cache
def differences() -> list[Difference]:
    listed = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())["difference"]
    assert all(one["reason"] for one in listed)
    return [
        Difference(
            tuple(one["events"]),
            re.compile(one["theirs"]),
            re.compile(one["ours"]),
            one.get("only_in", ""),
            (one["form"],) if "form" in one else ("text", "latency"),
        )
        for one in listed
    ]


def reported(path: Path, kind: str) -> list[bytes] | None:
    """trace-cmd's lines; None for a recording of several instances, which the report merges and marks."""
    stem = path.name.removesuffix(".xz").removesuffix(".dat")
    text = gzip.decompress(path.with_name(f"{stem}.report.{kind}.txt.gz").read_bytes())
    if _INSTANCE.search(text):
        return None
    return [line for line in text.split(b"\n") if not line.startswith(_HEADER)]


def ours(path: Path, tmp_path: Path, form: Form) -> list[bytes]:
    if path.suffix == ".xz":
        plain = tmp_path / path.stem
        plain.write_bytes(lzma.decompress(path.read_bytes()))
        path = plain
    with recording.open(path) as source:
        formatter = Formatter(source.schema, "trace-cmd", ns=form == "raw", flags=True, form=form)
        lines = b"".join(formatter.lines(batch, more=True) for batch in Stream(source))
        return (lines + formatter.rest()).split(b"\n")


def event_of(line: bytes) -> str:
    match = _EVENT.search(line)
    return match["name"].decode() if match else ""


def pairs(mine: list[bytes], theirs: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Lines of the same event: one after the other, or, where the counts differ, those that begin alike."""
    if len(mine) == len(theirs):
        yield from zip(mine, theirs, strict=True)
        return
    waiting: dict[bytes, list[bytes]] = defaultdict(list)
    for line in reversed(mine):
        waiting[line[:60]].append(line)
    for line in theirs:
        same = waiting[line[:60]]
        yield (same.pop() if same else b""), line


_SCORE: Counter[str] = Counter()


@pytest.mark.parametrize(("form", "kind"), [("text", "noplugin"), ("raw", "rawfields-ns"), ("latency", "lat")])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_as_trace_cmd_reports_it(path: Path, form: Form, kind: str, tmp_path: Path) -> None:
    theirs = reported(path, kind)
    if theirs is None or path.name.startswith("agent_"):
        pytest.skip("several instances or guests in one file: merged by the report command")
    unexplained, equal, lines = [], 0, 0
    for mine, want in pairs(ours(path, tmp_path, form), theirs):
        lines += 1
        if mine == want:
            equal += 1
            continue
        texts = mine.decode(errors="replace"), want.decode(errors="replace")
        name = f"{path.parent.name}/{path.name}"
        if not any(
            one.explains(form, name, event, *texts) for one in differences() for event in {event_of(want), event_of(mine)}
        ):
            unexplained.append(texts)
    _SCORE[f"{form} lines"] += lines
    _SCORE[f"{form} equal"] += equal
    assert not unexplained, f"{len(unexplained)} lines; the first: {unexplained[0]}"
    report = {"text": "report -N", "raw": "report -R", "latency": "report -l"}[form]
    tally.hold(f"{path.parent.name}/{path.name.removesuffix('.xz')}", report, equal, lines)


@pytest.mark.parametrize("form", ["text", "raw", "latency"])
def test_score(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After the files above: nearly all lines are equal outright, not only explained."""
    if not _SCORE[f"{form} lines"]:
        pytest.skip("no file was compared in this run")
    equal, lines = _SCORE[f"{form} equal"], _SCORE[f"{form} lines"]
    with capsys.disabled():
        print(f"\ntrace-cmd style, {form}: {equal} of {lines} lines equal ({equal / lines:.4%})")
    assert equal / lines >= _LEAST_EQUAL[form]
