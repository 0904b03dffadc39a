"""What the tools about block I/O have in common: whose and which requests are wanted, and what histograms tell apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ftracepy.analysis.block import Devices, Request, is_type
from ftracepy.analysis.histogram import Histogram, Scale
from ftracepy.analysis.walk import Machine
from ftracepy.tools.kit import Filters, flag, option

Key = tuple[str, ...]


class Wanted(Filters):
    """A tool declares `device` itself: letters differ."""

    type: str | None = option("-i", "--type", metavar="GLOB", help="only types that match, as in 'R*' or '*S*'")


class Chosen(Wanted):
    by_device: bool = flag("-D", "--by-device", help="a histogram for each disk")
    by_type: bool = flag("-F", "--by-type", help="a histogram for each type")
    by_comm: bool = flag("--by-comm", help="a histogram for each task name")

    @property
    def front(self) -> Key:
        """The columns that tell histograms apart (histograms.FRONT)."""
        asked = (("dev", self.by_device), ("type", self.by_type), ("comm", self.by_comm))
        return tuple(name for name, is_asked in asked if is_asked)


def admits(options: Wanted, device: Callable[[Request], bool], one: Request) -> bool:
    """Whether a request is of the task, type and device asked for."""
    return is_type(one.rwbs, options.type) and device(one) and options.admits(pid=one.pid, tid=one.tid, comm=one.comm)


def chosen_by(options: Chosen, devices: Devices) -> Callable[[Request], Key | None]:
    """Which histogram a request belongs into; None: it is not wanted."""
    device = devices.chooser(getattr(options, "device", None))
    get: dict[str, Callable[[Request], str]] = {
        "dev": lambda one: devices.name(one.dev), "type": lambda one: one.rwbs, "comm": lambda one: one.comm,
    }  # fmt: skip
    values = [get[name] for name in options.front]

    def key(one: Request) -> Key | None:
        return tuple(value(one) for value in values) if admits(options, device, one) else None

    return key


class Histograms(Machine):
    """Takes requests out of `source` into histograms by key; goes behind what puts them there."""

    def __init__(
        self, source: deque[Request], key: Callable[[Request], Key | None], scale: Callable[[], Scale],
        value: Callable[[Request], int],
    ) -> None:  # fmt: skip
        self._source, self._key, self._scale, self._value = source, key, scale, value
        self._found: dict[Key, Histogram] = {}

    def advance(self, now: int) -> None:
        self._count()

    def _count(self) -> None:
        while self._source:
            one = self._source.popleft()
            if (key := self._key(one)) is not None:
                if (histogram := self._found.get(key)) is None:
                    histogram = self._found[key] = Histogram(self._scale())
                histogram.add(self._value(one))

    def take(self, _start_ns: int, end_ns: int) -> tuple[int, dict[Key, Histogram]]:
        """What was counted since the last time, and when that ends."""
        self._count()
        found, self._found = self._found, {}
        return end_ns, found
