"""What BTF knows, as C declares it: functions by pattern, members of a struct."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ftracepy.errors import UsageFault
from ftracepy.symbols.btf import Kind
from ftracepy.symbols.btf_find import Kernel
from ftracepy.symbols.btf_types import Types


def functions(pattern: str, btf: str | None = None) -> Iterator[str]:
    """The prototypes of functions that match, by name."""
    types = Types(Kernel(btf).types())
    for name in sorted({name for name in types.btf.all_names(Kind.FUNC) if fnmatchcase(name, pattern)}):
        yield types.function(name)


def members(name: str, btf: str | None = None) -> Iterator[str]:
    """The members of `struct NAME` or `union NAME`, unnamed ones' included, or the values of `enum NAME`."""
    types = Types(Kernel(btf).types())
    found = types.named(name)
    if found is None:
        near = ", ".join(f"struct {one}" for one in types.near_structs(name.split()[-1]))
        raise UsageFault(f"there is no type '{name}'", hint=near)
    if values := types.enumerators(found):
        yield from (f"{called} = {value}" for value, called in values.items())
    elif types.is_compound(found):
        for called, member in types.members(found):
            width = f" : {member.bits}" if member.bits else ""
            yield f"{types.spell(member.type, called)}{width};  /* {member.bit_offset // 8} */"
