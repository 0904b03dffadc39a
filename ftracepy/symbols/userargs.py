"""What a user probe fetches: the arguments that were asked for, in words that this kernel takes and that do it no harm.

A user probe's strings are bounded only by PATH_MAX each, and what does not fit into one page with the rest raises a kernel
warning and is lost (6.18), or was written over other memory (before commit 373b9338c972): any user can pass such strings. So
they are read as words, as many as fit, with the pointer beside them, which tells an empty string from none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftracepy.symbols.definition import Definition
from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64, Elf
from ftracepy.symbols.spots import Spot
from ftracepy.symbols.usdtargs import Argument
from ftracepy.values import dataclass, field

_STRING = re.compile(r"(?:(?P<name>\w+)=)?(?P<fetch>.+):(?P<kind>u?string)(?P<array>\[\d+\])?")
_NAMED = re.compile(r"(?:(\w+)=)?(.*)", re.DOTALL)
_MEMORY = re.compile(r"[+-]u?(?:0x[0-9a-fA-F]+|\d+)\((?P<pointer>.+)\)")
_POSITION = re.compile(r"\$arg(\d+)")
_REGISTERS = {EM_X86_64: ("di", "si", "dx", "cx", "r8", "r9"), EM_AARCH64: tuple(f"x{at}" for at in range(8))}
_MAX_WORDS, _ALL_WORDS, _WORD_BYTES = 64, 384, 8  # MAX_ARRAY_LEN; and what leaves a quarter of a page for the rest


@dataclass(slots=True)
class Fetched:
    """`words` go behind the probe's place; `columns` tell the column of what was typed for each.

    `texts` names the fields that hold text as words, and the field of each one's pointer; `names` are the fields as asked for.
    """

    words: list[str] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def fetched(asked: Definition, spot: Spot, elf: Elf, *, keep: Sequence[str] = (), force: bool = False) -> Fetched:
    """The arguments of one place. `keep` are names of strings that a filter needs as strings; `force` keeps all.

    Raises UsageFault for an argument that this place does not have.
    """
    made = Fetched()
    if asked.place.form == "usdt" and not asked.arguments:
        _all_of_usdt(spot, asked, made)
        return made
    strings = sum(bool(_STRING.fullmatch(text)) for _, text in asked.arguments)
    for number, (column, text) in enumerate(asked.arguments, 1):
        name, rest = _NAMED.fullmatch(text).groups()  # type: ignore[union-attr]
        name = name or f"arg{number}"
        one = f"{name}={_resolved(asked, spot, elf, column + len(text) - len(rest), rest)}"
        made.names.append(name)
        _add(made, column, name, one, strings, kept=force or name in keep)
    return made


def _all_of_usdt(spot: Spot, asked: Definition, made: Fetched) -> None:
    for number, argument in enumerate(spot.arguments, 1):
        name = f"arg{number}"
        if argument.fetch:
            made.words.append(f"{name}={argument.fetch}:{argument.kind}")
            made.columns.append(asked.place.at)
            made.names.append(name)
        else:
            made.notes.append(f"{spot.label}: {name} ({argument.operand}) is left out: {argument.why}")


def _resolved(asked: Definition, spot: Spot, elf: Elf, column: int, text: str) -> str:
    """$argN put into words that user probes know."""
    if not (match := _POSITION.search(text)):
        return text
    number = int(match[1])
    at = column + match.start()
    if asked.place.form == "usdt":
        return _of_usdt(asked, spot.arguments, number, at, text)
    registers = _REGISTERS.get(elf.machine, ())
    if asked.kind == "r" or not spot.entry:
        why = "arguments lie in registers only where the function starts"
        raise asked.fault(f"{spot.label} has no $arg{number} to be read", at, why=why, hint="a register, as in %di")
    if not 1 <= number <= len(registers):
        raise asked.fault(f"$arg{number} is not passed in a register", at, hint="+8(%sp), +16(%sp) … are those on the stack")
    return _POSITION.sub(lambda one: f"%{registers[int(one[1]) - 1]}" if int(one[1]) <= len(registers) else one[0], text)


def _of_usdt(asked: Definition, arguments: Sequence[Argument], number: int, at: int, text: str) -> str:
    if not 1 <= number <= len(arguments):
        raise asked.fault(f"the probe has {len(arguments)} arguments", at)
    wanted = arguments[number - 1]
    if not wanted.fetch:
        raise asked.fault(f"$arg{number} ({wanted.operand}) cannot be read", at, why=wanted.why)
    if text == f"$arg{number}":
        return f"{wanted.fetch}:{wanted.kind}"
    return _POSITION.sub(lambda one: arguments[int(one[1]) - 1].fetch if int(one[1]) <= len(arguments) else one[0], text)


def _add(made: Fetched, column: int, name: str, text: str, strings: int, *, kept: bool) -> None:
    match = _STRING.fullmatch(text)
    memory = _MEMORY.fullmatch(match["fetch"]) if match else None
    if match is None or memory is None or match["array"] or kept:
        if match is not None and (memory is not None or match["array"]):
            made.notes.append(
                f"{name} is read as a string of any length: one of some 4000 bytes harms this kernel or loses the hit"
            )
        made.words.append(text)
        made.columns.append(column)
        return
    words = min(_MAX_WORDS, _ALL_WORDS // strings)
    pointer = f"{name}__at"
    fetch = re.sub(r"([+-])u", r"\1", match["fetch"])
    inner = re.sub(r"([+-])u", r"\1", memory["pointer"])
    made.words += [f"{name}={fetch}:x64[{words}]", f"{pointer}={inner}:x64"]
    made.columns += [column, column]
    made.texts[name] = pointer
    made.notes.append(f"{name}: the first {words * _WORD_BYTES} bytes of the text are read")
