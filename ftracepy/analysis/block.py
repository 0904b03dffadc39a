"""Block I/O: what a request or bio is, what its letters mean, and which device it is for."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from ftracepy.analysis.walk import Machine, number
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.system import devices
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event

SECTOR_BYTES = 512
# So many that are made or begun and never end have not been seen to end: the oldest are forgotten.
_KEPT_MOST = 1 << 16
_SIGN, _MASK = 1 << 63, (1 << 64) - 1
_WORDS = {"R": "read", "W": "write", "D": "discard", "E": "secure erase", "F": "flush", "N": "other", "Z": "zone",
          "S": "sync", "M": "metadata", "A": "read ahead", "U": "atomic"}  # fmt: skip


@dataclass(slots=True)
class Request:
    """One request or bio. Stamps are raw: when it was `made`, given to the driver and done; None where that was not seen.

    `sector` and `size_bytes` are as it was issued; `error` is an errno, negative, or 0. The task is the one that made it,
    or, where that was not seen, the one that was running when it was issued. `start` and `end` are what is left of it.
    """

    dev: int
    sector: int
    rwbs: str
    tid: int
    pid: int
    comm: str
    start: int
    end: int
    size_bytes: int = 0
    made: int | None = None
    issued: int | None = None
    done: int = 0
    error: int = 0

    @property
    def queued(self) -> int | None:
        """Time from being made to being issued (raw)."""
        return None if self.made is None or self.issued is None else self.issued - self.made

    def begun(self, *, from_made: bool) -> int:
        """When it was issued, or made where that is asked for and was seen (raw)."""
        issued = self.done if self.issued is None else self.issued
        return self.made if from_made and self.made is not None else issued


@lru_cache(maxsize=256)
def direction(rwbs: str) -> str:
    """The letter that says what a request does: F in front of another asks for a flush before it (blk_fill_rwbs)."""
    return rwbs[1:2] if rwbs[:1] == "F" and rwbs[1:2] in {"R", "W", "D", "F"} else rwbs[:1]


@lru_cache(maxsize=256)
def meaning(rwbs: str) -> tuple[str, ...]:
    """What the letters stand for: F in front is a flush before, F behind that what is written has to last (FUA)."""
    kind = direction(rwbs)
    first = 1 if rwbs[:1] == "F" and rwbs[1:2] == kind else 0
    before = ("flush before",) if first else ()
    rest = tuple("lasting" if one == "F" else _WORDS.get(one, one) for one in rwbs[first + 1 :])
    return (*before, *((_WORDS.get(kind, kind),) if kind else ()), *rest)


class Devices(Machine):
    """The block devices there were at the start, by number. Goes before whatever asks it."""

    def __init__(self) -> None:
        self._known: dict[int, devices.Device] = {}

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.DEVICES:
            self._known |= {one.number: one for one in devices.unpack(fact.body)}

    def name(self, dev: int) -> str:
        """The device's name, MAJOR,MINOR where it came later."""
        return one.name if (one := self._known.get(dev)) else devices.shown(dev)

    def disk(self, dev: int) -> int:
        return one.disk if (one := self._known.get(dev)) else dev

    def chooser(self, asked: str | None) -> Callable[[Request], bool]:
        """Whether a request is to `asked`, a name or MAJOR,MINOR: a whole disk, or those that begin within a partition."""

        def chosen(request: Request) -> bool:
            one = devices.find(asked or "", self._known.values())
            if one is None or one.disk == one.number:
                return self.disk(request.dev) == (devices.number(asked or "") if one is None else one.number)
            return request.dev in {one.number, one.disk} and one.start <= request.sector < one.start + one.sectors

        return chosen if asked is not None else lambda _request: True


class Places:
    """Requests by device and place, of several at one place the oldest first."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], list[Request]] = {}

    def put(self, dev: int, place: int, one: Request) -> None:
        self._at.setdefault((dev, place), []).append(one)
        if len(self._at) > _KEPT_MOST:
            del self._at[next(iter(self._at))]

    def at(self, dev: int, place: int) -> list[Request]:
        return self._at.get((dev, place), [])

    def drop(self, dev: int, place: int, one: Request) -> None:
        here = self._at.get((dev, place), [])
        here[:] = [other for other in here if other is not one]
        if not here:
            self._at.pop((dev, place), None)

    def clear(self) -> None:
        self._at.clear()


def sector_of(event: Event) -> int:
    """Requests without a place say -1 at their end and 0 before."""
    sector = number(event, "sector") & _MASK
    return 0 if sector & _SIGN else sector


def is_type(rwbs: str, glob: str | None) -> bool:
    """Whether the letters match a shell pattern; None lets all pass."""
    return glob is None or fnmatchcase(rwbs, glob)
