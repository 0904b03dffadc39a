"""Manual pages, in the man macros that groff and mandoc both know (man(7))."""

from __future__ import annotations

import re

from ftracepy import __version__
from ftracepy.cli.group import COMMANDS, EXIT_CODES
from ftracepy.tools import kit
from manual.page import Block, Page, Section

# Marks that a formatter would turn into others: a hyphen is typed, so it has to stay a minus.
_MARKS = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})
_LETTERS = re.compile(r"[^\x00-\x7f]")


def page(one: Page) -> str:
    """The whole source of one page of section 1."""
    name = one.title.replace(" ", "-")
    lines = [
        '.\\" Made by scripts/manual; not written by hand.',
        f'.TH {name.upper()} 1 "" "ftracepy {__version__}" "ftracepy manual"',
        ".SH NAME", f"{_text(name)} \\- {_text(one.purpose)}",
        ".SH SYNOPSIS", *_kept(one.usage),
        ".SH DESCRIPTION", *_blocks(one.text),
    ]  # fmt: skip
    for section in one.sections:
        lines += [f'.SH "{_text(section.title.upper())}"', *_section(section)]
    lines += ['.SH "EXIT STATUS"', _text(EXIT_CODES), '.SH "SEE ALSO"', _see_also(one.name)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    lines = _blocks(section.blocks)
    for term, meaning in section.terms:
        lines += [".TP", f".B {_text(term)}", _line(meaning)]
    return lines


def _blocks(blocks: tuple[Block, ...]) -> list[str]:
    """An empty paragraph before a heading is an error to mandoc, so the mark comes before each but the first."""
    lines: list[str] = []
    for block in blocks:
        lines += [".PP"] if lines else []
        lines += _kept(block.text) if block.kept else [_line(block.text)]
    return lines


def _kept(text: str) -> list[str]:
    return [".nf", *(_line(line) or "\\&" for line in text.splitlines()), ".fi"]


def _line(text: str) -> str:
    """A line of text that begins with nothing that would be taken for a request."""
    shown = _text(text)
    return f"\\&{shown}" if shown.startswith((".", "\\(aq", " ")) else shown


def _text(text: str) -> str:
    return _LETTERS.sub(lambda found: f"\\[u{ord(found[0]):04X}]", text.translate(_MARKS))


def _see_also(name: str) -> str:
    others = [*kit.names(), *COMMANDS] if not name else ["", "doctor", "record", "live"]
    pages = (f"ftracepy-{other}" if other else "ftracepy" for other in others if other != name or not other)
    return ", ".join(f"{_text(one)}(1)" for one in sorted(pages))
