"""From what a user probe's definition names to places in files, checked before the kernel is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.symbols import boundaries, demangle, lines, providers, targets, usdt, usdtargs
from ftracepy.symbols.definition import Definition
from ftracepy.symbols.elf import ElfFault
from ftracepy.symbols.image import Image
from ftracepy.symbols.symtab import Symbol
from ftracepy.symbols.targets import Target
from ftracepy.symbols.usdtargs import Argument
from ftracepy.values import dataclass, field, replace

_MAX_SPOTS = 1000
_EVENT_CHARS = 50  # the kernel takes 63 (MAX_EVENT_NAME_LEN), and numbers are added to names that are taken
_NAMED_MOST = 8
_PATTERN = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Spot:
    """One place: `label` is its name for people, `entry` says that a function starts there; addresses are those in the file."""

    offset: int
    address: int | None
    label: str
    entry: bool = False
    semaphore: int | None = None
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """The places that share one event's name and arguments, in one file."""

    name: str
    image: Image
    target: Target
    spots: tuple[Spot, ...]


@dataclass(slots=True)
class Search:
    """What a definition means. `notes` are for the user; `force` leaves out what is only advice."""

    asked: Definition
    pid: int | None = None
    force: bool = False
    notes: list[str] = field(default_factory=list)

    def events(self) -> list[Event]:
        """Raises UsageFault where nothing is meant, or what cannot be probed; KernelCannot without the extra it needs."""
        place = self.asked.place
        if place.form == "usdt":
            found = [one for target in self._usdt_targets() for one in self._usdt(target, self.image(target))]
            if not found:
                raise self._no_usdt()
            return _numbered(found)
        target = self.target()
        image = self.image(target)
        find = {"symbol": self._symbols, "offset": self._offset, "address": self._address, "line": self._line}[place.form]
        found = [Event(self.asked.event or name, image, target, tuple(spots)) for name, spots in find(image)]
        for one in found:
            self._check(one)
        return _numbered(found)

    def target(self) -> Target:
        """The file that the definition names."""
        try:
            found = targets.resolve(self.asked.place.target, self.pid)
        except UsageFault as fault:
            raise self.asked.fault(fault.what, self.asked.place.target_at, why=fault.why, hint=fault.hint) from None
        self.notes.extend(found.notes)
        return found

    def image(self, target: Target) -> Image:
        try:
            return Image(target.path, target.root)
        except ElfFault as fault:
            what = f"{target.shown} is no program and no library"
            raise self.asked.fault(what, self.asked.place.target_at, why=str(fault), hint=_script_hint(target)) from None

    # Symbols

    def _symbols(self, image: Image) -> Iterator[tuple[str, list[Spot]]]:
        place = self.asked.place
        found = image.named(place.name) or _by_demangled(image, place.name)
        if not found:
            raise self._no_symbol(image)
        if _PATTERN.search(place.name):
            yield from self._of_pattern(image, found)
            return
        found = self._without_resolvers(image, found)
        by_address = {one.address: one for one in reversed(found)}
        if len(by_address) > 1:
            self.notes.append(f"{len(by_address)} functions are called {place.name}: all of them are probed")
        yield event_name(found[0].name), [self._within(image, one) for _, one in sorted(by_address.items())]

    def _within(self, image: Image, symbol: Symbol) -> Spot:
        number = self.asked.place.number
        if symbol.size and number >= symbol.size and not self.force:
            what = f"{symbol.name} is {symbol.size:#x} bytes long"
            raise self.asked.fault(f"{what}: {number:#x} lies beyond its end", self.asked.place.at)
        label = symbol.name + (f"+{number:#x}" if number else "")
        return Spot(self._offset_of(image, symbol.address + number), symbol.address + number, label, entry=not number)

    def _of_pattern(self, image: Image, found: list[Symbol]) -> Iterator[tuple[str, list[Spot]]]:
        """Each function once, however many names it has; labels only where the pattern names nothing else."""
        resolvers = {one.address for one in image.symbols if one.kind == "resolver"}  # other names of theirs are plain functions
        plain = [one for one in found if one.address not in resolvers]
        functions = [one for one in plain if one.kind == "function"] or plain
        by_address: dict[int, Symbol] = {}
        for one in functions:
            by_address.setdefault(one.address, one)
        if not by_address or len(by_address) > _MAX_SPOTS:
            what = f"'{self.asked.place.name}' names {len(by_address) or 'no'} functions"
            raise self.asked.fault(what, self.asked.place.at, hint=f"a closer pattern: {_MAX_SPOTS} are taken at once")
        left = sorted({one.name for one in found if one.kind == "resolver"})
        if left:
            self.notes.append(f"left out, for they only choose a function (STT_GNU_IFUNC): {_some(left)}")
        for one in by_address.values():
            yield event_name(one.name), [self._within(image, one)]

    def _without_resolvers(self, image: Image, found: list[Symbol]) -> list[Symbol]:
        kept = [one for one in found if one.kind != "resolver"]
        if kept or self.force:
            return kept or found
        name = found[0].name
        others = [one for one in image.symbols if name in one.name and one.kind == "function" and not one.hidden]
        why = "it runs once in each process and chooses the function that calls will reach (STT_GNU_IFUNC)"
        names = _some(sorted({one.name for one in others if one.name.startswith("__")} or {one.name for one in others}))
        hint = f"its functions: {names}" if names else "-F probes the resolver itself"
        raise self.asked.fault(f"{name} is a resolver, not a function", self.asked.place.at, why=why, hint=hint)

    def _no_symbol(self, image: Image) -> UsageFault:
        from difflib import get_close_matches

        name = self.asked.place.name.partition("@")[0]
        versions = [one.full_name for one in image.named(name)]
        near = versions or get_close_matches(name, image.by_name, n=3)
        why = "" if not image.is_stripped else "it is stripped: only names that other files link to are left"
        stem = name.strip("*")[:6]
        hint = f"did you mean {_some(near)}?" if near else f"ftracepy uprobe -l '{self.asked.place.target}:*{stem}*'"
        return self.asked.fault(
            f"{image.path} has no function '{self.asked.place.name}'", self.asked.place.at, why=why, hint=hint
        )

    # Offsets, addresses, lines

    def _offset(self, image: Image) -> Iterator[tuple[str, list[Spot]]]:
        offset = self.asked.place.number
        address = image.address_of(offset)
        label = self._label(image, address) if address is not None else hex(offset)
        spot = Spot(offset, address, label, _is_entry(image, address), self.asked.place.semaphore)
        yield f"{event_name(self.asked.place.target.rpartition('/')[2])}_{offset:#x}", [spot]

    def _address(self, image: Image) -> Iterator[tuple[str, list[Spot]]]:
        address = self.asked.place.number
        spot = Spot(self._offset_of(image, address), address, self._label(image, address), _is_entry(image, address))
        yield f"{event_name(self.asked.place.target.rpartition('/')[2])}_{address:#x}", [spot]

    def _line(self, image: Image) -> Iterator[tuple[str, list[Spot]]]:
        place = self.asked.place
        try:
            found = lines.addresses(image, place.name, place.number)
        except UsageFault as fault:
            raise self.asked.fault(fault.what, place.at, why=fault.why, hint=fault.hint) from None
        spots = [Spot(self._offset_of(image, at), at, self._label(image, at), _is_entry(image, at)) for at in found]
        yield event_name(f"{place.name.rpartition('/')[2]}_{place.number}"), spots

    def _label(self, image: Image, address: int | None) -> str:
        found = image.at(address) if address is not None else None
        if found is None:
            return hex(address or 0)
        return found[0].name + (f"+{found[1]:#x}" if found[1] else "")

    def _offset_of(self, image: Image, address: int) -> int:
        try:
            return image.file_offset(address)
        except ElfFault as fault:
            raise self.asked.fault(str(fault), self.asked.place.at) from None

    # USDT

    def _usdt_targets(self) -> list[Target]:
        place = self.asked.place
        if place.target:
            return [self.target()]
        return [Target(path, path) for path in providers.candidates(place.provider, self.pid)]

    def _usdt(self, target: Target, image: Image) -> Iterator[Event]:
        place = self.asked.place
        by_event: dict[tuple[str, tuple[str, ...]], list[Spot]] = {}
        for one in usdt.probes(image.elf):
            if fnmatchcase(one.provider, place.provider) and fnmatchcase(one.name, place.name):
                spot = _usdt_spot(image, one)
                kinds = tuple(argument.kind if argument.fetch else "" for argument in spot.arguments)
                by_event.setdefault((one.name, kinds), []).append(spot)
        for (name, _kinds), spots in by_event.items():
            yield Event(self.asked.event or event_name(name), image, target, tuple(spots))

    def _no_usdt(self) -> FtracepyError:
        place = self.asked.place
        what = f"there is no USDT probe {place.provider}:{place.name}" + (f" in {place.target}" if place.target else "")
        named = f"PATH:usdt:{place.provider}:{place.name} is found in a program that does not run yet; "
        hint = ("" if place.target else named) + "ftracepy uprobe -l PATH:usdt:'*:*' lists those of a file"
        why = "" if place.target else "looked in the files that running programs have mapped, and in the libraries of the loader"
        return self.asked.fault(what, place.at, why=why, hint=hint)

    # What the kernel does not check

    def _check(self, event: Event) -> None:
        for spot in event.spots:
            if self.asked.kind == "r" and not spot.entry and not self.force:
                why = "elsewhere the return address is not where the kernel looks for it"
                raise self.asked.fault("a return probe belongs at the first instruction", self.asked.place.at, why=why)
            if not event.image.is_code(spot.offset):
                raise self._not_code(event.image, spot)
            if not self.force:
                self._check_instruction(event.image, spot)

    def _not_code(self, image: Image, spot: Spot) -> UsageFault:
        """Of a program that is not moved when it is loaded, addresses are easily taken for offsets."""
        what = f"byte {spot.offset:#x} of {image.path} is not code"
        if any(one.address <= spot.offset < one.address + one.size for one in image.elf.code):
            hint = f"*{spot.offset:#x} is the address; without * it is an offset in the file"
            return self.asked.fault(what, self.asked.place.at, hint=hint)
        return self.asked.fault(what, self.asked.place.at)

    def _check_instruction(self, image: Image, spot: Spot) -> None:
        address = image.address_of(spot.offset)
        verdict = boundaries.check(image, address) if address is not None else boundaries.Verdict(None)
        if verdict.ok is False:
            near = " and ".join(f"{self._label(image, at)} (*{at:#x})" for at in verdict.near)
            why, what = f"{verdict.why}; there are instructions at {near}", f"{spot.label} cannot be probed"
            raise self.asked.fault(what, self.asked.place.at, why=why, hint="-F probes it all the same")
        if verdict.ok is None and not spot.entry:
            self.notes.append(f"{spot.label}: not checked whether an instruction starts there ({verdict.why})")


def _usdt_spot(image: Image, probe: usdt.Probe) -> Spot:
    semaphore = usdt.semaphore_offset(image.elf, probe.semaphore) if probe.semaphore else None
    arguments = usdtargs.parse(probe.arguments, image.elf, lambda name: _data_address(image, name), probe.address)
    return Spot(image.file_offset(probe.address), probe.address, probe.full_name, False, semaphore, tuple(arguments))


def _data_address(image: Image, name: str) -> int | None:
    from ftracepy.symbols import symtab

    return symtab.address_of(image.elf, name)


def _by_demangled(image: Image, name: str) -> list[Symbol]:
    """`ns::f` or `ns::f(int)`, with * and ? as well."""
    if "::" not in name and "*" not in name and "(" not in name:
        return []
    mangled = [one for one in image.symbols if one.name.startswith(("_Z", "_R"))]
    return [one for one in mangled if name in (demangle.demangled(one.name).replace(" ", ""), one.name)
            or fnmatchcase(demangle.plain(one.name), name)]  # fmt: skip


def _is_entry(image: Image, address: int | None) -> bool:
    found = image.at(address) if address is not None else None
    return found is not None and found[1] == 0


def event_name(text: str) -> str:
    """`text` as the kernel takes it for an event's name."""
    name = re.sub(r"\W", "_", demangle.plain(text), flags=re.ASCII)[:_EVENT_CHARS]
    return name if name[:1].isalpha() or name.startswith("_") else f"_{name}"


def _numbered(events: Iterable[Event]) -> list[Event]:
    """Numbers behind the names of events that share one: the kernel wants the arguments of an event's places to be alike."""
    taken: dict[str, list[object]] = {}
    found: list[Event] = []
    for one in events:
        shape = [(bool(argument.fetch), argument.kind) for argument in one.spots[0].arguments] or one
        shapes = taken.setdefault(one.name, [])
        if shape not in shapes:
            shapes.append(shape)
        number = shapes.index(shape)
        found.append(replace(one, name=f"{one.name}_{number + 1}") if number else one)
    return found


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED_MOST
    return ", ".join(names[:_NAMED_MOST]) + (f" and {more} more" if more > 0 else "")


def _script_hint(target: Target) -> str:
    try:
        with open(target.path, "rb") as file:
            first = file.readline(200)
    except OSError:
        return ""
    return f"it is a script; what runs is {first[2:].decode(errors='replace').strip()}" if first.startswith(b"#!") else ""
