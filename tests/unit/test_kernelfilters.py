"""What the kernel is told of a filter: the same where it knows every name, else something that drops nothing that passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftracepy.analysis.filtering import Comparison, parse
from ftracepy.analysis.kernelfilters import NOTHING, Constant, Named, Told, told

KNOWN: dict[str, Named | Constant] = {"a": Named("a"), "b": Named("other"), "c": Constant(3), "missing": Constant(None)}


def meaning(one: Comparison) -> Named | Constant | None:
    return KNOWN.get(one.name)


@pytest.mark.parametrize(
    ("typed", "text", "unknown"),
    [
        ("a == 5", "a == 5", ""),
        ("b != 0x10 && a ~ 'x*'", "other != 0x10 && a ~ 'x*'", ""),
        ("a == bash", 'a == "bash"', ""),
        ("a == 1 && b == 2 || !(a & 4)", "(a == 1 && other == 2) || !(a & 4)", ""),
        ("c == 3", "", ""),
        ("c == 4", NOTHING, ""),
        ("c == 4 || a == 1", "a == 1", ""),
        ("c == 3 && a == 1", "a == 1", ""),
        ("missing != 1", NOTHING, ""),
        ("!(missing == 1)", "", ""),
        ("u == 1 && a == 1", "a == 1", "u"),
        ("u == 1 || a == 1", "", "u"),
        ("!(u == 1) && a == 1", "a == 1", "u"),
        ("!(u == 1 && a == 1)", "", "u"),
        ("!(u == 1 || a == 1)", "!(a == 1)", "u"),
    ],
)
def test_what_is_told(typed: str, text: str, unknown: str) -> None:
    assert told(parse(typed).tree, meaning) == Told(text, frozenset(unknown))


COMPARED = st.builds("{} {} {}".format, st.sampled_from(["a", "b", "c", "missing", "u"]), st.sampled_from(["==", "!=", "<", "&"]),
                     st.integers(0, 5))  # fmt: skip
FILTERS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        inner.map("!({})".format), st.builds("({}) && ({})".format, inner, inner), st.builds("({}) || ({})".format, inner, inner)
    ),
    max_leaves=8,
)


@given(FILTERS, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_nothing_that_passes_is_dropped(typed: str, a: int, b: int, u: int) -> None:
    wanted = parse(typed)
    found = told(wanted.tree, meaning)
    passes = wanted.test({"a": a, "b": b, "c": 3, "u": u}.get)
    recorded = not found.text or parse(found.text).test({"a": a, "other": b, "common_pid": 1}.get)
    assert recorded or not passes
    if not found.unknown:
        assert recorded is passes
