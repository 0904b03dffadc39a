"""What the shell may offer: tools, events, functions and clocks; nothing is mounted or changed to find out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ftracepy.errors import FtracepyError

_MOST = 500


def commands(incomplete: str) -> list[CompletionItem]:
    from ftracepy.cli.group import COMMANDS
    from ftracepy.tools import kit

    known = {**{name: kit.summary(name) for name in kit.names()}, **COMMANDS}
    return [CompletionItem(name, help=text) for name, text in known.items() if name.startswith(incomplete)]


def tools(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from ftracepy.tools import kit

    return _starting(kit.names(), incomplete)


def events(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Systems first (`sched:`), then the events of the one that was typed."""
    names = _lines("available_events")
    if ":" in incomplete:
        return _starting(names, incomplete)
    return _starting(sorted({name.partition(":")[0] + ":" for name in names}), incomplete)


def functions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from ftracepy.cli.functions import hookable, symbols

    root = _root()
    return _starting((name for name, _ in (root and hookable(root)) or symbols()), incomplete)


def clocks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _starting((word.strip("[]") for line in _lines("trace_clock") for word in line.split()), incomplete)


def listed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the kind that `list KIND` was given."""
    kind = ctx.params.get("kind")
    of_kind = {"events": events, "functions": functions, "tools": tools}
    return of_kind[kind](ctx, param, incomplete) if kind in of_kind else []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return list(islice((name for name in names if name.startswith(incomplete)), _MOST))


def _lines(name: str) -> list[str]:
    """A file of tracefs, [] where there is none to read."""
    root = _root()
    try:
        return (root / name).read_text(errors="replace").splitlines() if root else []
    except OSError:
        return []


def _root() -> Path | None:
    from ftracepy import tracefs

    try:
        return tracefs.find(mount=False).root
    except (FtracepyError, OSError):
        return None
