"""Rows to bytes: columns line up, numbers stay numbers, and no text that others chose reaches a terminal raw."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import tty
import unicodedata
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy import sinks
from ftracepy.errors import FtracepyError
from ftracepy.sinks.base import line_writer
from ftracepy.sinks.escape import escape, visible
from ftracepy.tools.rows import Row, col

HOSTILE = [
    "\x1b]0;owned\x07", "\x1b[2J\x1b[H", "a\nb", "a\rb", "a\tb", "\x9b31m", "\x7f", "\x00", "\u202egnp.exe", "\u2066x\u2069",
    "\u200b", "\u2028", "\ufeff", "\udc80", "\U000e0041", "\xa0", "back\\slash", "\\x1b",
]  # fmt: skip


class Open(Row):
    pid: int = col(width=7)
    comm: str = col(width=8)
    fd: int | None = col(width=4)
    flags: int = col(width=6, show=hex)
    path: str = col()


class Words(Row):
    argv: list[str] = col(show=lambda words: " ".join(words))


class Hit(Row):
    pid: int = col(width=7)
    stack: list[str] | None = col(place="below", default=None)
    raw: dict[str, int] | None = col(place="data", default=None)


def row(**more: Any) -> Open:
    return Open(**{"pid": 12, "comm": "sshd", "fd": 5, "flags": 16, "path": "/etc/passwd", **more})


def written(format: str, *rows: Row, timestamps: bool = False, losses: bool = False) -> tuple[str, str]:
    """What goes out, and what goes to the messages."""
    out, messages = io.BytesIO(), io.StringIO()
    sink = sinks.open(format, type(rows[0]), out, timestamps=timestamps, messages=messages)
    for one in rows:
        sink.row(one)
    if losses:
        sink.loss(3, 17)
        sink.loss(0, None)
        sink.notice("two\nlines \x1b[31m")
    sink.close()
    return out.getvalue().decode(), messages.getvalue()


def test_table_columns_line_up_and_the_last_is_free() -> None:
    text, _ = written("table", row(), row(fd=None, comm="a-name-too-long", path="x" * 200), timestamps=True)
    assert text.splitlines() == [
        "TIMEs                PID COMM       FD  FLAGS PATH",
        "0.000000              12 sshd        5   0x10 /etc/passwd",
        "0.000000              12 a-name-too-long    -   0x10 " + "x" * 200,
    ]


def test_table_cells_stand_under_their_titles() -> None:
    head, line = written("table", row())[0].splitlines()
    assert line[head.index("COMM") :].startswith("sshd")
    assert line[head.index("PATH") :] == "/etc/passwd"
    assert head.index("PID") + 3 == line.index("12") + 2
    assert head.index("FD") + 2 == line.index(" 5 ") + 2


def test_table_time_is_the_kernels_seconds() -> None:
    text, _ = written("table", row(ts_ns=7419756154031999), timestamps=True)
    assert text.splitlines()[1].startswith("7419756.154031 ")


def test_blocks_are_set_apart() -> None:
    text, _ = written("table", row(block=0), row(block=0), row(block=1))
    assert [line == "" for line in text.splitlines()] == [False, False, False, True, False]


def test_a_run_that_fails_at_its_start_shows_no_heading() -> None:
    out = io.BytesIO()
    sinks.open("table", Open, out).close()
    assert out.getvalue() == b""


def test_heading_comes_before_the_first_wait() -> None:
    out = io.BytesIO()
    sinks.open("table", Open, out).flush()
    assert out.getvalue().split() == [b"PID", b"COMM", b"FD", b"FLAGS", b"PATH"]


def test_a_list_may_stand_below_its_row() -> None:
    hit = Hit(pid=12, stack=["do_exit+0x1", "a\x1bb"], raw={"x": 1})
    assert written("table", hit, Hit(pid=13))[0] == "    PID\n     12\n        do_exit+0x1\n        a\\x1bb\n     13\n"
    assert json.loads(written("json", hit)[0]) == {"pid": 12, "stack": ["do_exit+0x1", "a\x1bb"], "raw": {"x": 1}}


def test_json_numbers_stay_numbers() -> None:
    text, _ = written("json", row(fd=None, pid=2**64 - 1, ts_ns=5), timestamps=True)
    assert json.loads(text) == {"ts_ns": 5, "pid": 2**64 - 1, "comm": "sshd", "fd": None, "flags": 16, "path": "/etc/passwd"}


def test_json_has_losses_and_notices_among_the_rows() -> None:
    text, messages = written("json", row(), losses=True)
    assert [json.loads(line) for line in text.splitlines()[1:]] == [
        {"loss": {"cpu": 3, "events": 17}},
        {"loss": {"cpu": 0, "events": None}},
        {"notice": "two\nlines \x1b[31m"},
    ]
    assert messages == ""


@pytest.mark.parametrize("format", ["table", "csv"])
def test_other_formats_tell_losses_apart_from_rows(format: str) -> None:
    text, messages = written(format, row(), losses=True)
    assert len(text.splitlines()) == 2
    assert messages.splitlines() == [
        "ftracepy: lost 17 events on CPU 3",
        "ftracepy: lost an unknown number of events on CPU 0",
        "ftracepy: two",
        "ftracepy: lines \\x1b[31m",
    ]


def test_csv_reads_back() -> None:
    text, _ = written("csv", row(path='a,"b"', fd=None), timestamps=True)
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"ts_ns": "0", "pid": "12", "comm": "sshd", "fd": "", "flags": "16", "path": 'a,"b"'}
    ]


def test_csv_names_columns_even_without_rows_and_blocks_where_there_are_some() -> None:
    out = io.BytesIO()
    sinks.open("csv", Open, out).close()
    assert out.getvalue() == b"pid,comm,fd,flags,path\n"
    assert written("csv", row(block=4))[0].splitlines()[1].startswith("4,12,")


def test_lists_are_lists_where_a_program_reads() -> None:
    words = Words(argv=["ls", "a b"])
    assert json.loads(written("json", words)[0]) == {"argv": ["ls", "a b"]}
    assert written("csv", words)[0].splitlines()[1] == '"[""ls"", ""a b""]"'
    assert written("table", words)[0].splitlines()[1] == "ls a b"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("format", sinks.FORMATS)
def test_hostile_text_never_reaches_a_terminal(format: str, text: str) -> None:
    shown, _ = written(format, row(comm=text, path=f"/tmp/{text}"))
    assert len(shown.splitlines()) == (1 if format == "json" else 2)
    assert all(char == "\n" or char.isprintable() for char in shown)


@given(st.text(alphabet=st.characters(codec=None)))
def test_escaped_text_is_printable_and_reads_back(text: str) -> None:
    safe = escape(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in safe)
    unescaped = safe.encode("ascii", "backslashreplace").decode("unicode_escape")
    assert unescaped == text


@given(st.text())
def test_messages_keep_their_backslashes(text: str) -> None:
    assert visible(text).isprintable()
    assert not text.isprintable() or visible(text) == text


@given(st.text(), st.text())
def test_escaping_never_makes_two_names_one(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


def test_a_closed_pipe_is_told_though_nothing_is_written() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as out:
        sink = sinks.open("json", Open, cast(BinaryIO, out))
        sink.flush()
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            sink.flush()


def test_a_full_disk_has_words() -> None:
    out = open("/dev/full", "wb")  # noqa: SIM115 - closing it fails too
    sink = sinks.open("table", Open, out)
    sink.row(row())
    with pytest.raises(FtracepyError, match="cannot write /dev/full") as caught:
        sink.close()
    out.raw.close()
    assert caught.value.why == "No space left on device"


def test_rows_are_written_before_messages(tmp_path: Path) -> None:
    with open(tmp_path / "both", "wb") as out, open(tmp_path / "both", "a") as messages:
        sink = sinks.open("csv", Open, out, messages=messages)
        sink.row(row())
        sink.notice("after")
        sink.close()
    assert (tmp_path / "both").read_text().splitlines()[-1] == "ftracepy: after"


def test_unknown_formats_are_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="xml"):
        sinks.open("xml", Open, io.BytesIO())


@pytest.mark.parametrize("format", sinks.FORMATS)
def test_rows_are_written_in_large_pieces(format: str) -> None:
    """As few writes as the buffer allows is what makes 200,000 rows a second possible."""
    out = CountingOut()
    sink = sinks.open(format, Open, cast(BinaryIO, out))
    for _ in range(10_007):
        sink.row(row())
    sink.close()
    assert out.writes < 20


class CountingOut(io.BytesIO):
    writes = 0

    def write(self, data: Any, /) -> int:
        self.writes += 1
        return super().write(data)


def test_lines_on_a_terminal_are_escaped_and_elsewhere_untouched() -> None:
    line = "\tname=\x1b[31m\x07 café\n".encode()
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        with open(theirs, "wb", buffering=0, closefd=False) as terminal:
            line_writer(terminal)(line)
        assert os.read(ours, 200) == "\tname=\\x1b[31m\\x07 café\n".encode()
    finally:
        os.close(ours)
        os.close(theirs)
    plain = io.BytesIO()
    line_writer(plain)(line)
    assert plain.getvalue() == line
