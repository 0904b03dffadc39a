"""A definition made ready for tracefs: its line, from where in the typed text each word comes, and what its fields mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, count
from typing import Any

from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.probespec import abi
from ftracepy.probespec.definition import Argument, Definition, is_native
from ftracepy.probespec.expressions import Name, last_name, parse, root
from ftracepy.probespec.pointing import fault
from ftracepy.probespec.resolve import Fetch, Memory, Registers, Resolver, Value, Word
from ftracepy.symbols.btf import Btf, Kind, Type
from ftracepy.symbols.btf_types import CType, Types
from ftracepy.values import dataclass, field, replace

_BARE_VARIABLE = re.compile(r"\$(?:retval|arg\d+)$|@[\w.]+$")
_NATURAL = frozenset({"", "x", "d", "u"})
_MOST_NAME = 31  # kernel: MAX_ARG_NAME_LEN less its NUL
_MOST_EVENT = 63  # MAX_EVENT_NAME_LEN less its NUL
_TAKEN = frozenset({"common_type", "common_flags", "common_preempt_count", "common_pid", "__probe_ip", "__probe_func"})


ENTRY, STACK_POINTER = "_entry", "sp__"
POINTER = "via__"  # fields called so, or so with _2 and on, hold pointers that other fields were read through
LEAST_POINTER, MOST_POINTER = 1 << 63, (1 << 64) - 4096
_RETURNING = "512"  # calls under way at once that are seen to return; by itself the kernel takes one for each processor
_THROUGH = re.compile(r"[+-]\d+\((.+)\)$")
Modules = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe to write as `KIND:GROUP/EVENT PLACE ARGS...`.

    `starts` tells for the place and each argument where in `typed` it comes from. `fields` says of fields by name what a
    reader needs besides the kernel's own format: `c` the type in C, `names` an enum's values, `signed_bits`, and `via`, those
    of the `pointers` (more arguments) that it was read through: where one of them leads nowhere the kernel leaves in the
    field what lay there (kernel: trace_probe_tmpl.h, store_trace_args). It only tells the arguments to the return probe
    `entry_of` where there is one.
    """

    kind: str
    event: str
    place: str
    args: tuple[str, ...]
    typed: str
    starts: tuple[int, ...]
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    entry_of: str = ""
    pointers: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All that is to be fetched."""
        return self.args + self.pointers

    def names(self) -> list[str]:
        """The fields that its arguments become; the kernel calls those without a name arg1, arg2, ... by their place."""
        return [one.partition("=")[0] if "=" in one else f"arg{number}" for number, one in enumerate(self.args, 1)]

    def line(self, group: str) -> str:
        return " ".join((f"{self.kind}:{group}/{self.event}", self.place, *self.words))


def event_names(definitions: Sequence[Definition]) -> list[str]:
    """The events of these definitions, in order."""
    taken: set[str] = set()
    return [_event(one, taken) for one in definitions]


def made(
    definitions: Sequence[Definition], btf: Callable[[str], Btf], arch: str, modules: Modules = lambda _function: [],
    arguments_at_return: Callable[[], bool] = lambda: True,
) -> list[Probe]:  # fmt: skip
    """The probes of these definitions. `btf(module)` gives types where an argument needs them, `modules` who has a function.
    Where the kernel does not keep `arguments_at_return`, a return probe that wants some is two.

    Raises UsageFault that points into what was typed, KernelCannot where types are needed and there are none.
    """
    found: list[Probe] = []
    for one, event in zip(definitions, event_names(definitions), strict=True):
        making = partial(_Making, btf=btf, arch=arch, modules=modules, names=set(_TAKEN))
        entry = tuple(argument for argument in one.arguments if _is_of_entry(one, argument))
        if not entry or arguments_at_return():
            found.append(making(one).probe(event))
        else:
            found += _pair(one, entry, event, making)
    return found


def _is_of_entry(one: Definition, argument: Argument) -> bool:
    """Whether a kprobe at the return wants what only the entry knows."""
    text = argument.text(one.typed)
    if not one.is_return or one.kind == "f":
        return False
    if text == "*" or is_native(text):
        return text == "*" or "$arg" in text
    return not root(parse(one.typed, argument.start, argument.end)).text.startswith(("$retval", "@"))


def _pair(one: Definition, entry: tuple[Argument, ...], event: str, making: Callable[[Definition], _Making]) -> list[Probe]:
    """A probe at the entry and one at the return, which readers join by thread and stack pointer."""
    rest = tuple(argument for argument in one.arguments if argument not in entry)
    begins = replace(one, kind="p", max_active="", place=one.place.removesuffix("%return"), arguments=entry)
    at_entry = making(begins).probe(f"{event[: _MOST_EVENT - len(ENTRY)]}{ENTRY}")
    at_return = making(replace(one, arguments=rest)).probe(event)
    return [
        replace(probe, args=(*probe.args, f"{STACK_POINTER}=$stack:x64"), starts=(*probe.starts, one.place_at), entry_of=of)
        for probe, of in ((at_entry, event), (at_return, ""))
    ]


def _event(one: Definition, taken: set[str]) -> str:
    """The name given, or the function's; `_2` and so on where that is taken."""
    wanted = re.sub(r"\W", "_", one.event or one.symbol or f"at_{one.place}")[:_MOST_EVENT]
    names = (wanted, *(f"{wanted}_return" for _ in range(one.is_return)))
    name = next((name for name in (*names, *(f"{wanted}_{n}" for n in range(2, 1000))) if name not in taken), wanted)
    taken.add(name)
    return name


class _Making:
    """The making of one probe."""

    def __init__(
        self, definition: Definition, *, btf: Callable[[str], Btf], arch: str, modules: Modules, names: set[str]
    ) -> None:
        self._definition, self._btf, self._arch, self._modules = definition, btf, arch, modules
        self._known: Types | None = None
        self._names = names
        self._pointers: dict[str, str] = {}

    def probe(self, event: str) -> Probe:
        one = self._definition
        args: list[str] = []
        starts, fields = [one.place_at], {}
        for argument in one.arguments:
            for name, fetch in self._fetched(argument):
                args.append(f"{name}={fetch.text}" if name else fetch.text)
                starts.append(argument.at)
                if meaning := _meaning(fetch, [self._pointer(base) for base in _through(fetch)]):
                    fields[name] = meaning
        pointers = tuple(f"{name}={base}:x64" for base, name in self._pointers.items())
        most = one.max_active or (_RETURNING if one.kind == "r" else "")
        return Probe(one.kind + most, event, one.place, tuple(args), one.typed, tuple(starts), fields, "", pointers)

    def _pointer(self, base: str) -> str:
        if base not in self._pointers:
            self._pointers[base] = self._called(POINTER)
        return self._pointers[base]

    @property
    def _types(self) -> Types:
        if self._known is None:
            self._known = Types(self._blob())
        return self._known

    def _blob(self) -> Btf:
        """The kernel's types, or those of the module that has the function."""
        one, kernel = self._definition, self._btf(self._definition.module)
        if one.module or not one.symbol or kernel.find(one.symbol, Kind.FUNC):
            return kernel
        module = next(filter(None, self._modules(one.symbol)), "")
        return self._btf(module) if module else kernel

    def _fetched(self, argument: Argument) -> Iterator[tuple[str, Fetch]]:
        text, type_ = argument.text(self._definition.typed), argument.type
        if text == "*" and not type_:
            yield from self._all(argument)
        elif is_native(text) or (_BARE_VARIABLE.match(text) and type_ not in _NATURAL):
            yield self._called(argument.name), Fetch(f"{text}:{type_}" if type_ else text)
        elif _BARE_VARIABLE.match(text) and not self._has_types():
            yield self._called(argument.name), Fetch(text)
        else:
            expr = parse(self._definition.typed, argument.start, argument.end)
            resolver = Resolver(self._types, self._definition.typed, self._stands_for)
            name = self._called(argument.name or last_name(expr))
            yield name, resolver.fetch(expr, type_, argument.at)

    def _has_types(self) -> bool:
        """The kernel can show its own variables without types, only not as nicely."""
        try:
            return self._prototype() is not None
        except KernelCannot:
            return False

    def _called(self, wanted: str) -> str:
        """A name no other argument has; "" leaves it to the kernel."""
        if not wanted:
            return ""
        wanted = wanted[:_MOST_NAME]
        others = (f"{wanted[: _MOST_NAME - 4]}_{number}" for number in count(2))
        name = next(name for name in chain([wanted], others) if name not in self._names)
        self._names.add(name)
        return name

    def _all(self, argument: Argument) -> Iterator[tuple[str, Fetch]]:
        """Every parameter that is a single number, in order."""
        resolver = Resolver(self._types, self._definition.typed, self._stands_for)
        for param, _ in self._params(argument.at):
            expr = Name(param, argument.at)
            try:
                yield self._called(param), resolver.fetch(expr, "", argument.at)
            except UsageFault:
                continue

    def _prototype(self) -> Type | None:
        """What the function is in C; a tracepoint's is that of the function that calls its probes."""
        one = self._definition
        if one.kind == "t":
            return self._types.prototype(f"__traceiter_{one.symbol}")
        return self._types.prototype(one.symbol) if one.symbol else None

    def _params(self, at: int) -> list[tuple[str, CType]]:
        """Raises UsageFault where parameters cannot be told here."""
        one, typed = self._definition, self._definition.typed
        if one.offset:
            raise fault(typed, at, "only where a function begins do registers hold its parameters", hint="%register, $stackN")
        prototype = self._prototype()
        if prototype is None:
            why = "the compiler has changed its parameters" if "." in one.symbol else ""
            near = ", ".join(self._types.near_functions(one.symbol))
            raise fault(typed, one.place_at, f"there is no prototype of '{one.symbol or one.place}' in BTF", why=why, hint=near)
        params = [(param.name, CType(param.type)) for param in self._types.btf.params(prototype) if param.type]
        return params[1:] if one.kind == "t" else params

    def _stands_for(self, name: Name) -> Value:
        if name.text == "$retval":
            return self._return_value(name)
        if name.text.startswith("@"):
            return self._global(name)
        params = self._params(name.at)
        called = [param for param, _ in params]
        if re.match(r"\$arg\d+$", name.text):
            index = int(name.text[4:]) - 1
            if not 0 <= index < len(params):
                raise fault(self._definition.typed, name.at, f"it has {len(params)} parameters", hint=self._spelled())
            return self._parameter(params, index, name)
        if name.text in called:
            return self._parameter(params, called.index(name.text), name)
        if name.text.startswith("$"):
            raise fault(self._definition.typed, name.at, f"{name.text} has no type and no members")
        raise fault(self._definition.typed, name.at, f"no parameter is called '{name.text}'", hint=self._spelled())

    def _spelled(self) -> str:
        one = self._definition
        return self._types.function(f"__traceiter_{one.symbol}" if one.kind == "t" else one.symbol)

    def _return_value(self, name: Name) -> Value:
        one, prototype = self._definition, self._prototype()
        if not one.is_return:
            raise fault(one.typed, name.at, "only a return probe has a return value", hint=f"r:{one.symbol} ...")
        if prototype is None:
            raise fault(one.typed, name.at, f"there is no prototype of '{one.symbol}' in BTF")
        returned = CType(prototype.target)
        if self._types.bare(returned).kind == Kind.VOID:
            raise fault(self._definition.typed, name.at, "this function returns nothing", hint=self._spelled())
        if self._types.is_compound(returned):
            raise fault(self._definition.typed, name.at, "this function returns a struct, which is in no one register")
        return Word("$retval", returned)

    def _global(self, name: Name) -> Value:
        """A variable that BTF does not tell (most) is taken for an unsigned long, until it is cast."""
        symbol = name.text[1:]
        found = self._types.btf.find(symbol, Kind.VAR)
        if found is None:
            kind = self._types.named("unsigned long")
            return Memory(name.text, 0, kind or CType(0))
        if found.number in self._types.btf.per_cpu():
            raise fault(self._definition.typed, name.at, f"each CPU has its own {symbol}: the kernel cannot fetch this one")
        return Memory(name.text, 0, CType(found.target))

    def _parameter(self, params: list[tuple[str, CType]], index: int, name: Name) -> Value:
        type_ = params[index][1]
        if self._definition.kind in "ft" or self._definition.is_return:
            if self._types.is_compound(type_):
                raise fault(self._definition.typed, name.at, "a struct passed by value can be told at a kprobe only")
            return Word(f"$arg{index + 1}", type_)
        try:
            place = list(abi.places(self._types, [type_ for _, type_ in params], self._arch))[index]
        except KeyError:
            what = f"where parameters are is not known here for {self._arch}: %register and $argN can be told"
            raise fault(self._definition.typed, name.at, what) from None
        if place.base:
            return Memory(place.base, place.offset, type_)
        return Registers(place.registers, type_) if self._types.is_compound(type_) else Word(place.registers[0], type_)


def _meaning(fetch: Fetch, via: Sequence[str]) -> dict[str, Any]:
    meaning: dict[str, Any] = {}
    if fetch.names:
        meaning["names"] = {str(value): name for value, name in fetch.names.items()}
    if fetch.signed_bits:
        meaning["signed_bits"] = fetch.signed_bits
    if via:
        meaning["via"] = list(via)
    return {"c": fetch.c_type, **meaning} if meaning else {}


def _through(fetch: Fetch) -> Iterator[str]:
    """The kernel pointers that a number found by its C type is read through, outermost first; texts say (fault) themselves."""
    place, _, shown = fetch.text.rpartition(":")
    inner = _THROUGH.match(place)
    if fetch.c_type and "string" not in shown and inner and inner[1] != "$stack":
        yield from _through(replace(fetch, text=f"{inner[1]}:x64"))
        yield inner[1]


def is_kernel_pointer(value: int) -> bool:
    """Whether it can lead anywhere: NULL, special small values, user addresses and ERR_PTR do not (include/linux/err.h)."""
    return LEAST_POINTER <= value & (1 << 64) - 1 <= MOST_POINTER
