"""Options that kprobe and uprobe share: what to probe, how hits are shown, and a probe that is only told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ftracepy.probespec import script
from ftracepy.tools.eventrows import Line, Written, names_of_fields
from ftracepy.tools.kit import Filters, Row, argument, flag, option


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
    """What a run would write, as a script or as a table."""
    if options.script:
        return (Line(line=one) for one in script.lines(asked))
    return (Written(file=file, text=text) for file, text in script.writes(asked))
