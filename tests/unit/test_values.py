"""Classes made by ftracepy.values are what the standard library's dataclasses would be."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, ClassVar

import pytest

from ftracepy import values


def _twins(**how: Any) -> list[Any]:
    """The same class made by both."""
    made = []
    for module in (values, dataclasses):

        @module.dataclass(**how)
        class One:
            number: int
            name: str = "unnamed"
            parts: list[int] = module.field(default_factory=list, compare=False)
            hidden: int = module.field(default=3, repr=False)
            limit: ClassVar[int] = 5

        made.append(One)
    return made


@pytest.fixture(params=[0, 16], ids=["compiled", "by hand"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first objects of a class are filled by hand."""
    monkeypatch.setattr(values, "_UNCOMPILED", request.param)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("how", [{}, {"slots": True}, {"frozen": True}, {"frozen": True, "slots": True}, {"order": True}])
def test_objects_are_made_compared_and_shown_as_the_standard_ones(how: dict[str, bool]) -> None:
    for cls in _twins(**how):
        one, other = cls(1), cls(2, "b", parts=[7], hidden=4)
        assert repr(other).endswith("One(number=2, name='b', parts=[7])")
        assert (one.name, one.parts, one.hidden, cls.limit) == ("unnamed", [], 3, 5)
        assert one == cls(1, parts=[9])
        assert one != other
        assert one != (1, "unnamed", 3)
        assert one.parts is not cls(1).parts
        assert (cls.__hash__ is None) == (not how.get("frozen"))
        assert cls.__match_args__ == ("number", "name", "parts", "hidden")
        assert copy.copy(other) == copy.deepcopy(other) == other
        assert dataclasses.asdict(other) == {"number": 2, "name": "b", "parts": [7], "hidden": 4}
        assert [field.name for field in dataclasses.fields(other)] == ["number", "name", "parts", "hidden"]
        assert dataclasses.replace(other, number=1) == cls(1, "b", hidden=4)
        with pytest.raises(TypeError):
            cls(1, wrong=2)
        with pytest.raises(TypeError):
            cls()
        with pytest.raises(TypeError):
            cls(1, number=1)
        with pytest.raises(TypeError):
            cls(1, "b", [7], 4, 5)
        if how.get("order"):
            assert one < other
            assert other >= one
            assert sorted([other, one]) == [one, other]
        if how.get("slots") and not how.get("frozen"):
            with pytest.raises(AttributeError):
                one.another = 1


def test_objects_are_the_same_before_and_after_a_class_is_compiled() -> None:
    cls = _twins(frozen=True, slots=True)[0]
    made = [cls(1, "b", hidden=4) for _ in range(40)]
    assert cls.__init__.__code__.co_varnames[1:] == ("number", "name", "parts", "hidden")
    assert {repr(one) for one in made} == {repr(made[0])}
    assert made == made[:1] * 40
    assert len({id(one.parts) for one in made}) == 40


def test_replace_gives_one_more_with_some_values_changed() -> None:
    cls = _twins(frozen=True, slots=True)[0]
    one = cls(1, "b", parts=[7], hidden=4)
    assert values.replace(one, number=5) == cls(5, "b", hidden=4)
    assert values.replace(one, number=5).hidden == 4
    with pytest.raises(TypeError):
        values.replace(one, wrong=5)


def test_a_frozen_object_refuses_and_has_a_hash() -> None:
    for cls in _twins(frozen=True, slots=True):
        one = cls(1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.number = 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            del one.number
        assert hash(one) == hash(cls(1, parts=[1]))
        assert one.number == 1


@pytest.mark.usefixtures("_either")
def test_subclasses_have_the_attributes_of_their_bases_first() -> None:
    @values.dataclass(kw_only=True)
    class Base:
        a: int = 1
        checked: int = 0

        def __post_init__(self) -> None:
            self.checked = self.a

    @values.dataclass(kw_only=True)
    class Derived(Base):
        b: int
        a: int = 2

    made = Derived(b=3)
    assert repr(made).endswith("Derived(a=2, checked=2, b=3)")
    assert [one.name for one in values.attributes(Derived)] == ["a", "checked", "b"]
    assert Base(a=5).checked == 5
    with pytest.raises(TypeError):
        Derived(3)  # type: ignore[call-arg]
