"""C expressions that name something to fetch: parameters, members, elements, casts, globals; parsed, not yet resolved.

path->dentry->d_name.name   ((struct inode *)x)->i_ino   v[2].iov_len   *pos   &file->f_pos   $retval   @jiffies
"""

from __future__ import annotations

import re

from ftracepy.probespec.pointing import fault
from ftracepy.values import dataclass

_TOKEN = re.compile(r"\s*(->|[.\[\]()*&]|\$\w+|@\w+|0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*)")
_BASE_WORDS = ("const", "volatile", "struct", "union", "enum", "unsigned", "signed", "long", "short", "int", "char", "bool")
_CAST = re.compile(rf"\s*\(\s*((?:(?:{'|'.join(_BASE_WORDS)})\s+)*\w+)\s*([\s*]*)\)")
_PRIMARY_START = re.compile(r"\s*[(*&$@A-Za-z_]")


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, `$retval`, `$argN`, or `@symbol`; `at` is its place in the typed text, as in every node."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """inner.name, or inner->name if `arrow`."""

    inner: Expr
    name: str
    arrow: bool
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    """inner[number]."""

    inner: Expr
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class Cast:
    """(type)inner."""

    type: str
    inner: Expr
    at: int


@dataclass(frozen=True, slots=True)
class Deref:
    """*inner."""

    inner: Expr
    at: int


@dataclass(frozen=True, slots=True)
class Address:
    """&inner."""

    inner: Expr
    at: int


Expr = Name | Member | Index | Cast | Deref | Address


def parse(typed: str, start: int, end: int) -> Expr:
    """The expression in typed[start:end]. Raises UsageFault that points at what is wrong."""
    parser = _Parser(typed, start, end)
    made = parser.unary()
    parser.finish()
    return made


def last_name(expr: Expr) -> str:
    """What to call the value: the last name in it."""
    match expr:
        case Name():
            return expr.text.lstrip("$@").replace(".", "_")
        case Member():
            return expr.name
        case _:
            return last_name(expr.inner)


def root(expr: Expr) -> Name:
    """The one name that an expression starts from."""
    return expr if isinstance(expr, Name) else root(expr.inner)


class _Parser:
    def __init__(self, typed: str, start: int, end: int) -> None:
        self._typed, self._text, self._at = typed, typed[:end], start

    def finish(self) -> None:
        if rest := self._text[self._at :].strip():
            raise fault(self._typed, self._at + self._text[self._at :].index(rest[0]), f"'{rest}' does not belong here")

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _take(self) -> tuple[str, int]:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            is_end = not self._text[self._at :].strip()
            raise fault(self._typed, self._at, "a name is missing here" if is_end else "this is no part of an expression")
        self._at = match.end()
        return match[1], match.start(1)

    def unary(self) -> Expr:
        token = self._peek()
        if token in ("*", "&"):
            _, at = self._take()
            inner = self.unary()
            return Deref(inner, at) if token == "*" else Address(inner, at)
        if token == "(" and (cast := self._cast()):
            return cast
        return self._postfix()

    def _cast(self) -> Expr | None:
        """`(name)` is a cast where a value follows, or where it can only be a type."""
        match = _CAST.match(self._text, self._at)
        if match is None:
            return None
        is_type = match[1].split()[0] in _BASE_WORDS or "*" in match[2]
        if not (is_type or _PRIMARY_START.match(self._text, match.end())):
            return None
        self._at = match.end()
        return Cast(f"{match[1]} {match[2]}".strip(), self.unary(), match.start(1))

    def _postfix(self) -> Expr:
        inner = self._primary()
        while (token := self._peek()) in ("->", ".", "["):
            self._take()
            word, at = self._take()
            if token == "[":
                if not word[0].isdigit():
                    raise fault(self._typed, at, "an index is a number")
                inner = Index(inner, int(word, 0), at)
                self._expect("]")
            elif not (word[0].isalpha() or word[0] == "_"):
                raise fault(self._typed, at, f"a member's name is missing behind {token}")
            else:
                inner = Member(inner, word, token == "->", at)
        return inner

    def _primary(self) -> Expr:
        token, at = self._take()
        if token == "(":
            inner = self.unary()
            self._expect(")")
            return inner
        if token[0] in "$@" or token[0].isalpha() or token[0] == "_":
            return Name(token, at)
        raise fault(self._typed, at, "a parameter's name is missing here")

    def _expect(self, wanted: str) -> None:
        if self._peek() != wanted:
            rest = self._text[self._at :]
            raise fault(self._typed, self._at + len(rest) - len(rest.lstrip()), f"a {wanted} is missing here")
        self._take()
