"""Options that kprobe and uprobe share: what to probe, how hits are shown, and a probe that is only told of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from ftracepy.analysis import filtering
from ftracepy.errors import UsageFault
from ftracepy.probespec import filters, pointing, script
from ftracepy.tools.eventrows import Line, Written, names_of_fields
from ftracepy.tools.kit import Filters, Row, argument, flag, option

# Documentation/trace/kprobetrace.rst, "Types": what may stand behind a fetched argument's colon.
_TYPE = re.compile(r"(?:[usx](?:8|16|32|64)|b\d+@\d+/(?:8|16|32|64)|char|u?string|symbol|symstr|%p[dD])(?:\[\d+\])?")
_TYPED = re.compile(r":([^:()\s\"]+)$")


class ProbeOptions(Filters):
    quoting: ClassVar[str] = "one word each, so quoted where there are blanks: 'PLACE ARGUMENT...' 'FILTER'"
    definition: str = argument("definition", default="", help="what to probe, and what to fetch there")
    filter: str = argument("filter", default="", help="only hits that this lets through")
    fields: tuple[str, ...] = option(
        "--fields", type=names_of_fields, default=(), metavar="A,B,C", help="these fields as columns instead of the text"
    )
    verbose: bool = flag("-v", help="show the event's format: types, offsets, how its text is made")
    dry_run: bool = flag("--dry-run", help="show what would be written where, and do nothing")
    script: bool = flag("--script", help="write a POSIX sh script that does it where there is no Python")
    heading: bool = flag("-H", help="accepted for habit: the columns always have a heading")

    @property
    def is_told(self) -> bool:
        """Whether nothing is to be probed."""
        return self.dry_run or self.script


def told(options: ProbeOptions, asked: script.Asked) -> Iterator[Row]:
    """What a run would write, as a script or as a table. Raises UsageFault for what any kernel would refuse."""
    _check(asked)
    if options.script:
        return (Line(line=one) for one in script.lines(asked))
    return (Written(file=file, text=text) for file, text in script.writes(asked))


def _check(asked: script.Asked) -> None:
    for probe in asked.probes:
        for word in probe.words:
            if (found := _TYPED.search(word)) and not _TYPE.fullmatch(found[1]):
                raise pointing.fault(probe.typed, max(probe.typed.find(found[0]), 0) + 1, "Unknown type is specified")
    if asked.filter:
        _check_filter(asked)


def _check_filter(asked: script.Asked) -> None:
    filtering.parse(asked.filter)
    names = [probe.names() for probe in asked.probes]
    if any(filters.concerns(asked.filter, some) for some in names):
        return
    known = sorted({name for some in names for name in some})
    missing = next((name for name in filters.compared(asked.filter) if name not in known), "")
    at = re.search(rf"\b{missing}\b", asked.filter) if missing else None
    kernel = pointing.caret("Field not found", asked.filter, at.start() if at else 0)
    raise UsageFault("this filter cannot be meant", kernel=kernel, hint=f"its fields: {', '.join([*known, 'common_pid'])}")
