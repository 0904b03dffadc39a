"""The per-CPU statistics as texts in a recording: read from it, and written so that losses survive the recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftracepy.source import CpuStats

# Our field: the kernel's word in per_cpu/cpuN/stats (kernel: trace.c, tracing_stats_read).
_WORDS = {
    "entries": "entries",
    "overrun": "overrun",
    "commit overrun": "commit_overrun",
    "dropped events": "dropped",
    "read events": "read",
}


def parse_stats(text: str, cpu: int) -> CpuStats:
    """One per_cpu/cpuN/stats text; a line that is not known is left alone."""
    found = {}
    for line in text.splitlines():
        word, _, number = line.partition(":")
        number = number.strip()
        if word in _WORDS and number.isascii() and number.isdigit() and len(number) <= 20:
            found[_WORDS[word]] = int(number)
    return CpuStats(cpu, **found)


def stats_texts(buffer: str, stats: Sequence[CpuStats], given: Mapping[int, str]) -> Iterator[str]:
    """What the CPUSTAT options of one buffer hold; an instance's begin with its name. Words that were `given` stay."""
    if buffer and stats:
        yield f"\nBuffer: {buffer}\n\n"
    yield from (given.get(one.cpu) or stats_text(one) for one in stats)


def stats_text(stats: CpuStats) -> str:
    """What a CPUSTAT option holds: the CPU, then the kernel's lines."""
    lines = [f"CPU: {stats.cpu}", *(f"{word}: {getattr(stats, name)}" for word, name in _WORDS.items())]
    return "\n".join(lines) + "\n"


class StatsTexts:
    """CPUSTAT options in their order: one of `Buffer: NAME` says whose the following ones are."""

    def __init__(self) -> None:
        self._buffer = ""
        self._stats: dict[str, list[CpuStats]] = {}
        self._texts: dict[str, dict[int, str]] = {}

    def add(self, text: str) -> None:
        for line in text.splitlines():
            word, _, value = line.partition(":")
            if word == "Buffer":
                self._buffer = value.strip()
            elif word == "CPU" and value.strip().isascii() and value.strip().isdigit() and len(value) < 8:
                self._stats.setdefault(self._buffer, []).append(parse_stats(text, int(value)))
                self._texts.setdefault(self._buffer, {})[int(value)] = text

    def texts_of(self, buffer: str) -> dict[int, str]:
        """The same by CPU, in the kernel's words, which say more."""
        return self._texts.get(buffer, {})

    def of(self, buffer: str) -> list[CpuStats]:
        return self._stats.get(buffer, [])
