"""Text-valued arguments: strings, tables, arrays, addresses. Addresses are checked against Python's own modules."""

from __future__ import annotations

import ipaddress
import struct
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftracepy.printfmt import compile_for, compile_printk
from ftracepy.printfmt.target import Target
from tests.support.textmachines import event, machines, show


def dynamic(offset: int, data: bytes) -> bytes:
    """A location word at offset 8 and what it names, `offset` from the record's start."""
    return struct.pack("=I", len(data) << 16 | offset) + b"\0" * (offset - 12) + data


def test_strings() -> None:
    fields = ("char comm[8]@8:8", "__data_loc char[] name@16:4", "char rest[]@20:0")
    payload = b"ab\0garb" + b"c" + struct.pack("=I", 3 << 16 | 20) + b"xyz\0left"
    made = event('"%s|%4s|%-5s|%.1s|%s|", REC->comm, __get_str(name), __get_str(name), __get_str(name), REC->rest', *fields)
    assert show(made, payload) == "ab| xyz|xyz  |x|xyz|"


def test_precision_by_argument_cuts_and_pads() -> None:
    made = event('"%.*s|%*s|", REC->n, REC->s, 6, REC->s', "int n@8:4s", "char s[4]@12:4")
    assert show(made, struct.pack("=i4s", 2, b"abcd")) == "ab|  abcd|"
    assert show(made, struct.pack("=i4s", -1, b"abcd")) == "abcd|  abcd|"


@pytest.mark.parametrize("word", [0, 5 << 16 | 12, 0xFFFF << 16 | 12, 0xFFFF0000 | 0xFFFF, 4 << 16 | 4000])
def test_locations_outside_the_record_are_cut_to_it(word: int) -> None:
    made = event('"<%s>", __get_str(x)', "__data_loc char[] x@8:4")
    assert show(made, struct.pack("=I", word) + b"abc") in {"<>", "<abc>"}


def test_relative_locations_count_from_their_own_end() -> None:
    made = event('"%s", __get_rel_str(x)', "__rel_loc char[] x@8:4")
    assert show(made, struct.pack("=I", 4 << 16 | 2) + b"..abc\0") == "abc"


@pytest.mark.parametrize(("value", "kernel"), [(0, ""), (1, "A"), (3, "A|B"), (0x13, "A|B|0x10"), (0x10, "0x10")])
def test_flags(value: int, kernel: str) -> None:
    made = event('"%s", __print_flags(REC->f, "|", { 1, "A" }, { 2, "B" })', "unsigned int f@8:4")
    assert show(made, struct.pack("=I", value)) == kernel == show(made, struct.pack("=I", value), "trace-cmd")


def test_tables_with_names_that_no_kernel_resolved() -> None:
    made = event(
        '"%s", __print_symbolic(REC->f, { KNOWN_TO_NOBODY, "A" }, { HRTIMER_MODE_REL, "REL" }, { 9, "NINE" })', "int f@8:4s"
    )
    assert [show(made, struct.pack("=i", value)) for value in (1, 9, 4)] == ["REL", "NINE", "0x4"]
    assert [show(made, struct.pack("=i", value), "trace-cmd") for value in (1, 9, 4)] == ["0x1", "NINE", "0x4"]


def test_text_chosen_by_a_condition() -> None:
    made = event('"%s%6s", REC->f ? "yes" : "no", REC->f > 1 ? __print_symbolic(REC->f, { 2, "two" }) : ""', "int f@8:4s")
    assert [show(made, struct.pack("=i", value)) for value in (0, 1, 2)] == ["no      ", "yes      ", "yes   two"]


def test_arrays() -> None:
    made = event(
        '"%s %s %s %s", __print_hex(REC->b, REC->n), __print_hex_str(REC->b, 2), __print_array(__get_dynamic_array(w), 2, 4), '
        "__print_dynamic_array(w, sizeof(u16))",
        "u8 b[4]@8:4",
        "u8 n@12:1",
        "__data_loc u16[] w@16:4",
    )
    payload = bytes([1, 2, 0xAB, 4, 3, 0, 0, 0]) + struct.pack("=I2I", 8 << 16 | 20, 7, 0x10002)
    assert show(made, payload) == "01 02 ab 0102 {0x7,0x10002} {0x7,0x0,0x2,0x1}"


def test_bitmaps() -> None:
    made = event('"%s", __get_cpumask(m)', "__data_loc cpumask_t m@8:4")
    assert show(made, dynamic(16, struct.pack("=Q", 0x1_0000_0003))) == "00000001,00000003"
    listed = event('"%*pbl", 10, __get_dynamic_array(m)', "__data_loc unsigned long[] m@8:4")
    assert show(listed, dynamic(16, struct.pack("=Q", 0xFF2B))) == "0-1,3,5,8-9"


@given(st.binary(min_size=16, max_size=16) | st.lists(st.sampled_from([0, 0, 0, 1, 255]), min_size=16, max_size=16).map(bytes))
@settings(max_examples=300, deadline=None)
def test_ipv6_as_rfc_5952(data: bytes) -> None:
    address = ipaddress.IPv6Address(data)
    made = show(event('"%pI6c %pI6 %pi6", REC->a, REC->a, REC->a', "u8 a[16]@8:16"), data)
    short, full, digits = made.split(" ")
    assert (full, digits) == (address.exploded, data.hex())
    assert ipaddress.IPv6Address(short) == address
    if "." not in short:  # mapped and ISATAP addresses end in an IPv4 address
        assert short == str(address)


def test_other_addresses() -> None:
    name = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
    fields = ("u8 m[6]@8:6", "u8 i[4]@14:4", "u8 u[16]@18:16", "u8 g[16]@34:16")
    made = event('"%pM %pI4 %pi4 %pUb %pUL %*phC", REC->m, REC->i, REC->i, REC->u, REC->g, 3, REC->m', *fields)
    payload = bytes(range(250, 256)) + bytes([10, 0, 200, 1]) + name.bytes + name.bytes_le
    assert show(made, payload) == f"fa:fb:fc:fd:fe:ff 10.0.200.1 010.000.200.001 {name} {str(name).upper()} fa:fb:fc"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack("=H", 2) + struct.pack(">H", 80) + bytes([127, 0, 0, 1]), "127.0.0.1:80"),
        (struct.pack("=H", 10) + struct.pack(">HI", 443, 0) + bytes(15) + b"\1", "[::1]:443"),
        (struct.pack("=H", 1), "(einval)"),
    ],
)
def test_socket_addresses(data: bytes, text: str) -> None:
    assert show(event('"%pISpc", REC->a', "u8 a[28]@8:28"), data.ljust(28, b"\0")) == text


KALLSYMS = b"0000000000000000 A percpu\nffffffff81000000 T start\nffffffff81000010 t alias\nffffffff81000010 T main\n\
ffffffff81000040 T _end\nffffffffc0000000 t helper\t[mod]\nffffffffc0000020 t last\t[mod]\n"


@pytest.mark.parametrize(
    ("address", "kernel", "library"),
    [
        (0xFFFFFFFF81000014, "alias+0x4/0x30 alias", "alias+0x4 alias"),
        (0xFFFFFFFF81000000, "start+0x0/0x10 start", "start+0x0 start"),
        (0xFFFFFFFF81000050, "0xffffffff81000050 0xffffffff81000050", "_end+0x10 _end"),
        (0xFFFFFFFFC0000001, "helper+0x1/0x20 [mod] helper [mod]", "helper+0x1 helper"),
        (0x401000, "0x401000 0x401000", "0x401000 0x401000"),
    ],
)
def test_symbols(address: int, kernel: str, library: str) -> None:
    made = event('"%pS %ps", (void *)REC->a, (void *)REC->a', "unsigned long a@8:8")
    assert show(made, struct.pack("=Q", address), kallsyms=KALLSYMS) == kernel
    assert show(made, struct.pack("=Q", address), "trace-cmd", kallsyms=KALLSYMS) == library


def test_pointers_and_strings_behind_them() -> None:
    made = event('"%p %s", REC->p, REC->s', "void * p@8:8", "const char * s@16:8")
    payload = struct.pack("=QQ", 0xABC, 0x1000)
    assert show(made, payload, strings={0x1000: b"Start tick"}) == "0000000000000abc Start tick"
    assert show(made, payload, "trace-cmd", strings={0x1000: b"Start tick"}) == "0xabc Start tick"
    assert show(made, bytes(16), "trace-cmd") == "(nil) 0"


def test_what_cannot_be_evaluated_shows_the_fields() -> None:
    made = event('"%d", jiffies_to_msecs(REC->a)', "int a@8:4s", "char n[4]@12:4", "unsigned long l@16:8", "u8 c@24:1")
    payload = struct.pack("=i4sQB", -3, b"abc", 255, 7)
    assert show(made, payload) == "a=0xfffffffd (-3) n=abc l=0xff (255) c=(7)"
    assert show(made, payload, "trace-cmd") == "[FAILED TO PARSE] a=-3 n=abc l=0xff c=7"


def test_binary_printk() -> None:
    made = event("", "unsigned long ip@8:8", "const char * fmt@16:8", "u32 buf[]@24:0", system="ftrace", name="bprint")
    template = b"%d %s %c%hd %lld %pI4 %5s|"
    packed = (
        struct.pack("=i", -7) + b"text\0" + b"z" + struct.pack("=h", -2) + struct.pack("=q", 1 << 40) + b"10.0.0.1\0" + b"ab\0"
    )
    payload = struct.pack("=QQ", 0xFFFFFFFF81000014, 0x99) + packed
    formats = {0x99: compile_printk(template, Target())}
    assert show(made, payload, kallsyms=KALLSYMS, formats=formats) == "alias: -7 text z-2 1099511627776 10.0.0.1    ab|"
    assert show(made, payload) == "0xffffffff81000014: [UNKNOWN FORMAT 0x99]"


def test_kernels_own_events() -> None:
    marker = event(
        '"%ps: %s", (void *)REC->ip, REC->buf', "unsigned long ip@8:8", "char buf[]@16:0", system="ftrace", name="print"
    )
    assert show(marker, struct.pack("=Q", 0xFFFFFFFF81000000) + b"hi\n\0", kallsyms=KALLSYMS) == "start: hi"
    raw = event(
        '"id:%04x %08x", REC->id, (int)REC->buf[0]', "unsigned int id@8:4", "char buf[]@12:0", system="ftrace", name="raw_data"
    )
    assert show(raw, struct.pack("=I4s", 0xBEEF, b"\1\2\3\xff")) == "# beef buf: 01 02 03 ff"
    stack = event('""', "int size@8:4s", "unsigned long caller[8]@16:64", system="ftrace", name="kernel_stack")
    payload = struct.pack("=iiQQQ", 3, 0, 0xFFFFFFFF81000001, 0x7FFFFFFF, 2**64 - 1)
    assert show(stack, payload, kallsyms=KALLSYMS) == "<stack trace>\n => start\n => [FTRACE TRAMPOLINE]"


def test_syscalls_as_the_kernel_shows_them() -> None:
    fields = ("int __syscall_nr@8:4s", "int dfd@16:8", "const char * filename@24:8")
    made = event('"dfd: 0x%08lx, filename: 0x%08lx"', *fields, system="syscalls", name="sys_enter_openat")
    payload = struct.pack("=iiQQ", 257, 0, 3, 0x7F00)
    assert show(made, payload) == "sys_openat(dfd: 3, filename: 0x7f00)"
    assert show(made, payload, target=Target("kernel", release=(6, 1))) == "sys_openat(dfd: 3, filename: 7f00)"
    back = event('"0x%lx", REC->ret', "int __syscall_nr@8:4s", "long ret@16:8s", system="syscalls", name="sys_exit_openat")
    assert show(back, struct.pack("=iiq", 257, 0, -2)) == "sys_openat -> 0xfffffffffffffffe"


def test_probes_as_the_kernel_shows_them() -> None:
    fields = ("unsigned long __probe_ip@8:8", "__data_loc char[] path@16:4", "s32 fd@20:4s", "u8 c@24:1")
    made = event('"(%lx) path=\\"%s\\" fd=%d c=0x%x", REC->__probe_ip, __get_str(path), REC->fd, REC->c', *fields)
    payload = struct.pack("=QIiB", 0xFFFFFFFF81000014, 3 << 16 | 25, -1, 16) + b"/x\0"
    assert show(made, payload, kallsyms=KALLSYMS) == '(alias+0x4/0x30) path="/x" fd=-1 c=0x10'
    assert show(made, struct.pack("=QIiB", 0x401000, 0, 5, 1)) == "(0x401000) path=(fault) fd=5 c=0x1"
    assert show(made, payload, "trace-cmd") == '(ffffffff81000014) path="/x" fd=-1 c=0x10'


def test_no_string() -> None:
    made = event(
        '"<%.*s> %s %s", REC->n, REC->n ? REC->s : ((void *)0), NULL, REC->n ? REC->s : NULL', "int n@8:4s", "char s[4]@12:4"
    )
    assert show(made, struct.pack("=i4s", 0, b"ab")) == "<> (null) (null)"
    assert show(made, struct.pack("=i4s", 2, b"abc")) == "<ab> (null) abc"
    assert show(made, struct.pack("=i4s", 0, b"ab"), "trace-cmd") == "<> NULL NULL"


def test_the_record_s_head() -> None:
    made = event('"pid %d flags %u", REC->ent.pid, REC->ent.flags')
    assert show(made, b"") == "pid 42 flags 0"
    assert show(made, b"", "trace-cmd") == "[FAILED TO PARSE]"


def test_named_values_in_a_statement_expression() -> None:
    """min() as 6.12 and later leave it in dma_map_sg's format."""
    made = event('"%d/%d", ({ int __x = (REC->n); int __y = (128); ((__x) < (__y) ? (__x) : (__y)); }), REC->n', "int n@8:4s")
    assert [show(made, struct.pack("=i", value)) for value in (3, 129)] == ["3/3", "128/129"]


def test_named_values_do_not_multiply() -> None:
    doubled = "".join(f"int v{at + 1} = v{at} + v{at}; " for at in range(64))
    made = event(f'"%d", ({{ int v0 = REC->n; {doubled} v64; }})', "int n@8:4s")
    assert show(made, struct.pack("=i", 3)) == "n=0x3 (3)"


@pytest.mark.parametrize(("hz", "ms"), [(100, 70), (250, 28), (300, 24), (1000, 7)])
def test_jiffies_in_milliseconds(hz: int, ms: int) -> None:
    made = event('"%u", jiffies_to_msecs(REC->n)', "unsigned long n@8:8")
    assert show(made, struct.pack("=Q", 7), target=Target(hz=hz)) == str(ms)
    assert show(made, struct.pack("=Q", 7)) == "n=0x7 (7)"


def test_a_kernel_s_variable_is_not_known() -> None:
    """trace-cmd takes the address of a symbol of that name for its value."""
    made = event('"age=%4lu at=%lu", (jiffies - REC->n) / 250, REC->n', "unsigned long n@8:8")
    assert show(made, struct.pack("=Q", 7)) == "age=   ? at=7"
    kallsyms = "0000000000000001 A jiffies\nffffffff90000000 T jiffies_x\n00000000000003f1 D jiffies\n"
    assert show(made, struct.pack("=Q", 7), target=Target("trace-cmd", kallsyms=kallsyms)) == "age=   4 at=7"


def test_a_text_field_that_once_was_none_is_bytes_from_then_on() -> None:
    """trace-cmd report -R remembers it."""
    made = event('"%s", REC->s', "char s[3]@8:3")
    for machine in machines(kernel=0):
        machine.add(1, b"one", *compile_for(made, Target("trace-cmd", form="raw")))
        shown = [machine.text(1, b"\1" + bytes(7) + one) for one in (b"ab\0", b"a\xff\0", b"ab\0")]
        assert shown == [b" s=ab", b" s=ARRAY[61, ff, 00]", b" s=ARRAY[61, 62, 00]"]


def test_where_a_module_s_last_function_ends() -> None:
    """At its page's end; what lies beyond was a part of a module that is gone."""
    made = event('"%pS", (void *)REC->n', "unsigned long n@8:8")
    kallsyms = (
        b"ffffffffc0001000 t first\t[one]\nffffffffc0001f00 t last\t[one]\nffffffffc0003000 r data\t[one]\n"
        b"ffffffffc0004000 t other\t[two]\n"
    )
    shown = [show(made, struct.pack("=Q", 0xFFFFFFFFC0001000 + at), kallsyms=kallsyms) for at in (4, 0xF10, 0x1010, 0x3000)]
    assert shown == ["first+0x4/0xf00 [one]", "last+0x10/0x100 [one]", "0xffffffffc0002010", "other+0x0/0x1000 [two]"]


@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ("DUMP_PREFIX_NONE, 16, 1, {}, false", ["68 65 6c 6c 6f 00 ff 41 42 43 44 45 46 47 48 49", "4a"]),
        (
            "DUMP_PREFIX_OFFSET, 16, 1, {}, true",
            ["> 00000000: 68 65 6c 6c 6f 00 ff 41 42 43 44 45 46 47 48 49  hello..ABCDEFGHI", f"> 00000010: 4a{' ' * 47}J"],
        ),
        ("0, 16, 4, {}, 1", ["6c6c6568 41ff006f 45444342 49484746  hello..ABCDEFGHI", f"4a{' ' * 47}J"]),
        ("0, 32, 8, {}, 0", ["68 65 6c 6c 6f 00 ff 41 42 43 44 45 46 47 48 49 4a"]),
        (
            "DUMP_PREFIX_ADDRESS, 16, 16, {}, 0",
            ["(____ptrval____): 68 65 6c 6c 6f 00 ff 41 42 43 44 45 46 47 48 49", "(____ptrval____): 4a"],
        ),
    ],
)
def test_hex_dumps(shape: str, lines: list[str]) -> None:
    """lib/hexdump.c: what lies before the first line is a newline; a line that groups do not divide is shown in bytes."""
    prefix = "> " if "OFFSET" in shape else ""
    made = event(f'"d:%s", __print_hex_dump("{prefix}", {shape.format("REC->b, REC->n")})', "int n@8:4s", "u8 b[20]@12:20")
    payload = struct.pack("=i20s", 17, b"hello\0\xffABCDEFGHIJ??")
    assert show(made, payload).split("\n") == ["d:", *lines]
    assert show(made, payload, "trace-cmd").startswith("[FAILED TO PARSE]")


MODULE = (
    b"ffffffffc0001000 t work\t[loop]\nffffffffc0001040 t arch_rethook_trampoline\t[loop]\n"
    b"ffffffffc0009000 t ftrace_trampoline\t[__builtin__ftrace]\n"
)


@pytest.mark.parametrize(
    ("options", "text", "stack"),
    [
        ((), "work <-[unknown/kretprobe'd]", ["work", "0xffffffffc0009010"]),
        (("noprint-parent",), "work", ["work", "0xffffffffc0009010"]),
        (
            ("sym-offset",),
            "work+0x4/0x40 [loop] <-arch_rethook_trampoline+0x0/0xfc0 [loop]",
            ["work+0x4/0x40 [loop]", "0xffffffffc0009010"],
        ),
        (
            ("sym-addr",),
            "work <ffffffffc0001004> <-[unknown/kretprobe'd] <ffffffffc0001040>",
            ["work <ffffffffc0001004>", "0xffffffffc0009010 <ffffffffc0009010>"],
        ),
    ],
)
def test_places_as_the_tracers_show_them(options: tuple[str, ...], text: str, stack: list[str]) -> None:
    """Without the module, which %ps has; and no lookup of the kernel's knows the trampolines that kallsyms lists."""
    target = Target(options=frozenset(options))
    function = event('"-"', "unsigned long ip@8:8", "unsigned long parent_ip@16:8", system="ftrace", name="function")
    assert show(function, struct.pack("=QQ", 0xFFFFFFFFC0001004, 0xFFFFFFFFC0001040), target=target, kallsyms=MODULE) == text
    kernel_stack = event('"-"', "int size@8:4s", "unsigned long caller[8]@16:64", system="ftrace", name="kernel_stack")
    places = struct.pack("=iiQQ", 2, 0, 0xFFFFFFFFC0001004, 0xFFFFFFFFC0009010)
    assert show(kernel_stack, places, target=target, kallsyms=MODULE).split("\n => ")[1:] == stack
    assert show(event('"%ps", REC->p', "void * p@8:8"), places[8:], kallsyms=MODULE) == "work [loop]"


def test_no_place_at_all() -> None:
    function = event('"-"', "unsigned long ip@8:8", "unsigned long parent_ip@16:8", system="ftrace", name="function")
    assert show(function, struct.pack("=QQ", 0, 0x1234)) == "0 <-0x00001234"


def test_an_event_probe_names_the_event_it_hangs_on() -> None:
    """Which stands in dynamic_events alone (6.12's own words)."""
    made = event('" fl=0x%x", REC->fl', "u32 fl@8:4", system="ep", name="open")
    told = "p:ep/other vfs_read\ne:ep/open2 sched.sched_switch a=$b\ne:ep/open syscalls.sys_enter_openat fl=$flags:x32\n"
    assert show(made, struct.pack("=I", 66), target=Target(dynamic_events=told)) == "(syscalls.sys_enter_openat) fl=0x42"
    assert show(made, struct.pack("=I", 66)) == " fl=0x42"


def test_a_list_that_was_cut_ends_in_a_function() -> None:
    made = event('"%ps", (void *)REC->n', "unsigned long n@8:8")
    cut, whole = b"c1000000 T start\nc1001000 t last\n", b"c1000000 T start\nc1001000 T _etext\n"
    assert show(made, struct.pack("=Q", 0xC1001004), kallsyms=cut) == "last"
    assert show(made, struct.pack("=Q", 0xC1001004), kallsyms=whole) == "0xc1001004"


@pytest.mark.parametrize(
    ("data", "count", "text"),
    [
        (b"\5\0\0\0d", 5, '(05:00:00:00:64) "....d", count: 5)'),
        (b"x" * 3, 600, '(78:78:78, ...) "xxx"..., count: 0x258)'),
        (b"\0\1", 100, "(00:01, ...), count: 0x64)"),
        (b"\0\1", 2, "(00:01), count: 2)"),
    ],
)
def test_a_buffer_that_a_syscall_was_given(data: bytes, count: int, text: str) -> None:
    """7.3's own text: whether all of it was copied shows in the argument behind it."""
    fields = ("unsigned int fd@8:8", "const char * buf@16:8", "size_t count@24:8", "__data_loc char[] __buf_val@32:4")
    made = event('"%s", __print_dynamic_array(__buf_val, 1)', *fields, system="syscalls", name="sys_enter_write")
    payload = struct.pack("=QQQI", 8, 0x7FA132483BC0, count, len(data) << 16 | 36) + data
    assert show(made, payload) == f"sys_write(fd: 8, buf: 0x7fa132483bc0 {text}"


def test_names_with_other_values_in_other_kernels() -> None:
    """btrfs of 5.10 and of 6.1, each as its kernel printed it."""
    old = event('"%s", __print_flags(REC->f, "|", { (1 << BTRFS_ORDERED_IO_DONE), "IO_DONE" })', "u64 f@8:8")
    rows = '{ (1 << BTRFS_ORDERED_REGULAR), "REGULAR" }, { (1 << BTRFS_ORDERED_IO_DONE), "IO_DONE" }'
    new = event(f'"%s", __print_flags(REC->f, "|", {rows})', "u64 f@8:8")
    assert show(old, struct.pack("=Q", 1)) == "IO_DONE"
    assert show(new, struct.pack("=Q", 0x21)) == "REGULAR|IO_DONE"


def test_fields_as_the_kernel_s_option_shows_them() -> None:
    """6.12's and 7.2's own forms; a text's address is a kernel's own if the recording's printk_formats knows it."""
    made = event(
        '"-"', "char c@8:1", "umode_t mode@10:2", "int n@12:4s", "const char * s@16:8", "void * f@24:8", "u8 id[3]@32:3",
        "__data_loc u8[] data@36:4",
    )  # fmt: skip
    place = 0xFFFFFFFF81000010
    payload = struct.pack("=cxHiQQ3sxI", b"o", 0x81A4, -1, 0xFFFFFFFF82000000, place, b"abc", 2 << 16 | 40) + b"\7\xff"
    texts: dict[str, Any] = {
        "kallsyms": b"ffffffff81000000 T start\nffffffff81000100 T _etext\n",
        "strings": {0xFFFFFFFF82000000: b"End"},
    }
    old, new = (show(made, payload, target=Target(form="raw", release=one), **texts) for one in ((6, 12), (7, 2)))
    number = f"{place - (1 << 64)}"
    first = "c='o'(111) mode=0x81a4 (33188) n=0xffffffff (-1) s=(0xffffffff82000000:End) f="
    rest = f" ({number}) id=<INVALID-SIZE> data=07,ff"
    assert old == f"{first}0xffffffff81000010{rest}"
    assert new == f"{first}start+0x10/0x100{rest}"


def test_a_kernel_that_lists_no_data_of_its_own_names_none() -> None:
    """6.18 without CONFIG_KALLSYMS_ALL, whose list has the ends of some sections all the same."""
    made = event('"%ps", (void *)REC->n', "unsigned long n@8:8")
    text = b"ffffffff81000000 T start\nffffffff82209988 T _etext\nffffffff82400000 D __start_rodata\nffffffff83b264c8 R __stop\n"
    assert show(made, struct.pack("=Q", 0xFFFFFFFF8245A780), kallsyms=text) == "0xffffffff8245a780"
    assert show(made, struct.pack("=Q", 0xFFFFFFFF8245A780), kallsyms=text + b"ffffffff8245a780 d ops\n") == "ops"
