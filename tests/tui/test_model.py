"""What the screens show, without a screen: stores keep numbers, lists filter and sort, counts are right."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ftracepy._fastparse import Batch
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.filtering import parse
from ftracepy.batch import decoder_for
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.pipeline.candidates import Candidate
from ftracepy.pipeline.watch import WatchRequest
from ftracepy.schema import Schema
from ftracepy.tools import kit
from ftracepy.tools.rows import Row, col
from ftracepy.tui.model.builder import Builder, Form
from ftracepy.tui.model.counting import Spread, Top
from ftracepy.tui.model.ends import Partner
from ftracepy.tui.model.engine import Engine, State
from ftracepy.tui.model.export import as_data, as_text
from ftracepy.tui.model.flames import Flames
from ftracepy.tui.model.folds import Fold
from ftracepy.tui.model.lanes import Lanes
from ftracepy.tui.model.listing import Listing
from ftracepy.tui.model.listpage import ListPage
from ftracepy.tui.model.looks import EventLook, RowLook
from ftracepy.tui.model.matches import All, Sorted
from ftracepy.tui.model.names import Names
from ftracepy.tui.model.overview import Overview, Tile
from ftracepy.tui.model.page import Page
from ftracepy.tui.model.playing import Playing
from ftracepy.tui.model.rowstore import RowStore
from ftracepy.tui.model.run import Run
from ftracepy.tui.model.search import Search
from ftracepy.tui.model.spans import cell, length, plain
from ftracepy.tui.model.store import Aside, EventStore, Loss, Said
from ftracepy.tui.model.tables import Tables
from tests.support import fake_tracefs
from tests.support.pages import PageWriter, event_format, schema

FIXTURE = Path(__file__).parents[2] / "fixtures/opensnoop-k6.18/trace.dat"
MANY = 307


def always() -> bool:
    return True


@pytest.fixture
def tick() -> Schema:
    return schema(
        event_format("tick", 5, "int number; 8; 4; 1"),
        event_format(
            "sched_switch", 6, "char prev_comm[16]; 8; 16; 0", "int prev_pid; 24; 4; 1", "int next_pid; 28; 4; 1", system="sched"
        ),
    )


def ticks(schema: Schema, start: int, count: int, *, lost: int = 0, cpu: int = 0) -> Batch:
    """`count` ticks from number `start` on, 1 µs apart, by threads 1 and 2 in turn."""
    writer = PageWriter(schema)
    decoder = decoder_for(schema, [0, 1])
    for at in range(start, start + count, 100):
        events = [
            writer.event("tick", delta=0 if at == number else 1000, pid=1 + number % 2, number=number)
            for number in range(at, min(at + 100, start + count))
        ]
        decoder.feed(cpu, writer.page(at * 1000, *events, lost=lost if at == start else 0))
    return decoder.batch()


def numbers(store: EventStore, start: int, count: int) -> list[int | Aside]:
    return [item if isinstance(item, Aside) else item["number"] for item in store.items(start, count)]


@pytest.mark.parametrize("piece", [1, 7, 100, 300])
def test_a_store_gives_every_event_the_number_it_came_with(tick: Schema, piece: int) -> None:
    store = EventStore(10_000)
    for start in range(0, MANY, piece):
        store.append(ticks(tick, start, min(piece, MANY - start)))
    assert (store.first, store.end) == (0, MANY)
    assert numbers(store, 0, MANY) == list(range(MANY))
    assert numbers(store, 299, 20) == list(range(299, MANY))
    assert store.item(MANY) is None


def test_the_oldest_go_and_numbers_stay(tick: Schema) -> None:
    store = EventStore(100)
    for start in range(0, 2000, 10):
        store.append(ticks(tick, start, 10))
    assert store.end == 2000
    assert 0 < store.first <= 1900
    assert numbers(store, store.first, 3) == [store.first, store.first + 1, store.first + 2]
    assert store.item(store.first - 1) is None


@pytest.mark.parametrize("many", [3, 200])
def test_a_loss_stands_where_events_are_missing(tick: Schema, many: int) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, many))
    store.append(ticks(tick, 500, many, lost=13))
    assert numbers(store, many - 1, 3) == [many - 1, Loss(0, 13), 500]
    assert store.lost == {0: 13}
    assert store.at_time(500_000) == many + 1


@pytest.mark.parametrize("many", [3, 200])
def test_a_word_about_the_recording_stands_where_it_was_said(tick: Schema, many: int) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, many, lost=13), [(1000, "said")])
    assert numbers(store, 0, 4) == [Loss(0, 13), 0, Said("said"), 1]
    store.append(ticks(tick, many, 0), [(1 << 50, "then")])
    assert numbers(store, many + 2, 5) == [Said("then")]
    assert store.lost == {0: 13}


def test_a_time_is_found(tick: Schema) -> None:
    store = EventStore()
    for start in range(0, 1000, 50):
        store.append(ticks(tick, start, 50))
    for number in (0, 1, 49, 50, 777, 999):
        assert store.at_time(number * 1000) == number
        assert store.at_time(number * 1000 - 1) == number
    assert store.at_time(10**9) == 1000


def listing_of(store: EventStore, tick: Schema) -> Listing:
    return Listing(store, EventLook(tick, Names(Feed((), tick))))


def shown(listing: Listing) -> list[int]:
    while not listing.tick(always):
        pass
    return [listing.item(place)["number"] for place in range(listing.first, listing.end)]


def test_a_filter_shows_what_passes_and_narrows_further(tick: Schema) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    listing = listing_of(store, tick)
    listing.set_filter("number < 20 && tid == 1")
    assert shown(listing) == list(range(0, 20, 2))
    listing.narrow("number >= 10")
    assert shown(listing) == list(range(10, 20, 2))
    store.append(ticks(tick, MANY, 5))
    assert listing.widen()
    assert shown(listing) == list(range(0, 20, 2))
    assert not listing.widen()


def test_matches_of_events_that_are_gone_go_too(tick: Schema) -> None:
    store = EventStore(100)
    listing = listing_of(store, tick)
    listing.set_filter("number >= 0")
    for start in range(0, 2000, 10):
        store.append(ticks(tick, start, 10))
        listing.tick(always)
    assert shown(listing) == list(range(store.first, 2000))


def test_sorting_and_turning_round(tick: Schema) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, 10))
    listing = listing_of(store, tick)
    listing.sort("tid")
    assert [number % 2 for number in shown(listing)] == [1] * 5 + [0] * 5
    listing.sort("tid")
    assert [number % 2 for number in shown(listing)] == [0] * 5 + [1] * 5
    listing.sort(None)
    assert shown(listing) == list(range(10))


def test_counts_by_a_field_go_on_as_events_come(tick: Schema) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    top = Top(listing_of(store, tick), "tid")
    top.tick(always, 80)
    assert [plain(top.line(place, 80)).split()[0] for place in range(top.end)] == ["154", "153"]
    store.append(ticks(tick, MANY, 3))
    top.tick(always, 80)
    assert [plain(top.line(place, 80)).split()[0] for place in range(top.end)] == ["155", "155"]
    assert top.condition(0) in ("tid == 1", "tid == 2")


def test_the_spread_of_numbers_counts_each_once(tick: Schema) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    spread = Spread(listing_of(store, tick), "number")
    spread.tick(always, 80)
    found = [int(plain(spread.line(place, 80)).split()[1]) for place in range(spread.end)]
    assert found == [1, 1, 2, 4, 8, 16, 32, 64, 128, MANY - 256]
    assert all(length(spread.line(place, 80)) == 80 for place in range(spread.end))


SECOND = 1_000_000_000


def lanes(tick: Schema, *, lost: int = 0, more: int = 0, runs: int = 7) -> Lanes:
    """ant (7) runs the first half of a second on CPU 1, the second half is idle; `lost` events are missing before it leaves.

    By the switch before it is `runs` that begins to run.
    """
    writer = PageWriter(tick)
    decoder = decoder_for(tick, [0, 1])
    idle = [writer.event("sched_switch", delta=1, prev_pid=0, next_pid=0) for _one in range(more)]
    first = [writer.event("sched_switch", prev_pid=0, prev_comm=b"swapper", next_pid=runs)]
    rest = [
        writer.extend(0 if lost else SECOND // 2),
        writer.event("sched_switch", prev_pid=7, prev_comm=b"ant"),
        writer.extend(SECOND // 2),
        writer.event("sched_switch", prev_pid=0, prev_comm=b"swapper"),
    ]
    if lost:
        decoder.feed(1, writer.page(SECOND, *first))
        decoder.feed(1, writer.page(SECOND + SECOND // 2, *rest, lost=lost))
    else:
        decoder.feed(1, writer.page(SECOND, *first, *rest, *idle))
    store = EventStore()
    store.append(decoder.batch())
    return Lanes(store, tick, [0, 1])


@pytest.mark.parametrize("more", [0, 100])
def test_lanes_show_who_ran(tick: Schema, more: int) -> None:
    """With few events they are kept one by one, with many in columns."""
    page = lanes(tick, more=more)
    assert page.tick(always, 109)
    text = plain(page.line(1, 109))
    assert text.startswith("  1  50% ")
    assert (text[9:].count("a"), text[9:].count("·")) == (50, 50)
    assert "ant" in "".join(plain(page.line(place, 109)) for place in range(2, page.end))
    assert page.condition(1) == "cpu == 1"


def test_lanes_of_tasks_show_on_which_cpu(tick: Schema) -> None:
    page = lanes(tick)
    page.toggle()
    assert page.tick(always, 125)
    assert page.end == 1
    text = plain(page.line(0, 125))
    assert text.startswith(f" 50% {'ant':<12}      7 1")
    assert text[25:].count("1") == 50
    assert page.condition(0) == "tid == 7"


def test_lanes_do_not_guess_who_ran_while_events_were_lost(tick: Schema) -> None:
    page = lanes(tick, lost=3)
    assert page.tick(always, 109)
    text = plain(page.line(1, 109))
    assert (text[9:].count("?"), text[9:].count("a")) == (50, 0)


def test_lanes_do_not_guess_who_ran_between_switches_that_do_not_fit(tick: Schema) -> None:
    """Our own threads are not recorded, nor is what a filter in the kernel holds back."""
    page = lanes(tick, runs=8)
    assert page.tick(always, 109)
    text = plain(page.line(1, 109))
    assert (text[9:].count("~"), text[9:].count("a")) == (50, 0)


def test_lanes_go_to_a_time(tick: Schema) -> None:
    page = lanes(tick)
    page.span_ns = SECOND // 10
    page.tick(always, 109)
    page.go(SECOND + SECOND // 2)
    page.redraw()
    page.tick(always, 109)
    text = plain(page.line(1, 109))
    assert (text[9:59], text[59:]) == ("a" * 50, "·" * 50)


def test_stacks_fold() -> None:
    fold = Fold(EventStore())
    for stack, times in ((("read", "vfs", "entry"), 3), (("write", "vfs", "entry"), 2), (("exit", "entry"), 1)):
        for _time in range(times):
            fold.add(stack)
    tree = {name: (one.weight, set(one.children)) for name, one in fold.root.children["entry"].children.items()}
    assert fold.root.children["entry"].weight == 6
    assert tree == {"vfs": (5, {"read", "write"}), "exit": (1, set())}


def flames() -> Flames:
    """entry calls vfs (read 3, write 2) and exit (1); drawn 61 wide."""
    fold = Fold(EventStore())
    for stack, times in ((("read", "vfs", "entry"), 3), (("write", "vfs", "entry"), 2), (("exit", "entry"), 1)):
        for _time in range(times):
            fold.add(stack)
    page = Flames([fold])
    page.tick(always, 60)
    return page


def test_a_flame_graph_gives_each_frame_its_share_of_the_width() -> None:
    page = flames()
    rows = [plain(page.line(place, 60)) for place in range(page.end)]
    assert [len(row) for row in rows] == [60, 60, 60, 50]
    assert rows[2] == f"{'vfs':<49}│{'exit':<9}│"
    assert rows[3] == f"{'read':<29}│{'write':<19}│"


def test_arrows_walk_over_frames_and_enter_makes_one_the_root() -> None:
    page = flames()
    assert (page.steer(0, 1), page.steer(0, 1), page.steer(0, 1), page.steer(1, 0)) == (1, 2, 3, 3)
    assert page.chosen.name == "write"
    assert "33.3% of all, 2 stacks" in plain(page.heading(60)[0])
    page.enter(3)
    assert plain(page.line(0, 60)) == f"{'write':<59}│"
    assert page.leave()
    assert plain(page.line(0, 60)) == f"{'vfs':<59}│"
    page.mark("READ")
    assert "60.0% holds 'read'" in plain(page.heading(100)[0])
    assert page.folded() == "entry;vfs;read 3\nentry;vfs;write 2\n"


def test_the_tracers_calls_fold_by_the_time_that_they_took() -> None:
    """Every function's time and calls are those of the tool's rows, for the whole of a recording."""
    tool = kit.load("funcgraph")
    path = FIXTURE.parents[1] / "funcgraph-k6.12/trace.dat"
    engine = Engine(WatchRequest(tool=(tool, tool.options(functions=("*",))), replay=str(path)))
    engine.start()
    assert engine.join(30)
    assert engine.rows
    page = next(one for one in Run(engine).pages if isinstance(one, Flames))
    while not page.tick(always, 100) or page.behind:
        pass
    found: Counter[str] = Counter()
    for _depth, node in page.root.walk():
        found[node.name] += node.weight
    expected: Counter[str] = Counter()
    for row in engine.rows.items(0, 10_000):
        assert not isinstance(row, Aside)
        expected[row.function] += row.took_ns or 0  # type: ignore[attr-defined]
    assert {name: took for name, took in found.items() if name != "all"} == dict(expected)


class Done(Row):
    pid: int = col(width=7)
    comm: str = col(width=8)
    took_ns: int | None = col(width=9)


def test_rows_are_kept_filtered_and_exported() -> None:
    store = RowStore(100)
    for number in range(MANY):
        store.row(Done(ts_ns=number, pid=number, comm="even" if number % 2 == 0 else "o\x1bd", took_ns=number or None))
    store.loss(1, 5)
    assert (store.first, store.end) == (MANY + 1 - 100, MANY + 1)
    listing = Listing(store, RowLook(Done))
    listing.set_filter('comm == "even" && pid >= 300')
    while not listing.tick(always):
        pass
    page = ListPage("rows", listing)
    lines = as_text(page).splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["300", "302", "304"]
    assert "5 events lost on CPU 1" in lines[-1]
    assert as_data(listing, "csv").splitlines()[:2] == ["pid,comm,took_ns", "300,even,300"]
    assert '{"loss": {"cpu": 1, "events": 5}}' in as_data(listing, "json")


def test_hostile_names_are_escaped() -> None:
    store = RowStore()
    store.row(Done(pid=1, comm="\x1b]0;x\x07", took_ns=None))
    assert "\x1b" not in plain(Listing(store, RowLook(Done)).line(0))


def test_only_a_whole_table_is_the_latest() -> None:
    store = RowStore()
    for block in range(3):
        for number in range(block + 1):
            store.row(Done(block=block, pid=number, comm="x", took_ns=1))
    assert len(store.latest) == 2
    store.flush()
    assert len(store.latest) == 3


def test_the_latest_table_is_sorted_again_each_time() -> None:
    store = RowStore()
    page = Tables("done", store, Done)
    page.listing.sort("took_ns")
    for block in range(3):
        for number in range(5):
            store.row(Done(block=block, pid=number, comm="x", took_ns=(number * 3 + block) % 5))
        store.flush()
        page.tick(always, 80)
        assert (page.first, page.end) == (0, 5)
        assert [page.item(place).took_ns for place in range(page.first, page.end)] == [4, 3, 2, 1, 0]
    page.listing.sort(None)
    page.tick(always, 80)
    assert [page.item(place).pid for place in range(page.first, page.end)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("text", "width", "right", "cut"), [
    ("abc", 5, False, "abc  "), ("abc", 5, True, "  abc"), ("abcdef", 5, False, "abcd…"), ("日本語", 5, False, "日本…"),
])  # fmt: skip
def test_cells_take_their_width_in_columns(text: str, width: int, right: bool, cut: str) -> None:
    assert cell(text, width, right) == cut


@pytest.fixture
def run() -> Run:
    tool = kit.load("opensnoop")
    engine = Engine(WatchRequest(tool=(tool, tool.options()), replay=str(FIXTURE)))
    engine.start()
    assert engine.join(30)
    assert engine.state is State.ENDED, engine.error
    return Run(engine)


def test_a_recording_gives_the_rows_that_the_command_gives(run: Run) -> None:
    page = run.rows
    expected = (FIXTURE.parent / "expected.table.txt").read_text().splitlines()[1:]
    ours = [plain(page.line(place, 200)) for place in range(page.first, page.end)]
    assert [line.split()[-1] for line in ours] == [line.split()[-1] for line in expected]


def test_every_page_of_a_recording_has_lines(run: Run) -> None:
    def lines(page: Page) -> list[str]:
        page.tick(always, 100)
        return [plain(page.line(place, 100)) for place in range(page.first, page.end)]

    for page in [*run.pages[:-1], run.about()]:
        assert any(lines(page)), page.title
    row = run.rows.item(run.rows.first)
    assert any("events of process" in line for line in lines(run.detail(row)))
    event = run.events.item(run.events.first + 3)
    assert any(line.startswith("       dfd") or "filename" in line for line in lines(run.detail(event)))


def test_a_name_is_the_one_that_the_task_had_then(run: Run) -> None:
    """A shell that becomes cat: its events before the exec are the shell's."""
    names = {plain(run.events.line(place, 200)).split()[2] for place in range(run.events.first, run.events.end)}
    assert {"sh", "cat", "touch", "ln"} <= names


def test_numbers_are_read_as_the_kernel_reads_them() -> None:
    for text, value in (("a == 010", 8), ("a == 0x10", 16), ("a == -010", -8), ("a == 0", 0)):
        assert parse(text).test({"a": value}.get), text


@pytest.mark.parametrize("text", ["a == 09", "(" * 50_000 + "a == 1", "!" * 50_000 + "a == 1"])
def test_what_is_no_filter_ends_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageFault):
        parse(text)


@pytest.mark.parametrize(("text", "where"), [
    ("pid =", 4), ("pid == ", 7), ("pid == 1 &&", 11), ("(pid == 1", 9), ("pid == 1)", 8),
    ('comm > "x"', 5), ("== 1", 0), ('comm == "x', 8),
])  # fmt: skip
def test_a_wrong_filter_is_pointed_at(text: str, where: int) -> None:
    with pytest.raises(UsageFault) as raised:
        parse(text)
    assert raised.value.why.splitlines()[-1].index("^") - 2 == where


def test_the_builder_shows_the_nearest_names_first() -> None:
    names = ["sched:sched_switch", "irq:softirq_raise", "block:block_rq_issue", "syscalls:sys_enter_lseek"]
    builder = Builder(lambda: [*(Candidate("event", name) for name in names), Candidate("function", "vfs_read")])
    while not builder.tick(always, 80) or builder.behind:
        pass
    builder.search("switch")
    assert [one.name for one in builder.found] == ["sched:sched_switch"]
    builder.search("issue blk")
    assert builder.found[0].name == "block:block_rq_issue"
    builder.search("vr")
    assert builder.found[0].name == "vfs_read"
    builder.search("no such thing")
    assert builder.end == 0


def test_playing_goes_along_with_time(tick: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    now = 100.0
    monkeypatch.setattr("ftracepy.tui.model.playing.time.monotonic", lambda: now)
    playing = Playing(ListPage("events", listing_of(store, tick)), 5000)
    assert playing.place() == 5
    now += 0.00001
    assert playing.place() == 15
    playing.faster(2)
    now += 0.00001
    assert playing.place() == 35


@pytest.mark.parametrize("backwards", [True, False])
def test_a_list_is_sorted_in_pieces_as_it_would_be_at_once(tick: Schema, backwards: bool) -> None:
    """Numbers that repeat, some without a value, more coming: what sorted() says, whenever the pieces end."""
    store = EventStore()
    store.append(ticks(tick, 0, 20_011))
    among = All(store)
    keys = {number: None if number % 97 == 0 else (number * 7919) % 1009 for number in range(30_000)}
    order = Sorted(store, among, lambda event: keys[event["number"]], backwards)
    store.append(ticks(tick, 20_011, 307))
    while order.scan(613):
        pass
    expected = sorted((key, number) for number, key in keys.items() if number < store.end and key is not None)
    found = [order.number(place) for place in range(order.end)]
    assert found == [number for _key, number in (reversed(expected) if backwards else expected)]
    assert order.place(found[4711]) == 4711


def test_a_search_ends_where_its_time_does_and_goes_on(tick: Schema) -> None:
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    page = ListPage("events", Listing(store, Words(tick, Names(Feed((), tick)))))
    search = Search(page, "number-300", 0, 1)
    ticks_taken = 0
    while not search.tick(lambda: False):
        ticks_taken += 1
    assert (search.place, ticks_taken) == (300, 6)
    backwards = Search(page, "number-7", 300, -1)
    assert backwards.tick(always)
    assert backwards.place == 79
    nothing = Search(page, "number-308", 0, 1)
    assert nothing.tick(always)
    assert nothing.place is None


class Words(EventLook):
    """Events whose own words are their number."""

    def text(self, event: Any) -> str:
        return f"number-{event['number']}"


@pytest.fixture
def ends() -> Schema:
    switch = ("char prev_comm[16]; 8; 16; 0", "int prev_pid; 24; 4; 1", "int next_pid; 28; 4; 1")
    return schema(
        event_format("sys_enter", 5, "long id; 8; 8; 1", system="raw_syscalls"),
        event_format("sys_exit", 6, "long id; 8; 8; 1", system="raw_syscalls"),
        event_format("sched_switch", 7, *switch, system="sched"),
        event_format("sched_waking", 8, "int pid; 8; 4; 1", system="sched"),
        event_format("block_rq_issue", 9, "int dev; 8; 4; 0", "u64 sector; 16; 8; 0", system="block"),
        event_format("block_rq_complete", 10, "int dev; 8; 4; 0", "u64 sector; 16; 8; 0", system="block"),
    )


def partner(ends: Schema, at: int, *events: tuple[str, dict[str, int]], lost: int = 0) -> int | str:
    """Where the other end of event `at` was found, or why not; events are those of one CPU, a loss before the last one."""
    writer = PageWriter(ends)
    decoder = decoder_for(ends, [0])
    made = [writer.event(name, delta=1, **values) for name, values in events]
    pages = [writer.page(1000, *made[:-1]), writer.page(2000, made[-1], lost=lost)] if lost else [writer.page(1000, *made)]
    for page in pages:
        decoder.feed(0, page)
    store = EventStore()
    store.append(decoder.batch())
    event = store.item(at)
    assert event is not None
    assert not isinstance(event, Aside)
    found = Partner(store, ends, event, at)
    while not found.tick(lambda: False):
        pass
    return found.why if found.number is None else found.number


CALLS = (
    ("sys_enter", {"common_pid": 7, "id": 1}), ("sys_enter", {"common_pid": 8, "id": 1}),
    ("sys_exit", {"common_pid": 8, "id": 1}),
    ("sys_exit", {"common_pid": 7, "id": 1}), ("sys_exit", {"common_pid": 7, "id": 1}),
)  # fmt: skip
WOKEN = (
    ("sched_waking", {"common_pid": 5, "pid": 7}), ("sched_switch", {"next_pid": 6}), ("sched_switch", {"next_pid": 7}),
    ("sched_switch", {"next_pid": 7}),
)  # fmt: skip
BLOCKS = (
    ("block_rq_issue", {"dev": 1, "sector": 8}), ("block_rq_issue", {"dev": 1, "sector": 16}),
    ("block_rq_complete", {"dev": 2, "sector": 8, "common_pid": 3}),
    ("block_rq_complete", {"dev": 1, "sector": 8, "common_pid": 9}),
)  # fmt: skip


@pytest.mark.parametrize(("events", "at", "wanted"), [
    (CALLS, 0, 3), (CALLS, 1, 2), (CALLS, 2, 1), (CALLS, 3, 0), (CALLS, 4, "its other end is not here"),
    (WOKEN, 0, 2), (WOKEN, 2, 0), (WOKEN, 1, "its other end is not here"),
    (BLOCKS, 0, 3), (BLOCKS, 3, 0), (BLOCKS, 1, "its other end is not here"),
])  # fmt: skip
def test_the_other_end_of_an_event(
    ends: Schema, events: tuple[tuple[str, dict[str, int]], ...], at: int, wanted: int | str
) -> None:
    assert partner(ends, at, *events) == wanted


def test_where_events_are_lost_nobody_knows_the_other_end(ends: Schema) -> None:
    """The thread may have called once more, unseen."""
    assert partner(ends, 0, CALLS[0], CALLS[3], lost=3) == "events were lost before its other end"


def test_the_builder_finds_among_tens_of_thousands_letter_by_letter() -> None:
    """One more letter only looks at what was left: the same as if all was typed at once."""
    names = [
        f"{first}_{second}_{number}" for first in ("vfs", "tcp", "ext4") for second in ("read", "open") for number in range(7919)
    ]
    all_ = [Candidate("function", name) for name in names]

    def typed(*steps: str) -> list[str]:
        builder = Builder(lambda: all_)
        while not builder.tick(always, 80) or builder.behind:
            pass
        for step in steps:
            builder.search(step)
        return [one.name for one in builder.found]

    assert typed("v", "vr", "vr7", "vr77") == typed("vr77")
    assert typed("vr77")[0] == "vfs_read_77"
    assert typed("tcp", "tcp op", "t") == typed("t")


def test_an_error_stands_under_the_field_that_it_is_about(tmp_path: Path) -> None:
    root = fake_tracefs.make(tmp_path / "tracing", events={"sched/sched_switch": 5})
    form = Form(Candidate("event", "sched:sched_switch"), str(root))

    def lines(error: FtracepyError | None = None) -> list[str]:
        form.change(filter="no_field == 1", error=error)
        while not form.tick(always, 80):
            pass
        return [plain(form.line(place, 80)) for place in range(form.end)]

    assert "  events/sched/sched_switch/filter  no_field == 1" in lines()
    shown = lines(FtracepyError("this filter is refused", kernel="Field not found", wrote="events/sched/sched_switch/filter"))
    at = shown.index("f filter  no_field == 1")
    assert "this filter is refused" in shown[at + 1]
    assert shown.index("what goes to the kernel") > at + 2


def test_the_spread_of_a_recording_fits_its_whole_time(tick: Schema) -> None:
    """MANY ticks a microsecond apart: each in one column of 10 µs, all columns together as many."""
    store = EventStore()
    store.append(ticks(tick, 0, MANY))
    spread = Spread(listing_of(store, tick), "number", columns=40, span_ns=MANY * 1000)
    spread.tick(always, 100)
    assert "a column is 10 µs" in plain(spread.heading(100)[0])
    heat = [plain(spread.line(place, 100))[-40:] for place in range(spread.end)]
    assert heat[-1] == " " * 34 + "=@@@@#"  # 256 to 259, forty, 300 to 306
    assert heat[-2].strip() == ":" + "@" * 12 + "*"  # 128 and 129, twelve tens, 250 to 255


def test_every_column_sorts_all_lines(run: Run) -> None:
    listing = run.events.listing
    everything = listing.end
    for column in listing.columns:
        listing.sort(column.name)
        while not listing.tick(always):
            pass
        assert listing.end == everything, column.name


def test_an_event_in_full_has_the_stack_that_was_written_behind_it() -> None:
    tool = kit.load("tpoint")
    path = str(FIXTURE.parents[1] / "tpoint-k6.12/trace.dat")
    engine = Engine(WatchRequest(tool=(tool, tool.options(events="*:*")), replay=path))
    engine.start()
    assert engine.join(30)
    run = Run(engine)
    events = [one for one in engine.events.items(0, 10_000) if not isinstance(one, Aside)]
    hit = next(one for one, after in pairwise(events) if after.name == "kernel_stack" != one.name)
    page = run.detail(hit)
    shown = [plain(page.line(place, 200)) for place in range(page.end)]
    at = next(place for place, line in enumerate(shown) if "<stack trace" in line)
    assert "=> " in shown[at + 1]


def overview_of(*tiles: Tile) -> list[str]:
    page = Overview(tiles)
    page.start()
    for engine in page.engines:
        assert engine.join(30)
    page.height = 3 * len(tiles)
    page.tick(always, 80)
    return [plain(page.line(place, 80)).rstrip() for place in range(page.end)]


def test_a_tile_says_why_this_kernel_cannot(tmp_path: Path) -> None:
    tool = kit.load("opensnoop")
    none = Engine(WatchRequest(tool=(tool, tool.options()), tracefs_root=str(tmp_path / "nothing")))
    some = Engine(WatchRequest(tool=(tool, tool.options(failed=True)), replay=str(FIXTURE)))
    lines = overview_of(Tile("opens", none), Tile("failed opens", some, figure=lambda rows: f"{len(rows)} of them"))
    assert lines[0] == "▌opens  not here"
    assert lines[1].startswith("  there is no tracefs at")
    assert lines[3] == " failed opens  1 of them"
    assert lines[5].endswith(" missing")


def test_tiles_show_the_largest_of_their_latest_table_and_are_chosen_by_arrows() -> None:
    tool = kit.load("syscount")
    path = str(FIXTURE.parents[1] / "syscount-k6.18/trace.dat")
    engine = Engine(WatchRequest(tool=(tool, tool.options(interval=10.0)), replay=path))
    calls, errors = Tile("calls", engine, sorted_by="count"), Tile("errors", engine, sorted_by="errors")
    lines = overview_of(calls, errors)
    most = [max(getattr(row, name) for row in engine.rows.latest) for name in ("count", "errors")] if engine.rows else []
    assert [int(lines[2].split()[1]), int(lines[5].split()[2])] == most
    page = Overview([calls, errors])
    page.height = 6
    page.tick(always, 80)
    assert (page.steer(0, 1), page.chosen, page.steer(0, 1), page.chosen) == (3, 1, 3, 1)
    page.arrived(0)
    assert page.chosen == 0
    assert page.run_at(0) is calls.run
