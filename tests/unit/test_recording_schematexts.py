"""The kernel's texts: parsed as asked, and judged for whether kernel symbols are worth storing."""

from __future__ import annotations

import pytest
from recording_samples import format_text, texts

from ftracepy.schema import FormatFault
from ftracepy.schematexts import SchemaAhead, SchemaTexts, chosen_clock, clock_is_ns, event_name, useful_kallsyms


def test_only_what_was_asked_for_and_the_ftrace_system() -> None:
    kept = texts().only({"sample": ["second"], "sched": ["sched_switch"]})
    assert {system: list(map(event_name, formats)) for system, formats in kept.formats.items()} == {
        "ftrace": ["print"],
        "sample": ["second"],
    }
    assert [one.id for one in kept.schema().formats.values()] == [5, 301]


def test_the_page_size_of_an_instance_goes_before_the_top_instances() -> None:
    made = texts()
    assert made.schema().page.size_bytes == 4096
    made.page_bytes = 16384
    assert made.schema().page.size_bytes == 16384
    assert made.schema(65536).page.size_bytes == 65536


def test_a_schema_made_ahead_is_used_while_nothing_else_is_known() -> None:
    made = texts()
    ahead = SchemaAhead(made)
    made.page_bytes = 4096  # as header_page says
    assert ahead.schema(made) is ahead.schema(texts())
    assert ahead.schema(made).formats.keys() == texts().schema().formats.keys()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("page_bytes", 16384), ("clock", "boot"), ("kallsyms", b"ff00 T start\n"), ("cmdlines", b"7 seven\n")],
)
def test_a_schema_made_ahead_is_made_anew_where_more_is_known(attribute: str, value: object) -> None:
    made = texts()
    ahead = SchemaAhead(made)
    setattr(made, attribute, value)
    assert ahead.schema(made) == made.schema()
    assert ahead.schema(made) != texts().schema()


def test_a_format_added_later_is_in_the_schema() -> None:
    made = texts()
    ahead = SchemaAhead(made)
    made.add("later", format_text("newcomer", 999))
    assert ahead.schema(made).event("later", "newcomer") is not None


def test_a_bad_format_is_raised_or_noted() -> None:
    made = texts()
    made.add("odd", b"ID: 4\n")
    with pytest.raises(FormatFault, match="'odd' has no name or ID"):
        made.schema()
    skipped: list[str] = []
    assert len(made.schema(skipped=skipped).formats) == 3
    assert len(skipped) == 1


def test_no_header_page_is_said() -> None:
    with pytest.raises(FormatFault, match="header_page"):
        SchemaTexts().schema()


@pytest.mark.parametrize(
    ("clock", "is_ns"), [("mono", True), ("tai", True), ("x86-tsc", False), ("counter", False), ("uptime", False)]
)
def test_which_clocks_count_nanoseconds(clock: str, is_ns: bool) -> None:
    assert clock_is_ns(clock) is is_ns
    made = texts()
    made.clock = clock
    assert made.schema().time.is_ns is is_ns


@pytest.mark.parametrize(("text", "clock"), [("local [global] counter\n", "global"), ("[mono]\n", "mono"), ("boot\n", "boot")])
def test_the_chosen_clock(text: str, clock: str) -> None:
    assert chosen_clock(text) == clock


@pytest.mark.parametrize(
    ("fmt", "needed"),
    [
        (b'"prev_comm=%s"', False),
        (b'"call_site=%pS"', True),
        (b'"function=%ps", REC->function', True),
        (b'"(%lx) path=\\"%s\\"", REC->__probe_ip', True),
        (b'"%pI4", REC->saddr', False),
    ],
)
def test_when_symbols_are_needed(fmt: bytes, needed: bool) -> None:
    made = SchemaTexts()
    made.add("sample", format_text("one", 1).partition(b"print fmt:")[0] + b"print fmt: " + fmt)
    made.add("ftracepy_1", b'name: path_site\nID: 7\nprint fmt: "(%lx)", REC->__probe_ip')
    made.add("ftrace", b'name: bprint\nID: 6\nprint fmt: "%ps: %s"')
    assert made.needs_symbols() is needed
    assert made.needs_symbols(["bprint"])


def test_symbols_without_addresses_are_no_use() -> None:
    assert useful_kallsyms(b"0000000000000000 T _stext\n" * 200) == b""
    assert useful_kallsyms(b"0000000000000000 A fixed_percpu_data\nffffffff81000000 T _stext\n").count(b"\n") == 2
    assert useful_kallsyms(b"") == b""
