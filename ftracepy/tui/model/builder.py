"""The probe builder: choose an event or a function among tens of thousands, say what is wanted of it, and start."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from heapq import nsmallest

from ftracepy.analysis.filtering import parse
from ftracepy.errors import FtracepyError
from ftracepy.pipeline.candidates import Candidate, fields_of
from ftracepy.pipeline.watch import WatchRequest
from ftracepy.sinks.escape import escape, visible
from ftracepy.tools import kit
from ftracepy.tui.model.engine import Engine
from ftracepy.tui.model.later import Later
from ftracepy.tui.model.page import Page, Spare
from ftracepy.tui.model.spans import Line

_MOST = 1000


class Builder(Page):
    """The candidates that a few typed letters mean, the nearest first."""

    title = "probe builder"

    def __init__(self, given: Callable[[], Sequence[Candidate]]) -> None:
        self._later: Later[Sequence[Candidate]] | None = Later(given)
        self._candidates: Sequence[Candidate] = ()
        self._left: Sequence[Candidate] = ()
        self._error: FtracepyError | None = None
        self._typed = ""
        self.found: list[Candidate] = []
        self._changed = True
        self.search("")

    @property
    def end(self) -> int:
        return len(self.found)

    def search(self, typed: str) -> None:
        """Show what holds the typed letters in their order; words apart by blanks may stand in any order.

        What one more letter leaves is among what was left before.
        """
        words = typed.split()
        among = self._left if self._typed and typed.startswith(self._typed) else self._candidates
        self._left = [one for one in among if _holds(one.name, words)] if words else self._candidates
        self._typed = typed
        self.found = (
            nsmallest(_MOST, self._left, key=lambda one: _distance(one.name, words)) if words else list(self._left[:_MOST])
        )
        self._changed = True

    def heading(self, width: int) -> list[Line]:
        if self._error:
            return [[(visible(text), "error")] for text in self._error.lines()]
        if self._later:
            return [[("reading what this kernel has", "head")]]
        matching = f"{len(self._left):,} of " if self._typed else ""
        return [[(f"{matching}{len(self._candidates):,} events and functions; type letters of a name, Enter chooses", "head")]]

    def tick(self, spare: Spare, width: int) -> bool:
        later, typed = self._later, self._typed
        if later and later.done:
            self._later, self._error, self._typed = None, later.error, ""
            self._candidates = self._left = () if later.error else later.value
            self.search(typed)
        self.behind = self._later is not None
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
        self._known: list[str] | None = None
        self._lines: list[Line] = [[(escape(chosen.name), "bold")], [], [("reading what is known of it", "dim")]]
        self._later: Later[list[Line]] | None = Later(self._made)

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
        before = self._later
        self._later = Later(lambda: self._made_after(before))

    def _made_after(self, before: Later[list[Line]] | None) -> list[Line]:
        """What is known of a function is looked for once."""
        if before:
            before.wait()
        return self._made()

    @property
    def end(self) -> int:
        return len(self._lines)

    def tick(self, spare: Spare, width: int) -> bool:
        self.behind = self._later is not None
        if self._later is None or not self._later.done:
            return False
        later, self._later = self._later, None
        self._lines = [[(visible(text), "error")] for text in later.error.lines()] if later.error else later.value
        return True

    def _made(self) -> list[Line]:
        """Types of a whole kernel are read for it, which may take seconds."""
        self._known = _known(self.chosen, self._root) if self._known is None else self._known
        writes = self._writes()
        lines: list[Line] = [[(f"{self.chosen.kind}  ", "dim"), (escape(self.chosen.name), "bold")]]
        lines += [[("  " + text, "")] for text in self._known]
        if self.chosen.kind == "function":
            lines += [[], [("a fetch   ", "key"), (escape(self.fetch) or "nothing but who called", "")], *self._errors("fetch")]
        lines += [[("f filter  ", "key"), (escape(self.filter) or "every hit", "")], *self._errors("filter"), []]
        lines += [[("what goes to the kernel", "head")]]
        lines += [[(f"  {escape(file)}", "dim"), (f"  {escape(text)}", "")] for file, text in writes]
        return [*lines, *self._errors("start")]

    def _errors(self, field: str) -> list[Line]:
        """What is wrong, under the field that it is about: the filter, what is fetched of a function, or the whole."""
        error = self.error
        if error is None:
            return []
        is_filter = "filter" in f"{error.wrote} {error.what}"
        about = "filter" if is_filter else "fetch" if self.chosen.kind == "function" and self.fetch else "start"
        return [[("  " + visible(text), "error")] for text in error.lines()] if about == field else []

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


def _distance(name: str, words: Sequence[str]) -> tuple[int, int, int, str]:
    """How far a name is from what was typed: letters apart, whether a word begins there, then its length."""
    spread = sum(_spread(name, word) for word in words)
    inside = sum(_is_inside(name, word) for word in words)
    return spread, inside, len(name), name


def _spread(name: str, word: str) -> int:
    found = _pattern(word).search(name)
    return 0 if found is None else found.end() - found.start() - len(word) + (0 if word in name else len(word))


def _is_inside(name: str, word: str) -> bool:
    """Whether the letters begin in the middle of one of the name's words."""
    at = name.find(word)
    return at > 0 and name[at - 1] not in ":_"


@lru_cache
def _pattern(word: str) -> re.Pattern[str]:
    """The letters of a word in their order, as near to each other as can be."""
    return re.compile(".*?".join(map(re.escape, word)), re.IGNORECASE)
