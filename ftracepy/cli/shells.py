"""Completion in bash, zsh and fish: click's protocol, with bash's way of splitting words at colons undone."""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
    split_arg_string,
)

_VARIABLE = "_FTRACEPY_COMPLETE"

# bash splits sched:sched_switch into three words and then replaces only the last one, so we are sent the line
# as typed and answer with what follows the last colon.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' reply type value
    reply=$(env FTRACEPY_LINE="${COMP_LINE:0:COMP_POINT}" FTRACEPY_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for completion in $reply; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value"); [[ $value == *: ]] && compopt -o nospace ;;
        esac
    done
    return 0
}

complete -o default -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    source_template = _BASH

    def source(self) -> str:
        """The script, without click's look at the version of the bash that happens to be on PATH."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("FTRACEPY_LINE", "")
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line.endswith((" ", "\t")) else ""
        self._typed = incomplete
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Type and value, the value without what bash takes for earlier words."""
        value = str(item.value)
        typed = self._typed.partition("=")[2] if self._typed.startswith("--") else self._typed
        if ":" in os.environ.get("FTRACEPY_BREAKS", ":"):
            value = value.removeprefix(typed[: typed.rfind(":") + 1])
        return f"{item.type},{value}"


def answer(command: click.Command, instruction: str) -> int:
    """Answer a shell's request for completions (environment variable _FTRACEPY_COMPLETE)."""
    add_completion_class(Bash)
    return shell_complete(command, {}, "ftracepy", _VARIABLE, instruction)


def script(shell: str) -> str:
    """The text for the shell to evaluate."""
    add_completion_class(Bash)
    kind = get_completion_class(shell)
    assert kind is not None
    from ftracepy.cli.group import ftracepy

    return kind(ftracepy, {}, "ftracepy", _VARIABLE).source().strip() + "\n"
