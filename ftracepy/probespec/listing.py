"""What BTF knows, as C declares it: functions by pattern, members of a struct."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ftracepy.errors import UsageFault
from ftracepy.symbols.btf import Kind
from ftracepy.symbols.btf_find import Kernel
from ftracepy.symbols.btf_types import Types


def functions(pattern: str, btf: str | None = None) -> Iterator[str]:
    """The prototypes of functions that match GLOB or MODULE:GLOB, by name; those of modules say so."""
    kernel = Kernel(btf)
    wanted, _, glob = pattern.rpartition(":")
    for module in ["", *kernel.modules()] if not wanted else [one for one in kernel.modules() if fnmatchcase(one, wanted)]:
        types = Types(kernel.types(module))
        for name in sorted({name for name in types.btf.own_names(Kind.FUNC) if fnmatchcase(name, glob)}):
            yield types.function(name) + (f"  /* {module} */" if module else "")


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
