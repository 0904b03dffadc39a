"""uprobe: show calls of user functions, and other places of programs, with arguments, return values and stacks.

        PID COMM            CPU EVENT                    TEXT
       4711 bash              1 readline                 (0x4c6c20) prompt="$ "
       4242 cron              0 sleep                    (0x7fab1cce24e0) n=0x3c
       4800 python3           1 gc__done                 (0x42873b) arg1=12

DEFINITION is [p|r][:NAME] TARGET:PLACE [ARGUMENT]..., one word on the command line: 'p:libc:sleep %di', 'r:libc:fopen
file=$retval', bash:readline. p is a place that is reached, r the return of a function. TARGET is a program in $PATH, a
library by its short name (libc) as the dynamic loader would find it, or a path; with -p PID what that process has mapped,
in containers as well. PLACE is one of

  readline  mem*  f@VERSION  ns::f   a function's name, or a pattern: each function is an event of its own
  readline+0x1b                      an offset into it
  file.c:42                          a source line, where debug information is there (the extra symbols)
  0xbf130                            an offset in the file, as the kernel has it
  *0xbf130                           an address, as nm and objdump show it
  usdt:PROVIDER:NAME                 a USDT probe; without TARGET in whatever file has it. Its arguments come by themselves

ARGUMENT is in the kernel's words: NAME=%REGISTER, +OFFSET(...), $retval, $stack, :TYPE at the end; $argN is the Nth
argument of a function or USDT probe, 'file=+0($arg1):string' the text it points to, up to 512 bytes; (fault) stands for no
text, "" also for one that cannot be read. FILTER is in the kernel's filter language. -s shows the user's stack, 8 frames at
most: the kernel follows frame pointers, which most libraries are built without, so callers may be missing. Names are those
of the files as they are when they are shown, if they are still the same; else the file and the offset in it.

A probe that is hit costs the program a trap, some microseconds; -F leaves out what is checked before the kernel is asked:
that an instruction starts there, that the function is not a mere resolver (STT_GNU_IFUNC), that texts cannot harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ftracepy.analysis import filtering
from ftracepy.analysis.calls import words_order
from ftracepy.analysis.stacks import Hit
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.userhits import UserHits, text_of
from ftracepy.analysis.walk import OWN_SYSTEM
from ftracepy.probes import Tasks, UserProbe, Wish
from ftracepy.probespec import script
from ftracepy.probespec.probes import Probe
from ftracepy.schema import EventFormat
from ftracepy.symbols import listing
from ftracepy.symbols.userprobes import CALLER, ready, split
from ftracepy.tools.eventrows import (
    Address,
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
from ftracepy.tools.kit import Feed, Row, col, flag, tool
from ftracepy.tools.probeoptions import ProbeOptions, told

_CALLER = re.compile(rf" {CALLER}=\S+")


class Options(ProbeOptions):
    stacks: bool = flag("-s", help="the user stack of each hit")
    listing: bool = flag("-l", "--list", help="list functions (TARGET or TARGET:PATTERN) or USDT probes (TARGET:usdt:*:*)")
    force: bool = flag("-F", help="probe and read as told: leave out checks of instructions, strings and resolvers")


class Listed(Row):
    address: int = col(width=16, show=hex, help="address in the file, as nm shows it")
    offset: int | None = col(width=12, show=hex, help="offset in the file, as the kernel takes it")
    size: int | None = col(width=7, help="bytes of code, where it is told")
    kind: str = col(width=8, help="function, label (of assembler code), resolver (chooses a function), usdt")
    name: str = col(help="what to probe it by, with version or arguments")


def _row_for(options: Options) -> type[Row]:
    if options.is_told:
        return Line if options.script else Written
    return Listed if options.listing else Described if options.verbose else row_with(options.fields)


def _listed(options: Options) -> Iterator[Row] | None:
    if options.is_told:
        return _lines(options)
    if not options.listing:
        return None
    found = listing.listed(options.definition, options.pid)
    return (Listed(address=one.address, offset=one.offset, size=one.size or None, kind=one.kind, name=one.name) for one in found)


def _lines(options: Options) -> Iterator[Row]:
    """What a run would write."""
    found = ready(options.definition, options.filter, pid=options.pid, stacks=options.stacks, force=options.force)
    kind, typed = found.asked.kind, found.asked.text
    probes = [Probe(kind, one.event.name, one.place, one.words, typed, ()) for one in found.probes]
    asked = script.Asked(
        probes, found.filter, user_stacks=options.stacks, pid=options.pid, tid=options.tid, duration_s=options.duration
    )
    return told(options, asked)


def _wishes(options: Options) -> tuple[Wish, ...]:
    return UserProbe(options.definition, options.filter, options.stacks, options.force), Tasks()


@tool(
    wishes=_wishes, options=Options, row=(EventRow, Listed, Described, Written, Line), row_for=_row_for,
    listing=_listed,
)  # fmt: skip
def uprobe(feed: Feed, options: Options) -> Iterator[Row]:
    events = [one for one in feed.schema.formats.values() if one.system.startswith(OWN_SYSTEM)]
    if options.verbose:
        yield from (described(one) for one in events)
        return
    tasks = TaskTable(feed.schema)
    machine = UserHits(feed.schema, [one.id for one in events], tasks, stacks=options.stacks)
    shown = _Shown(feed, machine, options)
    yield from event_rows(
        feed, options, [one.id for one in events], fields=options.fields, name=lambda form: form.name,
        found=machine.walk(feed), values=shown.values, text=shown.text, passes=shown.passes,
    )  # fmt: skip


class _Shown:
    """What is shown of a hit, texts in the place of the words they were captured as; and whether, on a recording of more."""

    def __init__(self, feed: Feed, machine: UserHits, options: Options) -> None:
        self._definition, self._typed = split(options.definition, options.filter)
        self._filter = filtering.parse(self._typed) if self._typed else None
        self._machine = machine
        self._order = words_order(feed.schema)
        self._forms = feed.schema.formats

    def _of(self, hit: Hit) -> dict[str, str]:
        """Fields that hold text, and those of their pointers."""
        probes = self._machine.probes.get(self._forms[hit.event.id].name)
        return dict(probes[0].texts) if probes else {}

    def passes(self, hit: Hit) -> bool:
        """Of a recording of several definitions the one that is asked for, if it is there; the kernel's filter is not doubted."""
        probes = self._machine.probes.get(self._forms[hit.event.id].name, [])
        known = {one.typed for several in self._machine.probes.values() for one in several}
        if self._definition in known and all(one.typed != self._definition for one in probes):
            return False
        if self._filter is None or any(one.filter == self._typed for one in probes):
            return True
        return self._filter.test(named_in_filters(hit, self.values(hit, self._forms[hit.event.id]).get))

    def values(self, hit: Hit, form: EventFormat) -> dict[str, Any]:
        texts = self._of(hit)
        beside = {*texts.values(), CALLER}
        found = {name: value for name, value in field_values(hit, form).items() if name not in beside}
        for name, pointer in texts.items():
            found[name] = text_of(hit.event, name, pointer, self._order)[0]
        return {name: Address(value) if name.startswith("__probe_") else value for name, value in found.items()}

    def text(self, hit: Hit, text: str) -> str:
        text = _CALLER.sub("", text)
        for name, pointer in self._of(hit).items():
            value, whole = text_of(hit.event, name, pointer, self._order)
            shown = "(fault)" if value is None else f'"{value}"' + ("" if whole else "...")
            text = re.sub(rf" {name}=\{{[^}}]*\}} {pointer}=\S+", lambda _match, one=f" {name}={shown}": one, text, count=1)  # type: ignore[misc]
        return text
