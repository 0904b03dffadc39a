"""docs/perf-tools.md: every option of perf-tools' scripts is in it, and every new one named there exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ftracepy.cli.reset import command as reset
from ftracepy.cli.toolcommand import tool_command
from ftracepy.tools import kit

PAGE = (Path(__file__).parents[2] / "docs/perf-tools.md").read_text()
# As each script's getopts has them, without h, which is help everywhere.
OLD = {
    "bitesize": "b", "cachestat": "Dt", "execsnoop": "adrt", "funccount": "diTt", "funcgraph": "aCdDHLmpPtT",
    "funcslower": "aCdHLpPt", "functrace": "dHLp", "iolatency": "diQT", "iosnoop": "dinpQst", "killsnoop": "dnpst",
    "kprobe": "dFHLpsv", "opensnoop": "dLnptx", "perf-stat-hist": "bfmP", "reset-ftrace": "fq", "syscount": "cdptv",
    "tcpretrans": "ls", "tpoint": "dHlLpsv", "uprobe": "dFHlLpsv",
}  # fmt: skip
_SECTION = re.compile(r"^## (?P<old>[\w-]+): `(?P<new>\w+)`\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_LETTER = re.compile(r"`(-\w|--[\w-]+)\b")
SECTIONS = {match["old"]: (match["new"], match["text"]) for match in _SECTION.finditer(PAGE)}


def command_of(name: str) -> click.Command:
    return reset if name == "reset" else tool_command(kit.load(name))


def rows(text: str) -> list[tuple[str, str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| old")]
    return [(cells[0].strip(), cells[1].strip(), cells[2].strip()) for line in lines if len(cells := line[1:-1].split("|")) == 3]


def test_every_script_has_its_table() -> None:
    assert set(SECTIONS) == set(OLD)


@pytest.mark.parametrize("script", OLD)
def test_every_option_of_the_script_is_there(script: str) -> None:
    named = {letter for old, _new, _note in rows(SECTIONS[script][1]) for letter in re.findall(r"`-(\w)", old)}
    assert named - {"h"} == set(OLD[script])


@pytest.mark.parametrize("script", OLD)
def test_every_new_option_exists(script: str) -> None:
    name, text = SECTIONS[script]
    command = command_of(name)
    known = {letter for one in command.params for letter in one.opts} | {"--help"}
    for old, new, note in rows(text):
        named = set(_LETTER.findall(new + ("" if "record" in note else note)))
        assert named <= known, f"{script}: {old}"


@pytest.mark.parametrize("script", OLD)
def test_a_letter_that_is_the_same_has_the_options_meaning(script: str) -> None:
    """Where the old letter is not the new one, the table says by which it goes."""
    name, text = SECTIONS[script]
    known = {letter for one in command_of(name).params for letter in one.opts}
    for old, new, _note in rows(text):
        for letter in re.findall(r"`(-\w)", old):
            assert f"`{letter}" in new or letter == "-h", f"{script} {letter}"
            assert letter in known or letter == "-h"
