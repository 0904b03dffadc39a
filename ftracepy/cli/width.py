"""How wide help is, found without the module that click would import for it (and five that come with that)."""

from __future__ import annotations

import os
import sys

import click

_USUAL, _LEAST, _MARGIN = 80, 50, 2


class HelpContext(click.Context):
    """Lays help out for this terminal, as click does."""

    def make_formatter(self) -> click.HelpFormatter:
        most = self.max_content_width or _USUAL
        return click.HelpFormatter(width=self.terminal_width or max(min(_columns(), most) - _MARGIN, _LEAST))


def _columns() -> int:
    """As shutil.get_terminal_size has it: $COLUMNS, else what the terminal says."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else _USUAL
    except (OSError, ValueError):
        return _USUAL
