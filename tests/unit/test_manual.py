"""The manual: as the tools' files say it, whole, and in a form that other programs lay out without a complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("manual", reason="only the checkout has the manual's maker, an installed package has not")

from ftracepy.cli.group import COMMANDS
from ftracepy.tools import kit
from manual import markdown, page, roff
from manual.__main__ import DOCS, stale

MAN_PAGES = sorted((DOCS / "man").glob("*.1"))


def test_the_manual_says_what_the_tools_say_now() -> None:
    assert stale() == [], "scripts/manual makes them anew"


def test_every_tool_and_command_has_a_page() -> None:
    assert {path.stem for path in MAN_PAGES} == {"ftracepy", *(f"ftracepy-{name}" for name in [*kit.names(), *COMMANDS])}


@pytest.mark.parametrize("path", MAN_PAGES, ids=lambda path: path.stem)
def test_groff_lays_each_page_out_without_a_warning(path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-c", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_what_is_typed_comes_out_of_groff_as_it_has_to_be_typed() -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    typed = r"ftracepy hist 'a:b' x --bucket-of 'it''s' `id` ~ ^ \n .dot" + "\n.start -x\n'quote"
    source = roff.page(page.Page("x", "try marks", "ftracepy x", (page.Block(typed, kept=True),)))
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou"], input=source, capture_output=True, text=True, check=True
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    at = lines.index(typed.splitlines()[0])
    assert lines[at : at + 3] == typed.splitlines()


def test_paragraphs_are_filled_and_what_is_indented_is_kept() -> None:
    text = "One\ntwo.\n\n      A  B\n     1  2\n\n    $ x\n\nThree."
    assert list(page.blocks(text)) == [
        page.Block("One two."), page.Block(" A  B\n1  2", kept=True), page.Block("$ x", kept=True), page.Block("Three."),
    ]  # fmt: skip


def test_markdown_takes_no_word_for_a_mark() -> None:
    shown = markdown.page(page.Page("x", "show *p and a_b", "ftracepy x", (page.Block("`a|b` c|d <e> [f]"),)))
    assert r"Show \*p and a\_b." in shown
    assert r"`a\|b` c\|d \<e\> \[f\]" in shown
