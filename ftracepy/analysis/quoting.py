"""Arguments as one line that a shell would read back: plain words bare, everything else quoted, controls escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./^-]+\Z")
_CONTROLS = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}


def quote(word: str) -> str:
    """`word` bare, in single quotes, or as $'…' where it holds what a terminal must not get."""
    if _PLAIN.match(word):
        return word
    if word.isprintable() and "'" not in word:
        return f"'{word}'"
    return "$'" + "".join(_escaped(char) for char in word) + "'"


def join(words: Iterable[str]) -> str:
    """The words of a command line, separated by blanks."""
    return " ".join(map(quote, words))


def _escaped(char: str) -> str:
    if char in _CONTROLS:
        return _CONTROLS[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
