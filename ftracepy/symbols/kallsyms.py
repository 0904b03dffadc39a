"""Kernel addresses to names from kallsyms text: parsed when first asked, which most runs never do.

Two ways to answer, because two programs are followed. The kernel takes the first of several names for one
address, shows how long the symbol is, and knows no name outside its own text: of the trampolines that it lists for
ftrace and kprobes no lookup tells. trace-cmd's library takes the
nearest lower symbol of the file, and among several for one address the one its binary search meets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

OR_NOTHING = 4
BACKWARDS = 3
BARE = 8
PLACE = 16
_UNSEEN = (b"\t[__builtin__ftrace]", b"\t[__builtin__kprobes]")
_TRAMPOLINES = frozenset({"kretprobe_trampoline", "__kretprobe_trampoline", "arch_rethook_trampoline"})
_TEXT = b"tTwW"
_DATA = (b"d", b"r", b"b")  # a kernel without CONFIG_KALLSYMS_ALL lists none, and names no data
_ENDS = frozenset({b"_etext", b"_einittext", b"_end"})
_PAGE_BYTES = 4096


class Symbol(NamedTuple):
    """What lies at an address; `size` is 0 where the file does not tell, `module` empty for the kernel itself."""

    name: str
    offset: int
    size: int
    module: str


class Kallsyms:
    """One kallsyms text. `exact` answers as the kernel does, otherwise as trace-cmd does."""

    def __init__(self, text: bytes | str, exact: bool = True) -> None:
        self._text: bytes | None = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        self._exact = exact
        self._addresses: list[int] = []
        self._lines: list[bytes] = []
        self._kinds = b""
        self._has_data = False

    def _parse(self) -> None:
        text, self._text = self._text or b"", None
        rows: list[tuple[int, bytes, bytes]] = []
        for line in text.split(b"\n"):
            address, _, rest = line.partition(b" ")
            if len(rest) < 3 or rest[:1] in b"aA" or rest[2:3] == b"$" or (self._exact and rest.rstrip().endswith(_UNSEEN)):
                continue
            try:
                rows.append((int(address, 16), rest[2:], rest[:1]))
            except ValueError:
                continue
        if not self._exact:
            rows.reverse()  # trace-cmd's list grows at its head, and its sort keeps the order of equals
        rows.sort(key=lambda row: row[0])
        self._addresses = [address for address, _, _ in rows]
        self._lines = [line for _, line, _ in rows]
        self._kinds = b"".join(kind for _, _, kind in rows)
        self._has_data = any(kind in self._kinds for kind in _DATA)

    def find(self, address: int) -> Symbol | None:
        """The symbol that `address` lies in, or None."""
        if self._text is not None:
            self._parse()
        index = self._containing(address) if self._exact else self._searched(address)
        if index is None:
            return None
        at = self._addresses[index]
        end = self._end(index)
        name, module = _name(self._lines[index])
        return Symbol(name, address - at, end - at if end else 0, module)

    def _end(self, index: int) -> int:
        """Where the symbol ends: at the next one, at the page's end where it is the last of a module's text, or of the module."""
        after = bisect_right(self._addresses, self._addresses[index])
        following = self._addresses[after] if after < len(self._addresses) else 0
        module = self._lines[index].partition(b"\t[")[2]
        if not self._exact or not module:
            return following
        is_text, then_text = (at < len(self._kinds) and self._kinds[at] in _TEXT for at in (index, after))
        same = following and then_text >= is_text and self._lines[after].partition(b"\t[")[2] == module
        page_end = (self._addresses[index] | _PAGE_BYTES - 1) + 1
        return following if same or (following and following < page_end) else page_end

    def _containing(self, address: int) -> int | None:
        """First of the names at the nearest lower address; the last symbol of the kernel itself marks its end, unless
        it is a function: then the list was cut.

        A module's text ends at a page's end, which its last function hardly ever crosses.
        """
        after = bisect_right(self._addresses, address)
        if not after:
            return None
        at = self._addresses[after - 1]
        first = bisect_left(self._addresses, at)
        ends = after == len(self._addresses) or b"\t[" in self._lines[after]
        if b"\t[" in self._lines[first]:
            end = self._end(first)
            return None if end and address >= end else first
        if self._kinds[first] not in _TEXT and not self._has_data:
            return None
        if not ends or address == at:
            return first
        is_function = self._kinds[first] in _TEXT and self._lines[first].strip() not in _ENDS
        return first if is_function else None

    def _searched(self, address: int) -> int | None:
        low, high = 0, len(self._addresses)
        while low < high:
            middle = (low + high) // 2
            at = self._addresses[middle]
            if address == at:
                return middle
            if address < at:
                high = middle
            elif middle + 1 < len(self._addresses) and address < self._addresses[middle + 1]:
                return middle
            else:
                low = middle + 1
        return None

    def show(self, address: int, shape: int) -> bytes:
        """`address` as text: shape 0 the name, 1 with offset, 2 with offset and size; without a name in hex, or OR_NOTHING.

        Shape 3 is for trace-cmd's plugins: how far the name lies from the address, and eight digits without one. BARE is
        what the kernel's own tracers show (kernel/trace/trace_output.c): no module, and return probes' trampoline as
        unknown. PLACE is shape 2, but small numbers are no addresses.
        """
        symbol = self.find(address)
        if shape & PLACE:
            symbol, shape = (symbol if address >> 31 else None), 2
        if symbol is None and shape & BARE:
            return b"0x%08x" % address if address else b"0"
        if symbol is None:
            return b"" if shape & OR_NOTHING else b"0x%08x" % address if shape == BACKWARDS else b"0x%x" % address
        if shape & BARE:
            return b"[unknown/kretprobe'd]" if symbol.name in _TRAMPOLINES else symbol.name.encode("utf-8", "surrogateescape")
        shape &= ~OR_NOTHING
        text = symbol.name
        if shape == BACKWARDS:
            text += f"/0x{-symbol.offset & (1 << 64) - 1:x}"
        elif shape:
            text += f"+0x{symbol.offset:x}"
        if shape == 2:
            text += f"/0x{symbol.size:x}"
        if self._exact and symbol.module:
            text += f" [{symbol.module}]"
        return text.encode("utf-8", "surrogateescape")


def _name(line: bytes) -> tuple[str, str]:
    name, _, module = line.decode("utf-8", "surrogateescape").partition("\t")
    return name.strip(), module.strip(" []\r")
