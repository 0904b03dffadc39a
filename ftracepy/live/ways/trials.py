"""Choosing among ways: each is tried once per boot, and the answer kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.ways import canary
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.tracefs import Tracefs
from ftracepy.values import dataclass, field

# EOPNOTSUPP is called ENOTSUP by Python: the same number on Linux.
_LASTING = ("EINVAL", "ENOENT", "ENOTSUP", "E2BIG", "ENOSYS")
Offer = Callable[[], "Candidate | Iterable[Candidate]"]


@dataclass(slots=True)
class Trials:
    """`refused` tells of each way that was not taken, in order, why."""

    tracefs: Tracefs
    verdicts: Verdicts
    refused: list[FtracepyError] = field(default_factory=list)

    def first(self, *offers: Offer) -> Candidate | None:
        """The first way that proves itself; None where none does."""
        return next((one for offer in offers for one in self._made(offer) if self.works(one)), None)

    def _made(self, offer: Offer) -> Iterator[Candidate]:
        try:
            made = offer()
        except FtracepyError as error:
            self.refused.append(error)
            return
        yield from [made] if isinstance(made, Candidate) else made

    def works(self, candidate: Candidate) -> bool:
        """Whether the way shows what it must, tried now or since boot."""
        key = f"{self.tracefs.root}/{candidate.key}"
        if not self.verdicts.knows(key):
            try:
                canary.prove(self.tracefs, candidate)
            except FtracepyError as error:
                if not _is_lasting(error):
                    self.refused.append(error)
                    return False
                self.verdicts.keep(key, [error.what, error.why or error.kernel])
            else:
                self.verdicts.keep(key, ["", ""])
        what, why = self.verdicts.get(key, lambda: ["", ""])
        if what:
            self.refused.append(FtracepyError(what, why=why))
        return not what


def _is_lasting(error: FtracepyError) -> bool:
    """Whether the same trial would end the same way until the next boot: not so for lack of memory or rights, or a busy file."""
    return isinstance(error, KernelCannot) or any(f"({name})" in error.wrote for name in _LASTING)
