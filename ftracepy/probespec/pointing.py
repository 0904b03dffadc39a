"""Faults that point at the place in what the user typed."""

from __future__ import annotations

import re

from ftracepy.errors import UsageFault


def caret(message: str, typed: str, at: int) -> str:
    """The message, and the typed text with a mark under its character `at`, as the kernel's error_log shows them."""
    line_start = typed.rfind("\n", 0, at) + 1
    line = typed[line_start:].partition("\n")[0]
    return f"{message}\n  {line}\n  {' ' * (at - line_start)}^"


def fault(typed: str, at: int, message: str, *, why: str = "", hint: str = "") -> UsageFault:
    """A UsageFault about the character `at` of `typed`."""
    return UsageFault("this probe cannot be made", kernel=caret(message, typed, at), why=why, hint=hint)


def same_token(written: str, typed: str, at: int) -> int:
    """Where the token of `written` that holds character `at` stands in `typed`, which has as many tokens in the same order."""
    tokens = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|\w[\w.]*|&&|\|\||[^\w\s])")
    ours = [match.start(1) for match in tokens.finditer(written)]
    theirs = [match.start(1) for match in tokens.finditer(typed)]
    index = max(sum(start <= at for start in ours) - 1, 0)
    return theirs[index] if index < len(theirs) else len(typed)
