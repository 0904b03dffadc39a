"""The command `ftracepy`: its subcommands are files, and only the one that was called is imported."""

from __future__ import annotations

import importlib

import click

from ftracepy import __version__
from ftracepy.cli.width import HelpContext
from ftracepy.errors import UsageFault
from ftracepy.tools import listed

COMMANDS = {
    "live": "watch the kernel or a recording in a terminal",
    "record": "write events to a trace.dat file, as raw pages",
    "report": "show a recording's events as text, JSON or CSV",
    "convert": "turn recordings into another form: version, compression, a part, several into one",
    "doctor": "what this kernel and user can trace, and by which ways",
    "list": "list events, tools, functions, probes or instances",
    "reset": "remove what dead runs of ftracepy left in the kernel",
    "completion": "print the completion script of a shell",
}
_MODULES = {"list": "listing"}
_DOC = "Trace Linux through tracefs alone: no BPF, no kernel module, no compiler on the target."
EXIT_CODES = (
    "0 done, 1 failed, 2 wrong usage, 3 this kernel cannot, 4 not permitted, 5 events lost under --strict, "
    "128+N ended by signal N (130 Ctrl-C, 141 closed pipe, 143 SIGTERM). Ctrl-C ends live tracing well: 0."
)


class LazyGroup(click.Group):
    """Help and completion need names and one line each, which come without importing any command."""

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*listed.names(), *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"ftracepy.cli.{_MODULES.get(cmd_name, cmd_name)}")
            command: click.Command = module.command
            return command
        if cmd_name in listed.names():
            from ftracepy.cli.toolcommand import tool_command
            from ftracepy.tools.kit import load

            return tool_command(load(cmd_name))
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and name not in self.list_commands(ctx):
            raise _unknown(name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if tools := listed.names():
            with formatter.section("Tools"):
                formatter.write_dl([(name, listed.summary(name)) for name in tools])
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_text(EXIT_CODES)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        from ftracepy.cli import complete

        return [*complete.commands(incomplete), *click.Command.shell_complete(self, ctx, incomplete)]


def _unknown(name: str, known: list[str]) -> UsageFault:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return UsageFault(f"there is no command or tool '{name}'", hint=f"ftracepy {near[0]}" if near else "ftracepy --help")


@click.group(cls=LazyGroup, help=_DOC, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="ftracepy")
def ftracepy() -> None:
    pass
