"""Formats are read when an event of theirs comes: what that must not change, and what a bad one may do then."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from ftracepy import schema as schema_module
from ftracepy.batch import decoder_arguments
from ftracepy.schema import EventFormat, parse_event_format
from tests.support.decoders import decode, implementations
from tests.support.pages import PageWriter, event_format, schema

FIRST = ("first", 1, "int number; 8; 4; 1")
SECOND = ("second", 2, "u64 number; 8; 8; 0")


@pytest.fixture(params=implementations())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_only_what_occurs_is_parsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = PageWriter(schema(event_format(*FIRST)))
    page = data.page(1, data.data(data.record("first", number=-7)))
    read: list[bytes] = []
    late = schema_module._late_values

    def noted(text: bytes, long_bytes: int) -> object:
        read.append(text)
        return late(text, long_bytes)

    monkeypatch.setattr(schema_module, "_late_values", noted)
    batch = decode(name, schema(event_format(*FIRST), event_format(*SECOND)), {0: page})
    assert len(read) == 1, "the first format tells where the common fields are"
    assert batch[0]["number"] == -7
    assert batch[0].name == "first"
    assert all(b"name: first" in text for text in read)


def test_a_late_format_equals_an_early_one() -> None:
    late = event_format(*FIRST)
    early = EventFormat(late.system, late.name, late.id, late.common, late.fields, late.print_fmt, late.text)
    assert late == early == event_format(*FIRST)
    assert event_format(*FIRST) != event_format(*SECOND)
    with pytest.raises(AttributeError, match="colour"):
        late.colour  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("fault", [(("n", 8, 4, False, 0, 3, 0),), (("n", 8, 4, False, 9, 4, 0),)])
def test_an_event_whose_fields_contradict_themselves_has_none(name: str, fault: tuple[Any, ...]) -> None:
    given = schema(event_format(*FIRST))
    layout, ((number, system, event, *_),) = decoder_arguments(given)
    fed = import_module(f"ftracepy._fastparse.{name}").Decoder(layout, [(number, system, event, lambda: (fault, ()), ())], [0])
    write = PageWriter(given)
    fed.feed(0, write.page(1, write.data(write.record("first", number=3))))
    batch = fed.batch()
    assert [(one.name, one.keys(), one.get("n")) for one in batch] == [("first", (), None)]
    with pytest.raises(KeyError):
        batch.column(1, "n")


def test_numbers_that_are_none() -> None:
    long = "9" * 5000
    text = event_format(*FIRST).text.replace("offset:8;", f"offset:{long};").replace("int number", f"int number[{long}]")
    form = parse_event_format(text, "test")
    assert form.fields == ()
    assert [one.name for one in form.common][-1] == "common_pid"
