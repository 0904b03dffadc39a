"""What an analysis reads from, and where it says what is no row: losses, notices, the header of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Batch
    from ftracepy.analysis.layout import Layout
    from ftracepy.schema import Schema


def _ignore(*_: object) -> None:
    """Where nobody listens."""


@dataclass(slots=True)
class Feed:
    """One run's batches, live or replayed.

    `loss(cpu, count)` is called at the loss's place among the rows (count None: the kernel does not say how many),
    `header` with the JSON object of each HEADER fact, `notice` with text that the user must see. `layout` is there where
    whoever takes the rows takes whole lines, too.
    """

    batches: Iterable[Batch]
    schema: Schema
    notice: Callable[[str], None] = _ignore
    loss: Callable[[int, int | None], None] = _ignore
    header: Callable[[dict[str, Any]], None] = _ignore
    layout: Layout | None = None
