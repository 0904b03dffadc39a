"""completion: print the completion script of a shell."""

from __future__ import annotations

import click

_TRY = {
    "bash": 'eval "$(ftracepy completion bash)"     in ~/.bashrc',
    "zsh": 'eval "$(ftracepy completion zsh)"      in ~/.zshrc, after compinit',
    "fish": "ftracepy completion fish | source      in ~/.config/fish/config.fish",
}


@click.command(
    "completion",
    help="Print what makes SHELL complete tools, options, events and functions.\n\n\b\n" + "\n".join(_TRY.values()),
)
@click.argument("shell", type=click.Choice(list(_TRY)))
def command(shell: str) -> None:
    from ftracepy.cli import shells

    click.echo(shells.script(shell), nl=False)
