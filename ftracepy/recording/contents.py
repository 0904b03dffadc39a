"""What a recording holds, whichever version wrote it: texts, instances with their page data, options, notices."""

from __future__ import annotations

from ftracepy.errors import RecordingFault
from ftracepy.recording.codecs import NONE
from ftracepy.recording.cursor import Cursor
from ftracepy.recording.options import Option, OptionId
from ftracepy.recording.procmaps import Area
from ftracepy.recording.stats import StatsTexts
from ftracepy.recording.timeshift import TimeShift, parse_time_shift
from ftracepy.schema import TimeScale
from ftracepy.schematexts import SchemaTexts, chosen_clock, clock_is_ns
from ftracepy.source import CpuStats
from ftracepy.values import dataclass, field

_NS_PER_US = 1000


@dataclass(frozen=True, slots=True)
class CpuData:
    """Where one CPU's pages lie: in the file (compressed chunks where the file is compressed), or in the file `path`.

    There they are plain, but for what a recorder may have compressed already when it was killed (`half_packed`).
    """

    cpu: int
    offset: int
    size: int
    path: str = ""
    half_packed: bool = False


@dataclass(frozen=True, slots=True)
class TextData:
    """Where a latency tracer's text lies; `packed`: as a number of compressed chunks."""

    place: Cursor
    packed: bool = False


@dataclass(slots=True)
class BufferData:
    """One instance's ring buffer, or the text that was saved instead; the top-level one is called "".

    `options` are the words of trace_options and `tracer` that of current_tracer, where the recording has them.
    """

    name: str
    clock: str = ""
    page_bytes: int = 0
    cpus: list[CpuData] = field(default_factory=list)
    stats: list[CpuStats] = field(default_factory=list)
    text: TextData | None = None
    options: tuple[str, ...] = ()
    tracer: str | None = None

    @property
    def is_empty(self) -> bool:
        return not any(cpu.size for cpu in self.cpus)


@dataclass(slots=True)
class Contents:
    """A whole recording, its page data still where it lies; `extra_sections`: where those lie that no event is read with.

    `areas` are what lay in processes' memory, where a folder tells. `remarks` are notices of nothing wrong. `cut_short`: why
    this is only what could be found without the file's end.
    """

    version: int
    texts: SchemaTexts
    page_bytes: int
    compression: str = NONE
    cpu_count: int = 0
    buffers: list[BufferData] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    stats: StatsTexts = field(default_factory=StatsTexts)
    time_shift: TimeShift | None = None
    extra_sections: dict[int, int] = field(default_factory=dict)
    areas: list[Area] = field(default_factory=list)
    cut_short: RecordingFault | None = None

    def buffer(self, name: str) -> BufferData:
        """The buffer called `name`, made where it is not there yet."""
        for one in self.buffers:
            if one.name == name:
                return one
        self.buffers.append(BufferData(name))
        return self.buffers[-1]


def take_common_option(contents: Contents, option: Option) -> None:
    """Note what versions 6 and 7 say alike; an option that is not known is kept and otherwise left alone."""
    contents.options.append(option)
    texts = contents.texts
    if option.id == OptionId.TRACECLOCK and option.text:
        texts.clock = chosen_clock(option.text)
    elif option.id == OptionId.UNAME:
        texts.uname = option.text
    elif option.id == OptionId.CPUSTAT:
        contents.stats.add(option.text)
    elif option.id == OptionId.TIME_SHIFT:
        _take_time_shift(contents, option)


def _take_time_shift(contents: Contents, option: Option) -> None:
    try:
        contents.time_shift = parse_time_shift(option.data)
    except RecordingFault as fault:
        contents.notices.append(f"times are this guest's own, not its host's: how they differ cannot be read: {fault.why}")


def time_scale(found: list[Option], clock: str) -> TimeScale:
    """How stamps become nanoseconds; DATE counts microseconds, OFFSET nanoseconds (as trace-cmd's reader has it).

    TSC2NSEC's own offset is stored by trace-cmd and not applied by its reader; nor is it here, so that both show one time.
    """
    mult, shift, offset_ns, scaled = 1, 0, 0, False
    for option in found:
        if option.id == OptionId.DATE:
            offset_ns += _number(option.text) * _NS_PER_US
        elif option.id == OptionId.OFFSET:
            offset_ns += _number(option.text)
        elif option.id == OptionId.TSC2NSEC and option.data.left >= 16:
            data = option.data.copy()
            mult, shift, scaled = data.u32("multiplier"), data.u32("shift"), True
    shift = min(shift, 63)
    return TimeScale(mult, shift, offset_ns, is_ns=scaled or clock_is_ns(clock))


def _number(text: str) -> int:
    try:
        return max(min(int(text.strip(), 0), 2**63 - 1), -(2**63))
    except ValueError:
        return 0
