"""The kernel's event filter language, for what the kernel did not filter: stored events, recordings and rows of tools.

`prev_pid == 5 && (comm ~ "ssh*" || flags & 0x40) && !(ret >= 0)`: comparisons of fields with numbers or quoted text,
joined by && and ||, negated by !, grouped (Documentation/trace/events.rst, "Event filtering"). A text that is accepted
here can be handed to the kernel as it is, if its fields are those of the event.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ftracepy.errors import UsageFault
from ftracepy.values import dataclass

Get = Callable[[str], Any]
Test = Callable[[Get], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:0[xX][0-9a-fA-F]+|\d+)\b)|(?P<name>[A-Za-z_][\w.]*)|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<mark>&&|\|\||==|!=|<=|>=|[<>&~!()]))"""
)
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "&": operator.and_,
}  # fmt: skip
_FOR_TEXT = ("==", "!=", "~")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name sign wanted`; `typed` is how the wanted value was written, a text with its quotes."""

    name: str
    sign: str
    typed: str
    test: Test


@dataclass(frozen=True, slots=True)
class Joined:
    """What `sign` ("&&", "||" or, of a single part, "!") makes of its parts."""

    sign: str
    parts: tuple[Tree, ...]

    @property
    def test(self) -> Test:
        tests = [one.test for one in self.parts]
        if self.sign == "!":
            return lambda get: not tests[0](get)
        if self.sign == "||":
            return lambda get: any(test(get) for test in tests)
        return lambda get: all(test(get) for test in tests)


Tree = Comparison | Joined


@dataclass(frozen=True, slots=True)
class Filter:
    """`test(get)` says whether something passes, `get(name)` being the value of its field (None: it has no such field).

    As in the kernel a comparison with a field that is not there is false. `fields` are all that are named.
    """

    text: str
    fields: frozenset[str]
    tree: Tree
    test: Test


def kernels_alone(filter_: Filter) -> str:
    """A name in the filter of what no record holds: text that a pointer leads to (NAME.ustring), functions, sets of CPUs."""
    return next((name for name in sorted(filter_.fields) if "." in name or name in {"CPUS", "stacktrace"}), "")


def parse(text: str) -> Filter:
    """The filter that `text` means. Raises UsageFault that points at what is wrong."""
    try:
        return _Parser(text).whole()
    except RecursionError:
        raise UsageFault("this filter cannot be read", why="it is nested too deeply") from None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._fields: set[str] = set()
        self._kind, self._token, self._start = "", "", 0
        self._next()

    def whole(self) -> Filter:
        tree = self._either()
        if self._kind:
            raise self._fault("&& or || is missing before this" if self._token != ")" else "this parenthesis was never opened")
        return Filter(self._text, frozenset(self._fields), tree, tree.test)

    def _next(self) -> None:
        self._start = self._at + len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
        if self._start >= len(self._text):
            self._kind, self._token = "", ""
            return
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise self._fault("a text without its closing quote" if self._text[self._start] in "\"'" else "not a word of filters")
        self._kind, self._token, self._at = str(found.lastgroup), found[found.lastgroup or 0], found.end()

    def _either(self) -> Tree:
        parts = [self._all()]
        while self._token == "||":
            self._next()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Joined("||", tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._token == "&&":
            self._next()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined("&&", tuple(parts))

    def _one(self) -> Tree:
        if self._token == "!":
            self._next()
            return Joined("!", (self._one(),))
        if self._token == "(":
            self._next()
            inner = self._either()
            if self._token != ")":
                raise self._fault("a closing parenthesis is missing here")
            self._next()
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        if self._kind != "name":
            raise self._fault("a field's name is missing here")
        name = self._token
        self._fields.add(name)
        self._next()
        sign, where = self._token, self._start
        if sign not in _COMPARE and sign != "~":
            raise self._fault(f"how is {name} to be compared? == != < <= > >= & ~")
        self._next()
        if self._kind not in ("number", "text", "name"):
            raise self._fault('a number or a "text" is missing here')
        kind, token = self._kind, self._token
        if kind == "name":  # the kernel takes a text without quotes too
            kind, token = "text", f'"{token}"'
        if (kind == "text" and sign not in _FOR_TEXT) or (kind == "number" and sign == "~"):
            self._start = where
            raise self._fault("text is compared by == != and ~, numbers by all but ~")
        self._next()
        test = _text_test(name, sign, token[1:-1]) if kind == "text" else _number_test(name, sign, self._number(token))
        return Comparison(name, sign, token, test)

    def _number(self, token: str) -> int:
        """As the kernel reads numbers: 0x is hexadecimal, a leading 0 octal (lib/kstrtox.c)."""
        digits = token.removeprefix("-")
        try:
            return int(token, 8 if digits.isdigit() and digits.startswith("0") else 0)
        except ValueError:
            raise self._fault(f"{token} is no number: a leading 0 means octal") from None

    def _fault(self, why: str) -> UsageFault:
        return UsageFault("this filter cannot be read", why=f"{why}\n  {self._text}\n  {' ' * self._start}^")


def _number_test(name: str, sign: str, wanted: int) -> Test:
    compare = _COMPARE[sign]

    def test(get: Get) -> bool:
        value = get(name)
        return isinstance(value, int | float) and bool(compare(value if sign != "&" else int(value), wanted))

    return test


def _text_test(name: str, sign: str, wanted: str) -> Test:
    def test(get: Get) -> bool:
        value = get(name)
        if not isinstance(value, str):
            return False
        return fnmatchcase(value, wanted) if sign == "~" else (value == wanted) is (sign == "==")

    return test
