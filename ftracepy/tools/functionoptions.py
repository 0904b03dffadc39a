"""Options that the tools for kernel functions share, and how their values are shown."""

from __future__ import annotations

from collections.abc import Sequence

from ftracepy.errors import UsageFault
from ftracepy.tools.kit import Filters, flag, option

_MARKS = ((10**9, "$"), (10**8, "@"), (10**7, "*"), (10**6, "#"), (10**5, "!"), (10**4, "+"))
MANY = "functions: names, globs and MODULE:GLOB"


def patterns(text: str) -> tuple[str, ...]:
    """Option type: patterns with commas between."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def all_patterns(words: Sequence[str]) -> tuple[str, ...]:
    """The patterns of several words, each of which may hold several with commas between."""
    return tuple(one for word in words for one in patterns(word))


class FunctionOptions(Filters):
    exclude: tuple[str, ...] = option(
        "-x", "--exclude", type=patterns, default=(), metavar="GLOB,GLOB", help="leave these functions out"
    )


class TimedOptions(FunctionOptions):
    on_cpu: bool = flag("-C", "--on-cpu", help="the time on the CPU alone: time asleep is left out")
    no_irq: bool = flag("--no-irq", help="leave out what interrupts call")
    args: bool = flag("--args", help="the arguments: machine words, as registers hold them")
    returns: bool = flag("--retval", help="the return values")
    everything: bool = flag("-a", help="accepted for habit: as -HPt")
    heading: bool = flag("-H", help="accepted for habit: the columns always have a heading")
    names: bool = flag("-P", help="accepted for habit: tasks are always shown by name")

    def check(self) -> None:
        if self.everything:
            self.timestamps = True


def positive(value: float | None, what: str, hint: str) -> None:
    """Raise UsageFault for a number that is there and not above 0."""
    if value is not None and value <= 0:
        raise UsageFault(f"{what} of {value:g} cannot be meant", hint=hint)


def took(ns: int) -> str:
    """Microseconds, marked as the kernel marks long ones: + above 10 us, ! 100 us, # 1 ms, * 10 ms, @ 100 ms, $ 1 s."""
    mark = next((letter for least, letter in _MARKS if ns > least), " ")
    return f"{mark}{ns // 1000:>9}.{ns % 1000:03}"


def call_text(function: str, args: Sequence[int] | None, ret: int | None) -> str:
    """`function(0x1, 0x2) = -2`, parts that are not known left out."""
    text = function if args is None else f"{function}({', '.join(hex(one) for one in args)})"
    return text if ret is None else f"{text} = {value(ret)}"


def value(ret: int) -> str:
    """Errors in decimal, small numbers too; what looks like an address in hexadecimal."""
    return str(ret) if -4096 < ret < 65536 else hex(ret & (1 << 64) - 1)
