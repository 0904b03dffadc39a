"""The language of `print fmt`: what is an expression, how it binds, and what only the kernel could evaluate."""

from __future__ import annotations

import pytest

from ftracepy.printfmt import PrintFmtFault, parse
from ftracepy.printfmt.conversions import STARRED, Spec, split
from ftracepy.printfmt.nodes import Binary, Braces, Call, Cast, Field, Index, Name, Node, Num, SizeOf, Str, Ternary, Unary
from ftracepy.schema import parse_event_format
from tests.support.corpus import raw_names, raw_set

# Statement expressions and strings broken by the kernel's own macros; everything else in every format is parsed.
_ONLY_THE_KERNEL = ("({", "__UNIQUE_ID")


def arg(text: str) -> Node:
    return parse(f'"%d", {text}').args[0]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("REC->a & REC->b | REC->c", Binary("|", Binary("&", Field("a"), Field("b")), Field("c"))),
        ("1 + 2 * 3", Binary("+", Num(1), Binary("*", Num(2), Num(3)))),
        ("1 - 2 - 3", Binary("-", Binary("-", Num(1), Num(2)), Num(3))),
        ("REC->a > 1 ? 2 : REC->b ? 3 : 4",
         Ternary(Binary(">", Field("a"), Num(1)), Num(2), Ternary(Field("b"), Num(3), Num(4)))),
        ("(unsigned long long)REC->a >> 20", Binary(">>", Cast("unsigned long long", Field("a")), Num(20))),
        ("(REC)->a", Field("a")),
        ("(dev_t)REC->a", Cast("dev_t", Field("a"))),
        ("(sector_t)(REC->a + 1)", Cast("sector_t", Binary("+", Field("a"), Num(1)))),
        ("(REC->a) - 1", Binary("-", Field("a"), Num(1))),
        ("((struct page *)vmemmap_base)", Cast("struct page *", Name("vmemmap_base"))),
        ("REC->arr[2]", Index(Field("arr"), Num(2))),
        ("((u64 *)__get_dynamic_array(x))[1]", Index(Cast("u64 *", Call("__get_dynamic_array", (Name("x"),))), Num(1))),
        ("-REC->a", Unary("-", Field("a"))),
        ("!REC->a && ~REC->b", Binary("&&", Unary("!", Field("a")), Unary("~", Field("b")))),
        ("sizeof(unsigned long)", SizeOf("unsigned long")),
        ("sizeof(REC->a)", SizeOf("", Field("a"))),
        ("'A'", Num(65)),
        ("__print_symbolic(REC->a, { 1, \"x\" }, { 2, \"y\" })",
         Call("__print_symbolic", (Field("a"), Braces((Num(1), Str(b"x"))), Braces((Num(2), Str(b"y")))))),
    ],
)  # fmt: skip
def test_trees(text: str, tree: Node) -> None:
    assert arg(text) == tree


@pytest.mark.parametrize(
    ("text", "value", "size", "signed"),
    [
        ("1", 1, 4, True),
        ("1U", 1, 4, False),
        ("0x80000000", 0x80000000, 4, False),
        ("2147483648", 2147483648, 8, True),
        ("1UL", 1, 8, False),
        ("0xffffffffffffffff", 2**64 - 1, 8, False),
        ("010", 8, 4, True),
    ],
)
def test_literals_have_c_types(text: str, value: int, size: int, signed: bool) -> None:
    assert arg(text) == Num(value, size, signed)


def test_strings_join_and_escapes_are_undone() -> None:
    assert parse(r'"a" "\t\x41\101\"\\" "%d", 1').template == b'a\tAA"\\%d'


@pytest.mark.parametrize("text", ["", '"%d", ({ int a; a; })', '"%d", REC->', '"%d", (1', '"%d" 1', '"%d", REC->a->b', '"%d", `'])
def test_what_is_no_expression_is_a_fault(text: str) -> None:
    with pytest.raises(PrintFmtFault):
        parse(text)


@pytest.mark.parametrize("text", ["(" * 5000 + "1" + ")" * 5000, "!" * 5000 + "1", "1?" * 5000 + "1"])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(PrintFmtFault):
        arg(text)


def test_conversions() -> None:
    assert list(split(b"a%-16s|%016llx %*d%% %pI6c%pS+")) == [
        b"a",
        Spec("s", 1, 16),
        b"|",
        Spec("x", 2, 16, -1, 8),
        b" ",
        Spec("d", 0, STARRED),
        b"%",
        b" ",
        Spec("p", size=8, pointer="I6c"),
        Spec("p", size=8, pointer="S"),
        b"+",
    ]


@pytest.mark.skipif(not raw_names(), reason="no corpus (FTRACEPY_CORPUS)")
def test_every_format_of_the_corpus() -> None:
    seen: set[str] = set()
    for name in raw_names():
        for event in raw_set(name).schema.formats.values():
            if event.print_fmt not in seen and not any(mark in event.print_fmt for mark in _ONLY_THE_KERNEL):
                parse(event.print_fmt)
            seen.add(event.print_fmt)
    assert len(seen) > 500


def test_print_fmt_over_several_lines_is_whole() -> None:
    text = 'name: x\nID: 1\nformat:\n\tfield:int a;\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: "%d\n", REC->a\n'
    assert parse(parse_event_format(text, "s").print_fmt).args == (Field("a"),)
