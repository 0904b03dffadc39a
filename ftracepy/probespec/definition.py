"""A probe's definition as typed, taken apart: kind, name, place, and arguments with their places in the text.

    [p|r|f|t[MAXACTIVE][:[GROUP/]EVENT]] PLACE [[NAME=]ARGUMENT[:TYPE]]...

The kernel's own syntax (Documentation/trace/kprobetrace.rst, fprobetrace.rst); `p:` may be left out, as may the name, and
`p:FUNCTION ARGUMENT...` is understood as perf-tools' kprobe has it. Several definitions stand with ; between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ftracepy.probespec.pointing import fault
from ftracepy.values import dataclass

_HEAD = re.compile(r"([prft])(\d*)(?::(?:(?P<group>\w+)/)?(?P<event>[\w.]*))?$")
_PLACE = re.compile(r"(?:(?P<module>\w+):)?(?P<symbol>[A-Za-z_][\w.]*)(?:\+(?P<offset>0[xX][0-9a-fA-F]+|\d+))?(?P<ret>%return)?$")
_ADDRESS = re.compile(r"(?:0[xX])?[0-9a-fA-F]+$")
_NAMED = re.compile(r"([A-Za-z_]\w*)=(?!=)")
_OPEN, _CLOSE = "([{", ")]}"
_NATIVE = re.compile(r"[%+\\-]|\$(?!(?:retval|arg\d+)\s*(?:->|\.|\[|$))|@(?:0[xX]|\d)|@[\w.]+[+-]\d")


@dataclass(frozen=True, slots=True)
class Argument:
    """typed[start:end] is what to fetch, shown as `type` ("": as it comes); `name` "" where none was given."""

    name: str
    start: int
    end: int
    type: str
    at: int

    def text(self, typed: str) -> str:
        return typed[self.start : self.end].strip()


@dataclass(frozen=True, slots=True)
class Definition:
    """One probe. `kind` is the kernel's letter, `event` "" where no name was given; `place_at` is where the place stands."""

    typed: str
    kind: str
    max_active: str
    event: str
    module: str
    symbol: str
    offset: int
    place: str
    place_at: int
    arguments: tuple[Argument, ...]

    @property
    def is_return(self) -> bool:
        return self.kind == "r" or self.place.endswith("%return")


def definitions(typed: str, is_function: Callable[[str], bool] = lambda _name: True) -> list[Definition]:
    """Every definition in `typed`. Raises UsageFault that points at what is wrong.

    `is_function` decides where `p:ONE TWO` may mean an event ONE on the function TWO, or the argument TWO of the function ONE.
    """
    return [_definition(typed, words, is_function) for words in _groups(typed) if words]


def is_native(text: str) -> bool:
    """Whether an argument is in the kernel's own words, which need no types."""
    return _NATIVE.match(text) is not None


def _groups(typed: str) -> Iterator[list[tuple[int, int]]]:
    """Start and end of each word, by definition; what parentheses and quotes hold is one word."""
    words: list[tuple[int, int]] = []
    depth, start, quote = 0, -1, ""
    for at, char in enumerate(typed + ";"):
        inside = depth > 0 or quote
        if (char.isspace() or char == ";") and (not inside or at == len(typed)):
            if start >= 0:
                words.append((start, at))
            start = -1
            if char in ";\n":
                yield words
                words = []
            continue
        start = at if start < 0 else start
        if quote:
            quote = "" if char == quote else quote
        elif char == '"':
            quote = char
        else:
            depth = max(depth + (char in _OPEN) - (char in _CLOSE), 0)


def _definition(typed: str, words: list[tuple[int, int]], is_function: Callable[[str], bool]) -> Definition:
    texts = [typed[start:end] for start, end in words]
    head = _HEAD.match(texts[0])
    if head is None or (not head["event"] and len(texts) == 1 and ":" in texts[0]):
        return _made(typed, "p", "", "", words)
    kind, most, event = head[1], head[2], head["event"] or ""
    if event and _names_function(event, texts[1:], is_function):
        end = words[0][1]
        return _made(typed, kind, most, "", [(end - len(event), end), *words[1:]])
    if len(words) < 2:
        raise fault(typed, words[0][1], "the function to probe is missing here")
    return _made(typed, kind, most, event, words[1:])


def _names_function(event: str, rest: list[str], is_function: Callable[[str], bool]) -> bool:
    """Whether what stands where the kernel has the event's name is the function, as perf-tools had it."""
    if not rest or not (_PLACE.match(rest[0]) or _ADDRESS.match(rest[0])):
        return True
    symbol = _PLACE.match(rest[0])
    return symbol is not None and not symbol["module"] and not is_function(symbol["symbol"]) and is_function(event)


def _made(typed: str, kind: str, most: str, event: str, words: list[tuple[int, int]]) -> Definition:
    (start, end), *rest = words
    place = typed[start:end]
    found = _PLACE.match(place)
    if found is None and not _ADDRESS.match(place):
        raise fault(typed, start, f"'{place}' is no function", hint="FUNCTION, FUNCTION+OFFSET or MODULE:FUNCTION")
    arguments = tuple(_argument(typed, *word) for word in rest)
    if found is None:
        return Definition(typed, kind, most, event, "", "", 0, place, start, arguments)
    offset = int(found["offset"] or "0", 0)
    return Definition(typed, kind, most, event, found["module"] or "", found["symbol"], offset, place, start, arguments)


def _argument(typed: str, start: int, end: int) -> Argument:
    named = _NAMED.match(typed, start, end)
    body = named.end() if named else start
    depth, colon = 0, -1
    for at in range(body, end):
        depth += (typed[at] in _OPEN) - (typed[at] in _CLOSE)
        if typed[at] == ":" and depth == 0:
            colon = at
    stop = end if colon < 0 else colon
    if body == stop:
        raise fault(typed, body, "what to fetch is missing here")
    return Argument(named[1] if named else "", body, stop, typed[stop + 1 : end], start)
