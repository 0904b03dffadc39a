"""Options that more than one command has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ftracepy.cli import complete

F = TypeVar("F", bound=Callable[..., Any])


def events_option(verb: str) -> Callable[[F], F]:
    """-e SYSTEM:EVENT[/FILTER/], as often as wanted; `verb` is what is done with the events."""
    return click.option(
        "-e",
        "--event",
        "events",
        multiple=True,
        metavar="SYSTEM:EVENT[/FILTER/]",
        shell_complete=complete.events,
        help=f"{verb} this event (* and ? match; FILTER is the kernel's filter language); may be repeated",
    )
