"""Writes docs/tools and docs/man anew; with --check only says what is not as it would be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from ftracepy.cli.group import COMMANDS
from ftracepy.tools import kit
from manual import facts, markdown, page, roff

DOCS = facts.ROOT / "docs"


def pages() -> Iterator[page.Page]:
    """Every page, the leading one first."""
    yield page.of_all()
    for name in kit.names():
        made = page.of_tool(name)
        yield replace(made, sections=(*made.sections, *facts.sections(name)))
    for name in COMMANDS:
        yield page.of_command(name)


def texts() -> dict[Path, str]:
    """What each file of the manual is to say."""
    found = {DOCS / "tools/README.md": markdown.index([*COMMANDS])}
    for one in pages():
        found[DOCS / "man" / f"{one.title.replace(' ', '-')}.1"] = roff.page(one)
        if one.name:
            found[DOCS / "tools" / f"{one.name}.md"] = markdown.page(one)
    return found


def stale() -> list[Path]:
    """Files that are missing, say something else, or belong to no page."""
    wanted = texts()
    there = {*(DOCS / "man").glob("*"), *(DOCS / "tools").glob("*")}
    return sorted({path for path, text in wanted.items() if not path.exists() or path.read_text() != text} | (there - {*wanted}))


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 and the names of files that are not up to date.")
def main(check: bool) -> None:
    """Make the manual from the tools' own files."""
    behind = stale()
    for path in behind:
        click.echo(path.relative_to(DOCS.parent))
    if check:
        sys.exit(bool(behind))
    wanted = texts()
    for path in behind:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()


if __name__ == "__main__":
    main()
