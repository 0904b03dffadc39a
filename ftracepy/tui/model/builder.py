"""The probe builder: choose an event or a function among tens of thousands, say what is wanted of it, and start."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ftracepy.analysis.filtering import parse
from ftracepy.errors import FtracepyError
from ftracepy.pipeline.candidates import Candidate, fields_of
from ftracepy.pipeline.watch import WatchRequest
from ftracepy.sinks.escape import escape, visible
from ftracepy.tools import kit
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line

_MOST = 1000


class Builder(Page):
    """The candidates that a few typed letters mean, the nearest first."""

    title = "probe builder"

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        self.found: list[Candidate] = []
        self._changed = True
        self.search("")

    @property
    def end(self) -> int:
        return len(self.found)

    def search(self, typed: str) -> None:
        """Show what holds the typed letters in their order; words apart by blanks may stand in any order."""
        words = typed.split()
        found = list(self._candidates) if not words else [one for one in self._candidates if _holds(one.name, words)]
        found.sort(key=lambda one: _distance(one.name, words))
        self.found = found[:_MOST]
        self._changed = True

    def heading(self, width: int) -> list[Line]:
        return [[(f"{len(self._candidates):,} events and functions; type letters of a name, Enter chooses", "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        changed, self._changed = self._changed, False
        return changed

    def line(self, place: int, width: int) -> Line:
        one = self.found[place]
        return [(f"{one.kind:<9} ", "dim"), (escape(one.name), "event" if one.kind == "event" else "comm")]

    def hints(self) -> str:
        return "/ search  Enter choose"


class Form(Page):
    """What is to be probed and how; `request` is the run that it means. Errors stand where they belong: under it."""

    def __init__(self, chosen: Candidate, tracefs_root: str | None) -> None:
        self.title = f"probe {chosen.name}"
        self.chosen, self._root = chosen, tracefs_root
        self.fetch, self.filter = "", ""
        self.error: FtracepyError | None = None
        self._known = _known(chosen, tracefs_root)
        self._lines: list[Line] = []
        self._changed = True

    @property
    def definition(self) -> str:
        """The function with what is fetched there, as the kprobe tool takes it."""
        return f"{self.chosen.name} {self.fetch}".strip()

    def request(self) -> WatchRequest:
        """The run. Raises UsageFault for a definition or filter that cannot be meant."""
        if self.chosen.kind == "event":
            tool = kit.load("tpoint")
            return WatchRequest((tool, tool.options(events=self.chosen.name, filter=self.filter)), tracefs_root=self._root)
        tool = kit.load("kprobe")
        return WatchRequest((tool, tool.options(definition=self.definition, filter=self.filter)), tracefs_root=self._root)

    def engine(self) -> Engine:
        return Engine(self.request())

    def change(self, *, fetch: str | None = None, filter: str | None = None, error: FtracepyError | None = None) -> None:
        """Take what was typed, or what went wrong. Raises UsageFault for a filter that cannot be read."""
        if filter:
            parse(filter)
        self.fetch = self.fetch if fetch is None else fetch
        self.filter = self.filter if filter is None else filter
        self.error = error
        self._changed = True

    @property
    def end(self) -> int:
        return len(self._lines)

    def tick(self, spare: Spare, width: int) -> bool:
        changed, self._changed = self._changed, False
        if changed:
            self._lines = self._made()
        return changed

    def _made(self) -> list[Line]:
        lines: list[Line] = [[(f"{self.chosen.kind}  ", "dim"), (escape(self.chosen.name), "bold")]]
        lines += [[("  " + text, "")] for text in self._known]
        if self.chosen.kind == "function":
            lines += [[], [("a fetch   ", "key"), (escape(self.fetch) or "nothing but who called", "")]]
        lines += [[("f filter  ", "key"), (escape(self.filter) or "every hit", "")], [], [("what goes to the kernel", "head")]]
        lines += [[(f"  {escape(file)}", "dim"), (f"  {escape(text)}", "")] for file, text in self._writes()]
        if self.error:
            lines += [[], *_errors(self.error)]
        return lines

    def _writes(self) -> list[tuple[str, str]]:
        """The exact text, by file."""
        if self.chosen.kind == "event":
            folder = f"events/{self.chosen.name.replace(':', '/')}"
            return [*([(f"{folder}/filter", self.filter)] if self.filter else []), (f"{folder}/enable", "1")]
        tool = kit.load("kprobe")
        try:
            options = tool.options(definition=self.definition, filter=self.filter, dry_run=True)
            return [(row.file, row.text) for row in tool.listing(options) or ()]
        except FtracepyError as error:
            self.error = error
            return []

    def line(self, place: int, width: int) -> Line:
        return self._lines[place]

    def hints(self) -> str:
        return "Enter starts  f filter" + ("  a what to fetch" if self.chosen.kind == "function" else "")


def _errors(error: FtracepyError) -> list[Line]:
    return [[(visible(text), "error")] for text in error.lines()]


def _known(chosen: Candidate, tracefs_root: str | None) -> list[str]:
    """An event's fields, or a function as C declares it where types are known."""
    try:
        if chosen.kind == "event":
            return [escape(f"{type_} {name}") for name, type_ in fields_of(chosen.name, tracefs_root)]
        tool = kit.load("kprobe")
        return [escape(row.declaration) for row in tool.listing(tool.options(definition=chosen.name, listing=True)) or ()]
    except FtracepyError as error:
        return [visible(line) for line in error.lines()]


def _holds(name: str, words: Sequence[str]) -> bool:
    return all(_pattern(word).search(name) is not None for word in words)


def _distance(name: str, words: Sequence[str]) -> tuple[int, int, str]:
    """How far a name is from what was typed: letters apart, then its length."""
    spread = sum(_spread(name, word) for word in words)
    return spread, len(name), name


def _spread(name: str, word: str) -> int:
    found = _pattern(word).search(name)
    return 0 if found is None else found.end() - found.start() - len(word) + (0 if word in name else len(word))


@lru_cache
def _pattern(word: str) -> re.Pattern[str]:
    """The letters of a word in their order, as near to each other as can be."""
    return re.compile(".*?".join(map(re.escape, word)), re.IGNORECASE)
