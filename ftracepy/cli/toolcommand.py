"""A tool's command line, made from the options it declares and those that every tool has."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import click

from ftracepy.cli.width import HelpContext
from ftracepy.errors import UsageFault
from ftracepy.sinks import FORMATS
from ftracepy.tools.kit import AnyTool, load
from ftracepy.tools.options import Filters, OptionSpec

_COMMON: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--replay",), {"metavar": "FILE", "type": click.Path(), "help": "show a recording instead of the live kernel"}),
    (("--format",), {"type": click.Choice(FORMATS), "default": "table", "help": "table, json (one object a line) or csv"}),
    (("-o", "--output"), {"metavar": "FILE", "type": click.Path(), "help": "write rows to FILE"}),
    (("--strict",), {"is_flag": True, "help": "end with exit code 5 if any event was lost"}),
    (("-F", "--only-command"), {"is_flag": True, "help": "only COMMAND and what it starts"}),
    (("-b", "--buffer-kb"), {"type": click.IntRange(min=1), "metavar": "KB", "help": "ring buffer of each CPU"}),
    (("--tracefs",), {"metavar": "ROOT", "type": click.Path(), "help": "another tracefs root ($FTRACEPY_TRACEFS)"}),
)

# The heading of the options that every tool has.
COMMON = "Options of every tool"


def tool_command(tool: AnyTool) -> ToolCommand:
    """The click command of one tool."""
    specs = tool.options.specs()
    own = [_param(spec) for spec in specs if not spec.common]
    taken = {letter for spec in specs for letter in spec.letters}
    shared = [_param(spec) for spec in specs if spec.common] + [_common(letters, taken, more) for letters, more in _COMMON]
    return ToolCommand(tool, own, shared)


class ToolCommand(click.Command):
    """Shows the docstring as it is written, and takes what follows `--` as a command to run while the tool watches."""

    context_class = HelpContext

    def __init__(self, tool: AnyTool, own: Sequence[click.Parameter], shared: Sequence[click.Parameter]) -> None:
        super().__init__(tool.name, params=[*own, *shared], callback=self._call, short_help=tool.summary)
        self.tool = tool
        self._own = own
        self._shared = shared

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            args, ctx.meta[_COMMAND] = args[:at], tuple(args[at + 1 :])
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as fault:
            if "unexpected extra" not in fault.message:
                raise
            hint = self.tool.options.quoting or f"a command to run stands behind --: ftracepy {self.tool.name} -- COMMAND"
            raise UsageFault(fault.message.rstrip("."), hint=hint) from None

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        for line in self.tool.doc.strip().splitlines():
            formatter.write(f"  {line}".rstrip() + "\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, records in self.sections(ctx):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def sections(self, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
        """Headings of the help, and under each what can be given with its meaning."""
        arguments = [(_shown(spec), spec.help) for spec in self.tool.options.specs() if spec.is_argument]
        shared = [*self._shared, self.get_help_option(ctx)]
        return [("Arguments", arguments), ("Options", _records(self._own, ctx)), (COMMON, _records(shared, ctx))]

    def _call(self, **values: Any) -> int:
        """Build the tool's options and hand over; `values` holds the common ones too."""
        from ftracepy.cli.run import run_tool

        options = self.options_of(values)
        names = {spec.name for spec in self.tool.options.specs()}
        others = {name: value for name, value in values.items() if name not in names}
        return run_tool(self.tool, options, command=click.get_current_context().meta.get(_COMMAND, ()), **others)

    def options_of(self, values: dict[str, Any]) -> Filters:
        """The tool's options among the values of a command line; UsageFault where they contradict each other."""
        names = {spec.name for spec in self.tool.options.specs()}
        options: Filters = self.tool.options(**{name: value for name, value in values.items() if name in names})
        return options


def chosen_tool(text: str) -> tuple[AnyTool, Filters]:
    """The tool and options that "TOOL -x WORD" means, quoted as in a shell. Raises UsageFault and click's usage errors."""
    try:
        name, *arguments = shlex.split(text)
    except ValueError as fault:
        raise UsageFault(f"'{text}' is not a tool with its options", why=str(fault).lower() if text else "") from None
    command = tool_command(load(name))
    return command.tool, command.options_of(command.make_context(name, arguments).params)


def chosen_run(words: Sequence[str]) -> tuple[AnyTool, Filters, dict[str, Any], tuple[str, ...]]:
    """The tool, its options, all values of its command line, and the command behind `--`, of a tool's whole command line."""
    command = tool_command(load(words[0]))
    context = command.make_context(words[0], list(words[1:]))
    return command.tool, command.options_of(context.params), context.params, context.meta.get(_COMMAND, ())


_COMMAND = "ftracepy.command"


class _Value(click.ParamType[Any]):
    """A value by the tool's own parser, which raises UsageFault with its own words."""

    def __init__(self, spec: OptionSpec) -> None:
        self.name = spec.metavar or str(getattr(spec.type, "__name__", "value"))
        self._spec = spec

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._spec.parse(value) if isinstance(value, str) else value


def _param(spec: OptionSpec) -> click.Parameter:
    kind = click.Choice(spec.choices) if spec.choices else _Value(spec)
    if spec.is_argument and spec.many:
        return click.Argument([spec.name], type=kind, nargs=-1, required=False, metavar=f"[{_shown(spec)}]...")
    if spec.is_argument:
        return click.Argument([spec.name], type=kind, default=spec.default, required=False, metavar=f"[{_shown(spec)}]")
    if spec.is_flag:
        return click.Option([*spec.letters, spec.name], is_flag=True, default=spec.default, help=spec.help)
    shown = spec.default is not None and spec.default != ""
    return click.Option(
        [*spec.letters, spec.name], type=kind, default=spec.default, show_default=shown, metavar=spec.metavar, help=spec.help
    )


def _shown(spec: OptionSpec) -> str:
    return (spec.metavar or spec.name).upper()


def _common(letters: tuple[str, ...], taken: set[str], more: dict[str, Any]) -> click.Option:
    """A common option without the letters that the tool has for something else."""
    return click.Option([letter for letter in letters if letter not in taken], **more)


def _records(params: Iterable[click.Parameter | None], ctx: click.Context) -> list[tuple[str, str]]:
    return [record for param in params if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None]
