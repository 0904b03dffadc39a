"""What a page of the manual says, before it is laid out: text, options and columns as the command's own definition has them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from ftracepy.cli.group import COMMANDS, ftracepy
from ftracepy.cli.toolcommand import COMMON, ToolCommand
from ftracepy.tools import kit
from ftracepy.tools.rows import Column


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or lines that stand as they are (`kept`)."""

    text: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading: blocks, then terms with what they mean."""

    title: str
    blocks: tuple[Block, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `name` is the subcommand, "" for ftracepy itself; `purpose` has no full stop."""

    name: str
    purpose: str
    usage: str
    text: tuple[Block, ...]
    sections: tuple[Section, ...] = field(default=())

    @property
    def title(self) -> str:
        """What is typed."""
        return f"ftracepy {self.name}".strip()


def of_tool(name: str) -> Page:
    """The page of a tool; what a kernel or a recording knows of it is added by `facts`."""
    context, command = _command(name)
    assert isinstance(command, ToolCommand)
    found = [Section(title, terms=tuple(records)) for title, records in command.sections(context)]
    columns = Section("Columns", terms=tuple(_columns(command.tool)))
    sections = [*(one for one in found if one.title != COMMON), columns, *(one for one in found if one.title == COMMON)]
    body = inspect.cleandoc(command.tool.doc).partition("\n")[2]
    return Page(name, command.tool.summary, _usage(context, command), tuple(blocks(body)), _filled(sections))


def of_command(name: str) -> Page:
    """The page of a command that is no tool."""
    context, command = _command(name)
    records = [param.get_help_record(context) for param in command.get_params(context)]
    options = tuple(one for one in records if one and one[1])
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    return Page(name, COMMANDS[name], _usage(context, command), tuple(blocks(text)), _filled([Section("Options", terms=options)]))


def of_all() -> Page:
    """The page that leads to the others."""
    context = click.Context(ftracepy, info_name="ftracepy")
    sections = [
        Section("Tools", terms=tuple((name, kit.summary(name)) for name in kit.names())),
        Section("Commands", terms=tuple(COMMANDS.items())),
    ]
    purpose = "trace Linux kernels that have no BPF"
    return Page("", purpose, _usage(context, ftracepy), tuple(blocks(ftracepy.help or "")), _filled(sections))


def blocks(text: str) -> Iterator[Block]:
    """Paragraphs and, where they are indented, lines to keep, each without its indentation."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith(" "):
            yield Block(textwrap.dedent(part), kept=True)
        elif part.strip():
            yield Block(" ".join(part.split()))


def _command(name: str) -> tuple[click.Context, click.Command]:
    parent = click.Context(ftracepy, info_name="ftracepy", help_option_names=["-h", "--help"])
    command = ftracepy.get_command(parent, name)
    assert command is not None, name
    return click.Context(command, info_name=name, parent=parent), command


def _usage(context: click.Context, command: click.Command) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _columns(tool: kit.AnyTool) -> Iterator[tuple[str, str]]:
    """Each column once, by its heading and its JSON key."""
    known: dict[str, Column] = {}
    for row in tool.rows:
        for column in row.columns():
            known.setdefault(column.name, column)
    for one in known.values():
        yield (f"{one.title} ({one.name})" if one.title and one.place != "data" else f"({one.name})"), one.help


def _filled(sections: Sequence[Section]) -> tuple[Section, ...]:
    return tuple(one for one in sections if one.terms or one.blocks)
