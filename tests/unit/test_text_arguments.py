"""What a function was called with: records of the function tracers, named by BTF, in the kernel's form and trace-cmd's."""

from __future__ import annotations

import pytest

from ftracepy.schema import Schema
from ftracepy.symbols.btf import Kind
from ftracepy.text import Formatter
from tests.support.btf import BtfWriter
from tests.support.decoders import decoder, implementations
from tests.support.pages import PageWriter, event_format, schema

_FUNCTION = ("unsigned long ip; 8; 8; 0", "unsigned long parent_ip; 16; 8; 0", "unsigned long args[]; 24; 0; 0")
_ENTRY = ("unsigned long func; 8; 8; 0", "unsigned long depth; 16; 8; 0", "unsigned long args[]; 24; 0; 0")
_RETADDR = (
    "unsigned long func; 8; 8; 0", "unsigned long depth; 16; 8; 0", "unsigned long retaddr; 24; 8; 0",
    "unsigned long args[]; 32; 0; 0",
)  # fmt: skip
_EXIT = (
    "unsigned long func; 8; 8; 0", "unsigned int depth; 16; 4; 0", "unsigned int overrun; 20; 4; 0",
    "unsigned long long calltime; 24; 8; 0", "unsigned long long rettime; 32; 8; 0", "unsigned long retval; 40; 8; 0",
)  # fmt: skip
_NAMES = {"vfs_read": 0x1000, "by_value": 0x2000, "many": 0x3000, "void": 0x4000, "no_types.cold": 0x5000, "odd": 0x6000}
_ADDRESSES = {name: 0xFFFFFFFF81000000 + at for name, at in _NAMES.items()}
_MINUS_100 = (1 << 32) - 100  # as a register holds an int
_VALUES = (_MINUS_100, 0x7FFCA5563980, 0x1FFFFFFFF, 4, 5, 6)


def types() -> bytes:
    """BTF of functions with parameters of each sort."""
    btf = BtfWriter()
    signed, unsigned, byte = btf.integer("int", 4, signed=True), btf.integer("long unsigned int", 8), btf.integer("u8", 1)
    pair, choice = btf.record("pair", 16, ("a", unsigned, 0)), btf.enum("choice", {"A": 0})
    big = btf.record("big", 64, ("a", unsigned, 0))
    pointer = btf.ptr(btf.to(Kind.CONST, pair))
    btf.function("vfs_read", signed, ("fd", btf.to(Kind.TYPEDEF, signed, "fd_t")), ("buf", pointer), ("flags", byte))
    btf.function("by_value", signed, ("pair", pair), ("kind", choice), ("", unsigned))
    btf.function("many", signed, *[(f"a{number}", unsigned) for number in range(7)])
    btf.function("void", 0)
    btf.function("odd", 0, ("n", signed), ("big", big), ("never", signed))
    btf.function("no_types", 0, ("x", unsigned))
    return btf.blob()


def made(with_types: bool = True, uname: str = "Linux vm 7.2.0 x86_64") -> Schema:
    found = schema(
        event_format("function", 1, *_FUNCTION, system="ftrace"), event_format("funcgraph_entry", 11, *_ENTRY, system="ftrace"),
        event_format("fgraph_retaddr_entry", 12, *_RETADDR, system="ftrace"),
        event_format("funcgraph_exit", 10, *_EXIT, system="ftrace"),
    )  # fmt: skip
    found.kallsyms = "".join(f"{address:016x} T {name}\n" for name, address in _ADDRESSES.items()) + "ffffffff81009000 T _etext\n"
    found.uname = uname
    if with_types:
        found.types = types
    return found


@pytest.fixture(params=implementations())
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTRACEPY_TWIN", "0" if request.param == "_core" else "1")
    return str(request.param)


def arguments(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


def shown(implementation: str, found: Schema, *names: str, style: str = "kernel", values: tuple[int, ...] = _VALUES) -> list[str]:
    """The text of a call of each function, from the function's name on."""
    writer, form = PageWriter(found), "latency" if style == "trace-cmd" else "text"
    events = [writer.event("function", ip=_ADDRESSES[name], args=arguments(values)) for name in names]
    fed = decoder(implementation, found, [0])
    fed.feed(0, writer.page(1000, *events))
    batch = fed.batch(max_events=1 << 20)
    formatter = Formatter(found, style, form=form)  # type: ignore[arg-type]
    lines = formatter.lines(batch).decode().splitlines()
    again = Formatter(found, style, form=form)  # type: ignore[arg-type]
    alone = [again.text(event) for event in batch]
    texts = [line.split(": ", 1)[1].removeprefix("function:").strip().removesuffix(" <-0") for line in lines]
    assert [one.strip().removesuffix(" <-0") for one in alone] == texts
    return texts


def test_as_the_kernel_shows_them(implementation: str) -> None:
    """kernel/trace/trace_output.c, print_function_args: whole registers, numbers without a sign in hex since 6.17."""
    assert shown(implementation, made(), "vfs_read", "by_value", "many", "void", "no_types.cold", "odd") == [
        "vfs_read(fd=4294967196, buf=0x7ffca5563980, flags=0x1ffffffff)",
        "by_value(pair=(STRUCT)[0xffffff9c:0x7ffca5563980], kind=8589934591, =0x4)",
        "many(a0=0xffffff9c, a1=0x7ffca5563980, a2=0x1ffffffff, a3=0x4, a4=0x5, a5=0x6, ...)",
        "void()",
        "no_types.cold()",
        "odd(n=4294967196, big=(STRUCT)[0x7ffca5563980:0x1ffffffff:0x4:0x5:0x6:...])",
    ]
    older = made(uname="Linux vm 6.16.0 x86_64")
    assert shown(implementation, older, "vfs_read") == ["vfs_read(fd=4294967196, buf=0x7ffca5563980, flags=8589934591)"]


def test_as_trace_cmd_shows_them(implementation: str) -> None:
    """Its library takes as many bits as the type has, and looks for a name without what the compiler added."""
    assert shown(implementation, made(), "vfs_read", "void", "no_types.cold", style="trace-cmd") == [
        "vfs_read(fd=4294967196, buf=0x7ffca5563980, flags=0xff)",
        "void()",
        "no_types.cold(x=0xffffff9c)",
    ]


def test_without_types(implementation: str) -> None:
    """Nothing tells how many there are: all that was recorded."""
    found = made(with_types=False)
    values = ["ffffff9c", "7ffca5563980", "1ffffffff", "4", "5", "6"]
    assert shown(implementation, found, "vfs_read") == [f"vfs_read({', '.join(f'0x{one}' for one in values)})"]
    assert shown(implementation, found, "vfs_read", style="trace-cmd") == [f"vfs_read({', '.join(values)})"]


def test_damaged_types(implementation: str) -> None:
    """A type that is not there, one that refers to itself: fewer words, no fault."""
    btf = BtfWriter()
    btf.function("vfs_read", 0, ("a", 999))
    btf.function("by_value", 0, ("a", btf.to(Kind.TYPEDEF, 3, "self")))
    found = made()
    found.types = btf.blob
    assert shown(implementation, found, "vfs_read", "by_value") == ["vfs_read()", "by_value(a=?0xffffff9c)"]
    found.types = lambda: b"\x9f\xeb no BTF"
    assert shown(implementation, found, "void") == shown(implementation, made(with_types=False), "void")


def test_records_without_arguments(implementation: str) -> None:
    assert shown(implementation, made(), "vfs_read", values=()) == ["vfs_read"]
    assert shown(implementation, made(), "vfs_read", values=(), style="trace-cmd") == ["vfs_read"]


def listing(implementation: str, style: str = "kernel", options: tuple[str, ...] = ()) -> list[str]:
    """A call that calls another: each with its arguments, and with the address it returns to."""
    found = made()
    writer, call = PageWriter(found), _ADDRESSES["vfs_read"]

    def leave(func: int, depth: int, retval: int) -> bytes:
        return writer.event("funcgraph_exit", delta=10, func=func, depth=depth, calltime=0, rettime=500, retval=retval)

    inner = _ADDRESSES["void"]
    events = [
        writer.event("fgraph_retaddr_entry", func=call, depth=0, retaddr=_ADDRESSES["many"] + 16, args=arguments(_VALUES)),
        writer.event("funcgraph_entry", delta=10, func=inner, depth=1, args=b""),
        leave(inner, 1, 0),
        writer.event("fgraph_retaddr_entry", delta=10, func=inner, depth=1, retaddr=call + 8, args=arguments(_VALUES)),
        leave(inner, 1, 1),
        leave(call, 0, 0),
    ]
    fed = decoder(implementation, found, [0])
    fed.feed(0, writer.page(1000, *events))
    form = "latency" if style == "trace-cmd" else "text"
    formatter = Formatter(found, style, form=form, tracer="function_graph", options=options)  # type: ignore[arg-type]
    text = formatter.lines(fed.batch(max_events=1 << 20), more=True) + formatter.rest()
    return [line.partition("|")[2] for line in text.decode().splitlines()]


def test_a_listing_of_calls(implementation: str) -> None:
    """kernel/trace/trace_functions_graph.c, print_graph_retaddr and print_graph_retval."""
    called = "vfs_read(fd=4294967196, buf=0x7ffca5563980, flags=0x1ffffffff) {"
    assert listing(implementation) == [
        f"  {called} /* <-many+0x10/0x1000 */",
        "    void();",
        "    void(); /* <-vfs_read+0x8/0x1000 */",
        "  }",
    ]
    assert listing(implementation, options=("funcgraph-retval", "nofuncgraph-retaddr")) == [
        f"  {called}", "    void(); /* ret=0x0 */", "    void(); /* ret=0x1 */", "  } /* vfs_read ret=0x0 */",
    ]  # fmt: skip
    assert listing(implementation, options=("funcgraph-retval",))[2] == "    void(); /* <-vfs_read+0x8/0x1000 ret=0x1 */"


def test_trace_cmds_listing(implementation: str) -> None:
    assert listing(implementation, "trace-cmd") == [
        "  vfs_read(fd=4294967196, buf=0x7ffca5563980, flags=0xff) /* <-many */ {",
        "    void(); (ret=0x0)",
        "    void(); /* <-vfs_read */ (ret=0x1)",
        "  } (ret=0x0)",
    ]
