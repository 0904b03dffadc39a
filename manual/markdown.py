"""Pages for people who read docs/ in a browser."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from ftracepy.tools import kit
from manual.page import Block, Page, Section

_WIDTH = 125
# Words that Markdown would take for its own; code in backticks is left alone.
_OWN = re.compile(r"`[^`]*`|[\\*_<>\[\]|]")


def page(one: Page) -> str:
    """The whole text of one page."""
    parts = [f"# {one.title}", f"{_plain(one.purpose)[0].upper()}{_plain(one.purpose)[1:]}.", _kept(one.usage)]
    parts += [_block(block) for block in one.text]
    for section in one.sections:
        parts += [f"## {section.title}", *map(_block, section.blocks), *_terms(section)]
    return "\n\n".join(["<!-- Made by scripts/manual; not written by hand. -->", *parts]) + "\n"


def index(commands: Sequence[str]) -> str:
    """The page that leads to the others."""
    tools = "\n".join(f"| [{name}]({name}.md) | {_plain(kit.summary(name))} |" for name in kit.names())
    others = ", ".join(f"[{name}]({name}.md)" for name in commands)
    return (
        "<!-- Made by scripts/manual; not written by hand. -->\n\n# The tools\n\n"
        "Each page is made from the tool's own file, and from what was measured of it; `man ftracepy-TOOL` says the same.\n\n"
        f"| tool | what it shows |\n|---|---|\n{tools}\n\nThe other commands: {others}.\n"
    )


def _block(block: Block) -> str:
    return _kept(block.text) if block.kept else textwrap.fill(_plain(block.text), _WIDTH, break_long_words=False)


def _kept(text: str) -> str:
    return f"```\n{text}\n```"


def _terms(section: Section) -> list[str]:
    if not section.terms:
        return []
    rows = [f"| {_code(term)} | {_plain(meaning)} |" for term, meaning in section.terms]
    return ["\n".join(["| | |", "|---|---|", *rows])]


def _code(term: str) -> str:
    return "`" + term.replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    """Text of which Markdown makes nothing but text."""
    return _OWN.sub(lambda found: found[0].replace("|", "\\|") if found[0][0] == "`" else f"\\{found[0]}", text)
