"""Where types come from: the running kernel and its modules, or a file: a bare BTF blob, or an ELF file with a .BTF section."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Literal, cast

from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.symbols import btf, sections
from ftracepy.symbols.btf import Btf, checked
from ftracepy.symbols.elf import EM_AARCH64, EM_X86_64, Elf, ElfFault

FOLDER = Path(btf.VMLINUX).parent
_MACHINES = {EM_X86_64: "x86_64", EM_AARCH64: "aarch64"}
_HINT = "--btf FILE takes that of a vmlinux or .btf file of this very kernel"


class Kernel:
    """The types of one kernel, read when first asked for. `given` is a file to take instead of the running kernel's."""

    def __init__(self, given: str | None = None, folder: Path = FOLDER) -> None:
        self._given, self._folder = given, folder
        self._base: Btf | None = None
        self._modules: dict[str, Btf] = {}

    @property
    def machine(self) -> str:
        """The processor as uname has it: of the ELF file given, else of this machine."""
        return (machine_of(self._given) if self._given else "") or os.uname().machine

    def types(self, module: str = "") -> Btf:
        """The kernel's types, or a module's on top of them. Raises KernelCannot, or UsageFault for a file that holds none."""
        if self._base is None:
            self._base = in_file(self._given) if self._given else self._running()
        if not module or self._given:
            return self._base
        if module not in self._modules:
            self._modules[module] = self._of_module(module, self._base)
        return self._modules[module]

    def modules(self) -> list[str]:
        """The modules that have types, if it is the running kernel."""
        try:
            return [] if self._given else sorted(set(os.listdir(self._folder)) - {"vmlinux"})
        except OSError:
            return []

    def _running(self) -> Btf:
        try:
            return btf.read(self._folder / "vmlinux")
        except KernelCannot as fault:
            fault.hint = f"{fault.hint}; {_HINT}".removeprefix("; ")
            raise

    def _of_module(self, module: str, base: Btf) -> Btf:
        path = self._folder / module
        if not path.exists():
            what, why = f"there are no types of the module '{module}'", f"there is no {path}"
            raise KernelCannot(what, why=why, hint=f"modprobe {module}, or a kernel with CONFIG_DEBUG_INFO_BTF_MODULES=y")
        return btf.read(path, base)


def in_file(path: str) -> Btf:
    """The types in a file. Raises UsageFault where it cannot be read or holds none."""
    return Btf(blob_in_file(path))


def blob_in_file(path: str) -> bytes:
    """The BTF in a file, itself or a section of it. Raises UsageFault where it cannot be read or holds none."""
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF":
                file.seek(0)
                return checked(file.read())
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return checked(_section(cast(bytes, data), path))
    except OSError as fault:
        raise UsageFault(f"cannot read '{path}'", why=fault.strerror or os.fspath(path)) from None
    except KernelCannot as fault:
        raise UsageFault(f"'{path}' holds no types", why=fault.why) from None


def machine_of(path: str) -> str:
    """The processor that an ELF file is for, as uname has it; "" where it is none, or for one not known here."""
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return ""
    order: Literal["little", "big"] = "big" if head[5:6] == b"\2" else "little"
    return _MACHINES.get(int.from_bytes(head[18:20], order), "") if head[:4] == b"\x7fELF" else ""


def _section(data: bytes, path: str) -> bytes:
    try:
        elf = Elf(data)
        found = sections.named(elf, ".BTF")
        if found is not None:
            return sections.content(elf, found)
    except ElfFault as fault:
        raise UsageFault(f"cannot read '{path}'", why=str(fault)) from None
    raise UsageFault(f"'{path}' holds no types", why="it has no section .BTF", hint="pahole -J writes one from DWARF")
