"""Tokens of a `print fmt`: a small part of C's, with neighbouring strings joined."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.values import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<char>'(?:[^'\\]|\\.[^']*)')
      | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<op>->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:(){}\[\],.=;])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"e": b"\x1b"}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is string, char, number, name, op or end; `value` of a string or char is its bytes, escapes undone."""

    kind: str
    text: str
    value: bytes = b""


def tokens(text: str) -> list[Token]:
    """Split `text`; raises PrintFmtFault at a character C would not take either."""
    return [*_joined(_scan(text)), Token("end", "")]


def _scan(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if not (match := _TOKEN.match(text, at)):
            raise PrintFmtFault(f"unexpected {text[at]!r} at {at}")
        at = match.end()
        kind = match.lastgroup or ""
        if kind in {"string", "char"}:
            yield Token(kind, match[0], unescape(match[0][1:-1].encode("utf-8", "surrogateescape")))
        elif kind != "space":
            yield Token(kind, match[0])


def _joined(scanned: Iterator[Token]) -> Iterator[Token]:
    held: Token | None = None
    for token in scanned:
        if token.kind == "string":
            held = token if held is None else Token("string", held.text + token.text, held.value + token.value)
            continue
        if held is not None:
            yield held
            held = None
        yield token
    if held is not None:
        yield held


def unescape(raw: bytes) -> bytes:
    """Undo C's escapes."""
    return _ESCAPE.sub(_replace, raw) if b"\\" in raw else raw


def _replace(match: re.Match[bytes]) -> bytes:
    octal, hexa, other = match.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexa is not None:
        return bytes([int(hexa, 16)])
    return _SIMPLE.get(other, other)
