"""A way that might grant a wish: what it needs set up, and how to prove that it tells the truth here."""

from __future__ import annotations

from collections.abc import Callable

from ftracepy.live.plan import Aide, ProbeDef
from ftracepy.probes import Tracepoint, Way
from ftracepy.values import dataclass, field


@dataclass(frozen=True, slots=True)
class Candidate:
    """`proof` makes something happen and returns the text that must then be found in the canary's trace, as fields show it.

    A way with neither probes nor events needs no proof by trace; its aide proves itself when it is built.
    """

    key: str
    way: Way
    kprobes: tuple[ProbeDef, ...] = ()
    uprobes: tuple[ProbeDef, ...] = ()
    events: tuple[Tracepoint, ...] = ()
    aides: tuple[Callable[[], Aide], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    proof: Callable[[], str] | None = field(default=None, compare=False)

    @property
    def probes(self) -> tuple[ProbeDef, ...]:
        return (*self.kprobes, *self.uprobes)
