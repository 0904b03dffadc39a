"""A user probe as people write it: `[p|r][:NAME] TARGET:PLACE [ARGUMENT]...`, taken apart with the column of each part.

The syntax is the kernel's (Documentation/trace/uprobetracer.rst) and perf-tools': `p:bash:readline`, `r:libc:fopen
file=$retval`; `bash:readline` alone means p. PLACE is a symbol, a pattern of symbols, symbol+0xOFFSET, FILE:LINE, 0xOFFSET
in the file, *0xADDRESS as nm and objdump show it, or usdt:PROVIDER:NAME, before which TARGET: may be left out.
"""

from __future__ import annotations

import os
import re
from typing import Literal

from ftracepy.errors import UsageFault
from ftracepy.values import dataclass, replace

Form = Literal["symbol", "offset", "address", "line", "usdt"]
_NUMBER = r"0[xX][0-9a-fA-F]+|\d+"
_OFFSET = re.compile(rf"({_NUMBER})(?:\((0[xX][0-9a-fA-F]+)\))?")
_ADDRESS = re.compile(rf"\*({_NUMBER})")
_LINE = re.compile(r"([^:]*[^:\d][^:]*):(\d+)")
_SYMBOL = re.compile(rf"(.+?)(?:\+({_NUMBER}))?")
_EVENT = re.compile(r"(?:[A-Za-z_]\w*/)?[A-Za-z_]\w*")
_FETCH = re.compile(r"[%$@+\\-]|\w+=")
_USDT = "usdt:"
_HINT = "ftracepy uprobe --help shows the forms"


@dataclass(frozen=True, slots=True)
class Place:
    """Where: in `target` ("" = wherever a USDT provider is found), by `form`.

    `name` is the symbol or pattern, the source file, or the USDT probe; `number` the offset into the symbol, the line, the
    file offset or the address; `semaphore` the file offset of a reference counter, as the kernel's own syntax has it.
    `at` is the column of what follows the target.
    """

    target: str
    form: Form
    name: str = ""
    number: int = 0
    provider: str = ""
    semaphore: int | None = None
    target_at: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """`kind` is p or r, `event` the name asked for or "", `arguments` are (column, word) each."""

    text: str
    kind: Literal["p", "r"]
    event: str
    place: Place
    arguments: tuple[tuple[int, str], ...] = ()

    def fault(self, what: str, at: int, *, why: str = "", hint: str = _HINT) -> UsageFault:
        """A fault of what was typed, with a caret below column `at`."""
        return UsageFault(what, why="\n".join(part for part in (why, pointed(self.text, at)) if part), hint=hint)


def pointed(text: str, at: int) -> str:
    """The text, and a caret below column `at` of it."""
    return f"  {text}\n  {' ' * at}^"


def parse(text: str) -> Definition:
    """Raises UsageFault where `text` can be no definition."""
    text = text.strip()
    words = [(match.start(), match[0]) for match in re.finditer(r"\S+", text)]
    if not words:
        raise UsageFault("which user function?", hint="ftracepy uprobe bash:readline")
    kind, event, (at, place), rest = _split(text, words)
    draft = Definition(text, kind, event, Place("", "symbol"), tuple(rest))
    if event and not _EVENT.fullmatch(event):
        raise draft.fault(f"'{event}' can be no event's name", text.index(event), hint="letters, digits and _")
    if place.endswith("%return"):
        draft, place = replace(draft, kind="r"), place.removesuffix("%return")
    return replace(draft, event=event.rpartition("/")[2], place=_place(draft, at, place))


def _split(text: str, words: list[tuple[int, str]]) -> tuple[Literal["p", "r"], str, tuple[int, str], list[tuple[int, str]]]:
    """Kind, event's name, the word that says where, and the arguments."""
    at, first = words[0]
    letter, colon, tail = first.partition(":")
    if letter not in ("p", "r"):
        return "p", "", words[0], words[1:]
    kind: Literal["p", "r"] = "r" if letter == "r" else "p"
    named = colon and ":" not in tail and len(words) > 1 and not _FETCH.match(words[1][1])
    if named or not colon:
        if len(words) < 2:
            raise UsageFault(f"'{text}' does not say where to probe", hint=_HINT)
        return kind, tail, words[1], words[2:]
    return kind, "", (at + 2, tail), words[1:]


def _place(draft: Definition, at: int, word: str) -> Place:
    if word.startswith(_USDT):
        return _usdt(draft, "", at, at + len(_USDT), word.removeprefix(_USDT))
    target, rest = _target(word)
    inner = at + len(target) + 1
    if not target or not rest:
        raise draft.fault(f"'{word}' does not say where to probe: a program or library, a colon, and a place in it", at)
    if rest.startswith(_USDT):
        return _usdt(draft, target, at, inner + len(_USDT), rest.removeprefix(_USDT))
    if match := _OFFSET.fullmatch(rest):
        semaphore = int(match[2], 16) if match[2] else None
        return Place(target, "offset", number=int(match[1], 0), semaphore=semaphore, target_at=at, at=inner)
    if match := _ADDRESS.fullmatch(rest):
        return Place(target, "address", number=int(match[1], 0), target_at=at, at=inner)
    if match := _LINE.fullmatch(rest):
        return Place(target, "line", match[1], int(match[2]), target_at=at, at=inner)
    match = _SYMBOL.fullmatch(rest)
    assert match
    return Place(target, "symbol", match[1], int(match[2] or "0", 0), target_at=at, at=inner)


def _target(word: str) -> tuple[str, str]:
    """What is before the colon; of a path the longest part that is a file, for names may hold colons."""
    if "/" in word:
        ends = [match.start() for match in re.finditer(":", word)]
        for end in reversed(ends):
            if os.path.exists(word[:end]):
                return word[:end], word[end + 1 :]
    target, _, rest = word.partition(":")
    return target, rest


def _usdt(draft: Definition, target: str, target_at: int, at: int, text: str) -> Place:
    provider, _, name = text.partition(":")
    if not provider or not name or draft.kind == "r":
        what = "a USDT probe has no return" if draft.kind == "r" else f"'{_USDT}{text}' names no probe"
        raise draft.fault(what, at, hint="usdt:PROVIDER:NAME, as in usdt:python:gc__start")
    return Place(target, "usdt", name, provider=provider, target_at=target_at, at=at)
