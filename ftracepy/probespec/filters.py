"""Filters in the kernel's words: enums' names as numbers, and nothing compared that could not be read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ftracepy.errors import UsageFault
from ftracepy.probespec.pointing import caret
from ftracepy.probespec.probes import LEAST_POINTER, MOST_POINTER

_COMPARISON = re.compile(r"\"[^\"]*\"|'[^']*'|(\w+)(\s*(?:[=!]=|<=?|>=?|&(?!&))\s*)([A-Za-z_]\w*)")


_COMPARED = re.compile(r"\"[^\"]*\"|'[^']*'|([A-Za-z_]\w*)(?:\.\w+)?\s*(?:[=!]=|[<>~]|&(?!&))")
_OF_NUMBERS = re.compile(r"\"[^\"]*\"|'[^']*'|([A-Za-z_]\w*)\s*(?:[=!]=|<=?|>=?|&(?!&))\s*-?\w+")
_EVERYWHERE = re.compile(r"common_\w+$|comm$|COMM$|cpu$|CPUS?$|stacktrace$")


def compared(typed: str) -> list[str]:
    """The fields that the filter compares, without those that every event has (kernel: trace_events_filter.c)."""
    names = (match[1] for match in _COMPARED.finditer(typed) if match[1])
    return list(dict.fromkeys(name for name in names if not _EVERYWHERE.match(name)))


def concerns(typed: str, fields: Collection[str]) -> bool:
    """Whether an event with these fields has all that the filter compares."""
    return all(name in fields for name in compared(typed))


def in_numbers(typed: str, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """The filter with each enum's name as its value; `fields` as probes.Probe has them. Raises UsageFault for no value's name.

    What is read through a pointer that leads nowhere equals nothing: the kernel leaves in the field what lay there, so each
    comparison asks for the pointers, too.
    """

    def number(match: re.Match[str]) -> str:
        names = fields.get(match[1] or "", {}).get("names")
        if not names:
            return match[0]
        values = [value for value, name in names.items() if name == match[3]]
        if not values:
            near = get_close_matches(match[3], names.values(), 4) or list(names.values())[:8]
            message = caret(f"{match[1]} has no value '{match[3]}'", typed, match.start(3))
            raise UsageFault("this filter cannot be meant", kernel=message, hint=", ".join(near))
        return f"{match[1]}{match[2]}{values[0]}"

    def readable(match: re.Match[str]) -> str:
        via = fields.get(match[1] or "", {}).get("via", ())
        asked = "".join(f" && {one} >= {LEAST_POINTER:#x} && {one} <= {MOST_POINTER:#x}" for one in via)
        return f"({match[0]}{asked})" if asked else match[0]

    return _OF_NUMBERS.sub(readable, _COMPARISON.sub(number, typed))
