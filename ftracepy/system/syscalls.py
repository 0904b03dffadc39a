"""Names of system calls: by number and ABI, and the names people know for those the kernel's events spell otherwise."""

from __future__ import annotations

from functools import lru_cache

ABIS = ("x86_64", "i386", "arm64")

# The kernel names the events after its functions: SYSCALL_DEFINE2(newstat, …) serves stat(2).
_KNOWN_AS = {
    "newstat": "stat",
    "newfstat": "fstat",
    "newlstat": "lstat",
    "newuname": "uname",
    "sendfile64": "sendfile",
    "umount": "umount2",
}

# uname -m of the recording machine, to the ABI of its native system calls.
_NATIVE = {"x86_64": "x86_64", "amd64": "x86_64", "i386": "i386", "i686": "i386", "aarch64": "arm64", "arm64": "arm64"}

X32_BIT = 0x40000000


def known_as(event_name: str) -> str:
    """What people call the system call of event sys_enter_`event_name`."""
    return _KNOWN_AS.get(event_name, event_name)


def event_names(name: str) -> tuple[str, ...]:
    """What the kernel's events may call the system call `name`."""
    return (name, *(event for event, known in _KNOWN_AS.items() if known == name))


def native_abi(machine: str) -> str | None:
    """The ABI of `uname -m` = `machine`, or None where no table of it is known."""
    return _NATIVE.get(machine)


def name_of(number: int, abi: str | None) -> str:
    """The name of system call `number`; `syscall_NUMBER` where the table has none. Any number is safe to ask for."""
    if abi == "x86_64" and number & X32_BIT and number > 0:
        return f"x32_{_lookup(number & ~X32_BIT, 'x86_64')}"
    return _lookup(number, abi)


def number_of(name: str, abi: str) -> int | None:
    """The number of system call `name`, or None."""
    return next((number for number, one in enumerate(_table(abi)) if one == name), None)


def _lookup(number: int, abi: str | None) -> str:
    names = _table(abi) if abi else ()
    name = names[number] if 0 <= number < len(names) else "-"
    return name if name != "-" else f"syscall_{number}"


@lru_cache(maxsize=4)
def _table(abi: str) -> tuple[str, ...]:
    from ftracepy.system import syscall_tables

    return tuple(getattr(syscall_tables, abi.upper(), "").split())
