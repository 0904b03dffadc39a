"""Paths that fanotify tells, paired with opens: right, or not at all."""

from __future__ import annotations

import pytest

from ftracepy.analysis.calls import OPENS, Text, calls
from ftracepy.sidefacts import Kind
from tests.support.events import Trace, as_words

SECOND = 1_000_000_000


class Opens(Trace):
    """A trace of a run whose paths come from fanotify."""

    def __init__(self) -> None:
        super().__init__(probes={"path_site": ("nr", "dfd", "path")})
        self.header(ways=[{"what": "path of opens", "how": "fanotify", "provenance": "kernel-copy", "misses": ""}])

    def open(self, tid: int, pointer: int = 0, ret: int = 3, passed: str | None = None, flags: int = 0) -> None:
        if passed is not None:
            self.probe(tid, "path_site", nr=257, dfd=-100, path=as_words(passed.encode() + b"\0", 32))
        self.enter(tid, "openat", filename=pointer, flags=flags)
        self.leave(tid, "openat", ret)

    def tell(self, tid: int, *paths: str, ordered: bool = True) -> None:
        """One report of the aide: read before it is written, the times of facts in unknown order equal."""
        now = self.now + 10
        for at, path in enumerate(paths):
            self.fact(Kind.PATH, tid, path.encode(), now + at if ordered else now)

    def caught_up(self, when_ns: int | None = None) -> None:
        self.fact(Kind.CAUGHT_UP, 0, b"opens", self.now + 1 if when_ns is None else when_ns)

    def paths(self, *, ended: bool = True) -> list[str | None]:
        return [call.text("filename").value for call in calls(self.feed(ended=ended), OPENS)]


def test_as_many_facts_as_opens_pair_in_order() -> None:
    trace = Opens()
    for number in range(3):
        trace.open(7)
        trace.tell(7, f"/tmp/{number}")
    trace.open(8)
    trace.open(8)
    trace.tell(8, "/a", "/b")
    trace.caught_up()
    assert trace.paths() == ["/tmp/0", "/tmp/1", "/tmp/2", "/a", "/b"]


def test_failed_opens_have_no_fact_and_keep_their_place() -> None:
    trace = Opens()
    trace.open(7, passed="passwd")
    trace.open(7, ret=-2, passed="/nologin")
    trace.open(7)
    trace.tell(7, "/etc/passwd", "/etc/group")
    trace.caught_up()
    assert trace.paths() == ["/etc/passwd", "/nologin", "/etc/group"]


def test_rows_are_shown_as_soon_as_the_aide_has_caught_up() -> None:
    trace = Opens()
    trace.open(7)
    trace.tell(7, "/a")
    trace.caught_up()
    assert trace.paths(ended=False) == ["/a"]


def test_a_row_does_not_wait_for_ever() -> None:
    trace = Opens()
    trace.open(7)
    trace.cut(trace.now + 2 * SECOND)
    assert trace.paths(ended=False) == [None]


def test_an_open_that_nobody_told_is_shown_when_the_aide_has_caught_up() -> None:
    trace = Opens()
    trace.open(7)
    trace.caught_up()
    assert trace.paths(ended=False) == [None]


def test_o_path_is_not_waited_for() -> None:
    trace = Opens()
    trace.open(7, flags=0o10000000)
    assert trace.paths(ended=False) == [None]


def test_opens_of_one_file_told_once() -> None:
    trace = Opens()
    for _ in range(307):
        trace.open(7, pointer=0x1000)
    trace.tell(7, "/etc/passwd")
    trace.caught_up()
    assert trace.paths() == ["/etc/passwd"] * 307


def test_equal_arguments_tell_which_were_told_together() -> None:
    trace = Opens()
    for pointer in (1, 2, 1, 3, 2):
        trace.open(7, pointer)
    trace.tell(7, "/a", "/b", "/c")
    trace.caught_up()
    assert trace.paths() == ["/a", "/b", "/a", "/c", "/b"]


def test_a_path_is_never_guessed() -> None:
    """Two opens, one fact, different arguments: one of them was not told, and which is not known."""
    trace = Opens()
    trace.open(7, pointer=1)
    trace.open(7, pointer=2)
    trace.tell(7, "/a")
    trace.caught_up()
    assert trace.paths() == [None, None]


def test_the_texts_passed_help_where_the_numbers_do_not_fit() -> None:
    trace = Opens()
    trace.open(7, pointer=1, passed="/dev/null")
    trace.open(7, pointer=2, passed="group")
    trace.tell(7, "/etc/group")
    trace.caught_up()
    (unwatched, told) = calls(trace.feed(), OPENS)
    assert unwatched.text("filename") == Text("/dev/null", "user@enter")
    assert told.text("filename") == Text("/etc/group", "kernel-copy")


def test_texts_that_contradict_the_order_win() -> None:
    trace = Opens()
    trace.open(7, pointer=1, passed="/proc/stat")
    trace.open(7, pointer=2, passed="/etc/passwd")
    trace.tell(7, "/etc/passwd", "/proc/stat", ordered=False)
    trace.caught_up()
    assert trace.paths() == ["/proc/stat", "/etc/passwd"]


def test_facts_in_unknown_order_are_not_guessed() -> None:
    trace = Opens()
    trace.open(7, pointer=1)
    trace.open(7, pointer=2)
    trace.tell(7, "/etc/passwd", "/proc/stat", ordered=False)
    trace.caught_up()
    assert trace.paths() == [None, None]


def test_a_link_is_shown_as_the_file_opened() -> None:
    trace = Opens()
    trace.open(7, passed="/lib/libc.so")
    trace.tell(7, "/usr/lib/libc.so.6")
    trace.caught_up()
    assert trace.paths() == ["/usr/lib/libc.so.6"]


def test_a_last_component_alone_says_less_than_the_text_passed() -> None:
    trace = Opens()
    trace.open(7, passed="/tmp/gone/file")
    trace.tell(7, "file")
    trace.open(8)
    trace.tell(8, "file")
    trace.caught_up()
    assert trace.paths() == ["/tmp/gone/file", "file"]


def test_an_open_told_before_it_returned() -> None:
    trace = Opens()
    trace.open(7, pointer=1)
    trace.enter(7, "openat", filename=2)
    trace.tell(7, "/a", "/b")
    trace.caught_up()
    trace.leave(7, "openat", 4)
    trace.caught_up()
    assert trace.paths() == ["/a", "/b"]


def test_facts_about_opens_before_the_trace_are_left_out() -> None:
    trace = Opens()
    trace.tell(7, "/old")
    trace.now += 100
    trace.open(7)
    trace.tell(7, "/new")
    trace.caught_up()
    assert trace.paths() == ["/new"]


def test_losses_make_the_pairing_forget() -> None:
    trace = Opens()
    trace.open(7)
    trace.lose(3)
    trace.open(7)
    trace.tell(7, "/a", "/b")
    trace.caught_up()
    assert trace.paths() == [None, None]


@pytest.mark.parametrize("pointers", ["same", "distinct"])
def test_a_thread_that_never_pauses(pointers: str) -> None:
    """The aide is always a few opens behind; rows come all the same, and right."""
    trace = Opens()
    opened = told = 0
    for _ in range(100):
        trace.now += 20_000_000
        for _ in range(5):
            trace.open(7, pointer=opened if pointers == "distinct" else 0)
            opened += 1
        looked = trace.now - 2000
        for path in range(told, opened - 1):
            trace.tell(7, f"/tmp/{path}")
        told = opened - 1
        trace.caught_up(looked)
    shown = trace.paths(ended=False)
    assert len(shown) > opened / 2
    assert [(at, path) for at, path in enumerate(shown) if path != f"/tmp/{at}"] == []


def test_times_tell_opens_apart_whatever_was_passed() -> None:
    """The caller's memory says other names than the kernel used; each fact says between which times it came."""
    trace = Opens()
    since = trace.now
    for used, passed in zip("abba", "babb", strict=True):
        trace.open(7, passed=f"/tmp/{passed}")
        since, when = trace.now - 1, trace.now
        trace.now += 5
        trace.fact(Kind.PATH, 7, b"/tmp/%b\0%d" % (used.encode(), since - 15), when)
        trace.now += 100
    trace.open(7, passed="/tmp/c", ret=-2)
    trace.caught_up()
    shown = [call.text("filename") for call in calls(trace.feed(), OPENS)]
    assert [one.value for one in shown] == ["/tmp/a", "/tmp/b", "/tmp/b", "/tmp/a", "/tmp/c"]
    assert [one.provenance for one in shown] == ["kernel-copy"] * 4 + ["user@enter"]


def test_an_open_that_nobody_reports_takes_no_others_path() -> None:
    """A terminal's between two files: what was told of each is apart in time."""
    trace = Opens()
    for path in ("/tmp/a", None, "/tmp/b"):
        before = trace.now
        trace.open(7)
        if path:
            trace.fact(Kind.PATH, 7, b"%b\0%d" % (path.encode(), before), trace.now)
        trace.now += 100
    trace.open(7)
    trace.caught_up(trace.now - 150)
    assert trace.paths()[:3] == ["/tmp/a", None, "/tmp/b"]


def test_one_path_told_of_its_time_is_an_opens_path_however_many_were_told() -> None:
    """Reports of one file are told once where they were not read in between; a report may fit either of two opens."""
    trace = Opens()
    begun = trace.now
    trace.open(7, passed="/tmp/a")
    trace.open(7, passed="a")
    trace.open(7, passed="b")
    middle = trace.now
    trace.fact(Kind.PATH, 7, b"/tmp/a\0%d" % begun, middle - 1)
    trace.open(7, passed="other")
    trace.fact(Kind.PATH, 7, b"/tmp/b\0%d" % (middle - 1000), trace.now)
    trace.now += 100
    trace.open(7)
    trace.caught_up(trace.now - 150)
    shown = [call.text("filename") for call in calls(trace.feed(), OPENS)][:4]
    assert [one.value for one in shown][::3] == ["/tmp/a", "other"]
    assert shown[3].provenance == "user@enter", "its name is not that of the file that was told"


def _provenances(trace: Opens) -> list[tuple[str | None, str]]:
    return [(one.value, one.provenance) for one in (call.text("filename") for call in calls(trace.feed(), OPENS))]


def test_where_the_aide_falls_silent_the_callers_text_is_shown_as_that() -> None:
    """Among what is told while silent nothing is believed; what began before it tells again was told by nobody."""
    trace = Opens()
    trace.open(7, passed="a")
    trace.tell(7, "/real/a")
    trace.caught_up()
    trace.open(7, passed="b")
    trace.fact(Kind.CAUGHT_UP, 0, b"opens", trace.now - 100)
    trace.fact(Kind.SILENT, 0, b"opens", trace.now - 100)
    trace.open(7, passed="c")
    trace.caught_up()
    trace.probe(7, "path_site", nr=257, dfd=-100, path=as_words(b"d\0", 32))
    trace.enter(7, "openat", filename=0, flags=0)
    trace.fact(Kind.TELLS, 0, b"opens", trace.now)
    trace.leave(7, "openat", 3)
    trace.open(7, passed="e")
    trace.tell(7, "/real/e")
    trace.caught_up()
    own, others = "kernel-copy", "user@enter"
    assert _provenances(trace) == [("/real/a", own), ("b", others), ("c", others), ("d", others), ("/real/e", own)]


def test_rows_of_a_silent_aide_wait_for_nothing() -> None:
    trace = Opens()
    trace.fact(Kind.SILENT, 0, b"opens", trace.now)
    trace.open(7, passed="a")
    assert trace.paths(ended=False) == ["a"]


def test_where_the_word_that_it_tells_again_was_lost_a_path_says_so() -> None:
    """That path's own open is past by then: it takes none."""
    trace = Opens()
    trace.fact(Kind.SILENT, 0, b"opens", trace.now)
    trace.open(7, passed="a")
    trace.tell(7, "/real/a")
    trace.open(7, passed="b")
    trace.tell(7, "/real/b")
    trace.caught_up()
    assert _provenances(trace) == [("a", "user@enter"), ("/real/b", "kernel-copy")]
