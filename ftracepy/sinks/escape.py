"""Text that others chose (names, paths, arguments, kernel messages), made safe to show on a terminal.

A file name may hold an escape sequence that retitles, repaints or types into the terminal that shows it,
and bidirectional controls make one name look like another. Whatever `str.isprintable` refuses (Unicode
categories C* and Z* but the plain space: C0 and C1 controls, bidi and zero-width controls, lone
surrogates, line separators) is written as a backslash escape.
"""

from __future__ import annotations

from functools import lru_cache

_SHORT = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def escape(text: str) -> str:
    """`text` with every unsafe character as an escape and each backslash doubled, so that it can be read back exactly."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join([char if char.isprintable() and char != "\\" else _escaped(char) for char in text])


def visible(text: str) -> str:
    """`text` with every unsafe character as an escape and backslashes as they are: for messages, which are not read back."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _escaped(char) for char in text])


@lru_cache(maxsize=1024)
def _escaped(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
