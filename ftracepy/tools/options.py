"""What a tool can be asked: options declared as a dataclass, enough for a front end to build its command line from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform

from ftracepy.errors import UsageFault
from ftracepy.values import attributes, dataclass, field, replace

Pattern = re.Pattern[str]


def pattern(text: str) -> Pattern:
    """Option type: a regular expression, found anywhere in the text it is tried on."""
    try:
        return re.compile(text)
    except re.error as fault:
        raise UsageFault(f"{text!r} is not a regular expression", why=str(fault)) from None


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option or argument of a command line.

    `letters` are all its spellings ("-x", "--failed"), empty for an argument; `type` turns the user's text into
    the value (int, float, str, `pattern`, bool for a flag); `common` marks those that every tool has. An argument that is
    `many` takes every word there is, as a tuple of values.
    """

    name: str
    letters: tuple[str, ...]
    type: Callable[[str], Any]
    default: Any
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    is_argument: bool = False
    many: bool = False
    common: bool = False

    def parse(self, text: str) -> Any:
        """The value that `text` stands for; UsageFault where it stands for none."""
        try:
            return self.type(text)
        except ValueError:
            kind = "a whole number" if self.type is int else "a number"
            raise UsageFault(f"{self.letters[-1] if self.letters else self.name}: {text!r} is not {kind}") from None


def flag(*letters: str, help: str) -> Any:
    """An option without a value, False unless given; `--attribute-name` is added where `letters` hold no long one."""
    return _declared(letters, bool, False, help, is_flag=True)


def option(
    *letters: str, type: Callable[[str], Any] = str, default: Any = None, help: str,
    metavar: str | None = None, choices: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """An option with a value."""
    return _declared(letters, type, default, help, metavar=metavar, choices=choices)


def argument(
    name: str | None = None, *, type: Callable[[str], Any] = str, default: Any = None, many: bool = False, help: str
) -> Any:
    """A positional argument, which may be left out; `name` is what help calls it. `many`: any number of them, as a tuple."""
    return _declared((), type, () if many else default, help, metavar=name, is_argument=True, many=many)


def _declared(letters: tuple[str, ...], type: Callable[[str], Any], default: Any, help: str, **more: Any) -> Any:
    spec = {"letters": letters, "type": type, "default": default, "help": help, **more}
    return field(default=default, metadata={"option": spec})


@dataclass_transform(kw_only_default=True)
class Options:
    """Base of all options; subclasses become dataclasses. `quoting` is the advice to who gives more arguments than there are."""

    quoting: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True)(cls)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise UsageFault where the options contradict each other."""

    @classmethod
    def specs(cls) -> tuple[OptionSpec, ...]:
        """The tool's own options in order, then the common ones. A letter the tool took is taken from the common option."""
        return _specs(cls)


class Filters(Options):
    """What every tool understands. `pid`, `tid` and `comm` choose whose doings are shown, live and on replay alike."""

    pid: int | None = option("-p", "--pid", type=int, help="only this process: all its threads, new ones too")
    tid: int | None = option("-L", "--tid", type=int, help="only this thread")
    comm: Pattern | None = option("-n", "--comm", type=pattern, metavar="REGEX", help="only tasks whose name matches")
    duration: float | None = option("-d", "--duration", type=float, metavar="SECONDS", help="stop after so many seconds")
    limit: int | None = option("--limit", type=int, metavar="ROWS", help="stop after so many rows")
    timestamps: bool = flag("-t", "--timestamps", help="show when each row happened (seconds, trace clock)")

    def admits(self, *, pid: int, tid: int, comm: str) -> bool:
        """Whether a task of process `pid` passes --pid, --tid and --comm."""
        if self.pid is not None and pid != self.pid:
            return False
        if self.tid is not None and tid != self.tid:
            return False
        return self.comm is None or self.comm.search(comm) is not None


def _specs(options: type[Options]) -> tuple[OptionSpec, ...]:
    common = {one.name for one in attributes(Filters)}
    fields = [one for one in attributes(options) if "option" in one.metadata]
    own = [_spec(one.name, dict(one.metadata["option"]), False) for one in fields if one.name not in common]
    taken = {letter for spec in own for letter in spec.letters}
    shared = [_spec(one.name, dict(one.metadata["option"]), True) for one in fields if one.name in common]
    return (*own, *(_without(spec, taken) for spec in shared))


def _spec(name: str, declared: dict[str, Any], common: bool) -> OptionSpec:
    letters: tuple[str, ...] = declared.pop("letters")
    if not declared.get("is_argument") and not any(letter.startswith("--") for letter in letters):
        letters = (*letters, "--" + name.replace("_", "-"))
    return OptionSpec(name=name, letters=letters, common=common, **declared)


def _without(spec: OptionSpec, taken: set[str]) -> OptionSpec:
    return replace(spec, letters=tuple(letter for letter in spec.letters if letter not in taken))
