"""kprobe: show calls of kernel functions, with arguments by name, members of structs, return values and stacks.

        PID COMM            CPU EVENT                    TEXT
       4711 sh                1 do_exit                  (do_exit+0x4/0xa80) code=0
       4712 sh                1 vfs_open                 (vfs_open+0x4/0x40) n="a"
       4713 sh                0 do_exit                  (do_exit+0x4/0xa80) code=9

    ftracepy kprobe 'vfs_open path->dentry->d_name.name:string'
    ftracepy kprobe 'r:vfs_read ret=$retval' 'ret > 1000' -s
    ftracepy kprobe 'p:tcp tcp_connect ((struct inet_sock *)sk)->inet_sport; p:kill_pid_info_type type sig' 'sig == 9'

DEFINITION is the kernel's own (Documentation/trace/kprobetrace.rst); `p:` and names may be left out, several stand with ;
between. An argument is also a parameter's name, with members (-> and .), elements [2], casts and *; @symbol is a global,
$retval what a function returns, and * alone stands for all parameters that are numbers. Types come from BTF, :TYPE says
another (string, ustring, symbol, x to show hex). FILTER names arguments, and values of enums. All is resolved before the
kernel is asked, so it works on kernels that know no types. What a pointer that leads nowhere (NULL, an error) was to give is
(fault), and no comparison of FILTER is true of it. -l lists functions with their parameters, or the members of 'struct NAME'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ftracepy.analysis import filtering
from ftracepy.analysis.kernelhits import Call, Entries, Facts, is_entry, values_of
from ftracepy.analysis.stacks import Hit, hits
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import OWN_SYSTEM
from ftracepy.errors import UsageFault
from ftracepy.probes import KernelProbe, Tasks, Wish
from ftracepy.probespec import filters, script
from ftracepy.probespec.definition import definitions
from ftracepy.probespec.listing import functions, members
from ftracepy.probespec.probes import STACK_POINTER, event_names
from ftracepy.probespec.ready import ready
from ftracepy.schema import EventFormat, Schema
from ftracepy.text import Formatter
from ftracepy.tools.eventrows import (
    Described,
    EventRow,
    Line,
    Written,
    described,
    event_rows,
    field_values,
    named_in_filters,
    row_with,
)
from ftracepy.tools.kit import Feed, Row, col, flag, option, tool
from ftracepy.tools.probeoptions import ProbeOptions, told

_STACK_POINTER = re.compile(rf" {STACK_POINTER}=0x[0-9a-f]+$")
_PLACES = ("__probe_ip", "__probe_func")


class Options(ProbeOptions):
    stacks: bool = flag("-s", help="the kernel stack of each hit")
    btf: str | None = option("--btf", metavar="FILE", help="take types from this vmlinux or .btf file")
    listing: bool = flag("-l", "--list", help="list functions (GLOB or MODULE:GLOB) as C declares them, or members of a struct")
    force: bool = flag("-F", help="accepted for habit: a function need not be one that the function tracer lists")

    def check(self) -> None:
        if self.is_told and not self.definition:
            raise UsageFault("which kernel function?", hint="ftracepy kprobe --dry-run vfs_read")


class Declared(Row):
    declaration: str = col(help="as C declares it")


def _row_for(options: Options) -> type[Row]:
    if options.is_told:
        return Line if options.script else Written
    if options.listing:
        return Declared
    return Described if options.verbose else row_with(options.fields)


def _wishes(options: Options) -> tuple[Wish, ...]:
    if options.is_told or options.listing:
        return ()
    return KernelProbe(options.definition, options.filter, options.stacks, options.btf), Tasks()


def _listed(options: Options) -> Iterator[Row] | None:
    return _told(options) if options.is_told or options.listing else None


@tool(
    wishes=_wishes, options=Options, row=(EventRow, Described, Written, Line, Declared), row_for=_row_for, listing=_listed
)  # fmt: skip
def kprobe(feed: Feed, options: Options) -> Iterator[Row]:
    events = _events(feed.schema, options.definition)
    if options.verbose:
        yield from (described(feed.schema.formats[ident]) for ident in events)
        return
    facts = Facts()
    entries = Entries(feed.schema, events)
    found = hits(feed, events, TaskTable(feed.schema), stacks=options.stacks, machines=(facts, entries))
    yield from event_rows(
        feed, options, [*events, *entries.of.values()], fields=options.fields, name=lambda form: form.name,
        found=entries.joined(found), passes=_Test(options.filter, facts, len(events) > 1).passes,
        values=partial(_values, facts, feed.schema), text=partial(_text, facts, Formatter(feed.schema)),
    )  # fmt: skip


def _values(facts: Facts, schema: Schema, hit: Hit, form: EventFormat) -> dict[str, Any]:
    values = field_values(hit, form)
    if isinstance(hit, Call) and hit.entry is not None:
        values = field_values(Hit(hit.entry, hit.pid, hit.comm), schema.formats[hit.entry.id]) | values
        del values[_PLACES[0]]
    return facts.meant(form.name, values)


def _text(facts: Facts, texts: Formatter, hit: Hit, text: str) -> str:
    """The arguments of an entry stand behind what is known at the return."""
    text = facts.text(hit.event, text)
    if not isinstance(hit, Call):
        return text
    entry = hit.entry
    told = " (its entry is not known)" if entry is None else facts.text(entry, texts.text(entry)).partition(")")[2]
    return _STACK_POINTER.sub("", text) + _STACK_POINTER.sub("", told)


def _told(options: Options) -> Iterator[Row]:
    """What needs no kernel that is traced."""
    if options.listing:
        wanted = options.definition or "*"
        listed = members(wanted, options.btf) if " " in wanted else functions(wanted, options.btf)
        return (Declared(declaration=one) for one in listed)
    asked = script.Asked(
        ready(options.definition, options.btf), options.filter, options.stacks, options.pid, options.tid, options.duration
    )
    return told(options, asked)


def _events(schema: Schema, definition: str) -> list[int]:
    """Ids of our probe events, of those that the definition names where there is one."""
    names = event_names(definitions(definition)) if definition else []
    own = [one for one in schema.formats.values() if one.system.startswith(OWN_SYSTEM) and any(map(one.field, _PLACES))]
    return [one.id for one in own if (not names or one.name in names) and not is_entry(one)]


class _Test:
    """The filter, for recordings that were not made with it."""

    def __init__(self, typed: str, facts: Facts, several: bool) -> None:
        self._typed, self._facts, self._several = typed, facts, several
        self._tests: dict[int, Callable[[Hit], bool]] = {}

    def passes(self, hit: Hit) -> bool:
        if hit.event.id not in self._tests:
            self._tests[hit.event.id] = self._test(hit)
        return self._tests[hit.event.id](hit)

    def _test(self, hit: Hit) -> Callable[[Hit], bool]:
        """A filter that names what only some of the probes have concerns those."""
        event = hit.event
        if not self._typed or self._facts.probes.get(event.name, {}).get("filter") == self._typed:
            return lambda _hit: True
        if self._several and not filters.concerns(self._typed, values_of(hit)):
            return lambda _hit: True
        parsed = filtering.parse(filters.in_numbers(self._typed, self._facts.fields(event.name)))
        return lambda hit: parsed.test(named_in_filters(hit, values_of(hit).get))
