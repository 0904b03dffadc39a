"""tpoint: show hits of any tracepoints, with the kernel's own text or chosen fields of them.

        PID COMM            CPU EVENT                    TEXT
       4711 dd                1 irq:softirq_raise        vec=4 [action=BLOCK]
          0 swapper           1 block:block_rq_complete  254,0 R () 77824 + 8 [0]
       4242 sh                0 sched:sched_process_exit comm=sh pid=4242 prio=120

EVENTS is SYSTEM:EVENT with * and ?, several with commas between; FILTER is in the kernel's filter language, as in
'bytes > 4096 && rwbs ~ "*W*"', and what has none of its fields is left out of a pattern. --fields shows fields as
columns instead of the text. -l lists events and their fields, in a recording as well; a FILTER is then a field's name,
with * and ?. ftracepy itself is never traced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from ftracepy.analysis import filtering
from ftracepy.analysis.stacks import Hit
from ftracepy.errors import UsageFault
from ftracepy.probes import Tasks, Tracepoints, Wish
from ftracepy.schema import EventFormat
from ftracepy.tools.eventrows import (
    Described,
    EventRow,
    described,
    event_rows,
    named_in_filters,
    names_of_fields,
    row_with,
    shown_events,
)
from ftracepy.tools.kit import Feed, Filters, Row, argument, col, flag, option, tool

_EVENT = re.compile(r"[\w*?-]+:[\w*?-]+")
_ONE = re.compile(r"([^,/]+)(?:/([^/]*)/)?,?")


class Options(Filters):
    events: str = argument("events", default="", help="SYSTEM:EVENT, or patterns of it, with commas between")
    filter: str = argument("filter", default="", help="only hits that this lets through")
    fields: tuple[str, ...] = option(
        "--fields", type=names_of_fields, default=(), metavar="A,B,C", help="these fields as columns instead of the text"
    )
    stacks: bool = flag("-s", help="the kernel stack of each hit")
    listing: bool = flag("-l", "--list", help="list events and their fields")
    verbose: bool = flag("-v", help="show the format of each event: types, offsets, how its text is made")
    heading: bool = flag("-H", help="accepted for habit: the columns always have a heading")

    def check(self) -> None:
        if not self.listing and _EVENT.fullmatch(self.filter):
            raise UsageFault(f"'{self.filter}' is no filter", hint=f"several events: tpoint '{self.events},{self.filter}'")


class Listed(Row):
    event: str = col(width=32, help="the event")
    fields: list[str] = col(show=" ".join, help="its own fields")


def _row_for(options: Options) -> type[Row]:
    if options.listing or options.verbose:
        return Described if options.verbose else Listed
    return row_with(options.fields)


def _wishes(options: Options) -> tuple[Wish, ...]:
    if options.listing or options.verbose:
        pattern = options.events or ("*:*" if options.listing else "")
        return tuple(Tracepoints(one.pattern, only_formats=True) for one in _asked(pattern, options)) or (Tracepoints(""),)
    return *(_asked(options.events, options) or [Tracepoints("")]), Tasks()


def _asked(events: str, options: Options) -> list[Tracepoints]:
    """`A:B,C:*/FILTER/`: a filter of its own, and the one for all."""
    return [Tracepoints(name.strip(), _both(own, options.filter), options.stacks) for name, own in _ONE.findall(events)]


def _both(one: str, other: str) -> str:
    return f"({one}) && ({other})" if one and other else one or other


@tool(wishes=_wishes, options=Options, row=(EventRow, Listed, Described), row_for=_row_for)
def tpoint(feed: Feed, options: Options) -> Iterator[Row]:
    wishes = _asked(options.events, options)
    events = shown_events(feed.schema, lambda system, name: any(one.takes(system, name) for one in wishes) or not wishes)
    if options.listing or options.verbose:
        yield from _listed([feed.schema.formats[ident] for ident in events], options)
        return
    for one in wishes:
        if one.filter and (alone := filtering.kernels_alone(filtering.parse(one.filter))):
            feed.notice(f"{alone} is for the kernel alone: of a recording made without this filter everything is shown")
    tests = {ident: test for ident in events if (test := _test(feed.schema.formats[ident], wishes))}
    passes = (lambda hit: (test := tests.get(hit.event.id)) is None or test(hit)) if tests else None
    yield from event_rows(feed, options, events, fields=options.fields, stacks=options.stacks, passes=passes)


def _test(form: EventFormat, wishes: list[Tracepoints]) -> Callable[[Hit], bool] | None:
    """What the kernel filters live, for recordings that hold more, and for events that others wanted unfiltered."""
    filters = [one.filter for one in wishes if one.takes(form.system, form.name)]
    if not filters or "" in filters:
        return None
    parsed = [filtering.parse(one) for one in filters]
    if any(map(filtering.kernels_alone, parsed)):
        return lambda _hit: True
    return lambda hit: any(one.test(named_in_filters(hit, hit.event.get)) for one in parsed)


def _listed(forms: list[EventFormat], options: Options) -> Iterator[Row]:
    for form in sorted(forms, key=lambda form: (form.system, form.name)):
        name, fields = f"{form.system}:{form.name}", [one.name for one in form.fields]
        if options.verbose:
            yield described(form)
        elif not options.filter or any(fnmatchcase(one, options.filter) for one in fields):
            yield Listed(event=name, fields=fields)
