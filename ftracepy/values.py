"""Dataclasses whose classes cost nothing to make: what a run never makes an object of is never compiled.

The standard decorator compiles six functions for each class when its module is imported; with the 70 classes that a trace
command imports that was half of all it did before its first system call. Here a class gets its __init__ when it has made a
few objects without, and compares, hashes and shows itself by functions that all classes share. To type checkers, and to
dataclasses.fields, replace and asdict, they are dataclasses.
"""

from __future__ import annotations

import operator
from operator import attrgetter
from typing import TYPE_CHECKING

_UNCOMPILED = 16  # objects of a class: compiling takes 45 us, filling one of six attributes by hand 2.7 (measured)

__all__ = ["MISSING", "Attribute", "as_dict", "attributes", "dataclass", "field", "replace"]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass, field, replace
    from typing import Any

    MISSING: Any


class Attribute:
    """What is declared of one: `default` and `default_factory` are MISSING where there is none."""

    __slots__ = ("compare", "default", "default_factory", "kw_only", "metadata", "name", "repr")
    name: str
    kw_only: bool

    def __init__(self, default: Any, default_factory: Any, repr: bool, compare: bool, metadata: dict[str, Any]) -> None:
        self.default = default
        self.default_factory = default_factory
        self.repr = repr
        self.compare = compare
        self.metadata = metadata

    def make(self) -> Any:
        """The value of an object that is given none; MISSING where it must be given."""
        return self.default if self.default_factory is MISSING else self.default_factory()


def attributes(of: Any) -> Sequence[Attribute]:
    """The attributes of a class made here, or of an object of one, those of its bases first."""
    return tuple(of.__attributes__.values())


def as_dict(one: Any) -> dict[str, Any]:
    """The values by their names."""
    return {name: getattr(one, name) for name in one.__attributes__}


if not TYPE_CHECKING:
    MISSING = object()

    def field(*, default=MISSING, default_factory=MISSING, repr=True, compare=True, metadata=None):
        """As dataclasses.field."""
        return Attribute(default, default_factory, repr, compare, metadata or {})

    def replace(one, /, **changes):
        """As dataclasses.replace."""
        values = {name: getattr(one, name) for name in type(one).__attributes__}
        return type(one)(**(values | changes))

    def dataclass(cls=None, /, *, frozen=False, slots=False, order=False, kw_only=False):
        """As dataclasses.dataclass, for what is used of it here."""
        if cls is None:
            return lambda made: dataclass(made, frozen=frozen, slots=slots, order=order, kw_only=kw_only)
        own = _declared(cls, kw_only)
        if slots:
            cls = _with_slots(cls, own)
        known = {}
        for base in reversed(cls.__mro__[1:]):
            known |= base.__dict__.get("__attributes__", {})
        cls.__attributes__ = known | own
        cls.__match_args__ = tuple(one.name for one in cls.__attributes__.values() if not one.kw_only)
        cls.__dataclass_fields__ = _Fields()
        cls.__compared__ = _getter([one.name for one in cls.__attributes__.values() if one.compare])
        given = cls.__dict__
        methods = {"__init__": _first_init(cls, frozen), "__repr__": _repr, "__eq__": _eq}
        if "__eq__" not in given:
            methods["__hash__"] = _hash if frozen else None
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse, "__getstate__": _values, "__setstate__": _set_values}
        if order:
            methods |= {"__lt__": _order(operator.lt), "__le__": _order(operator.le)}
            methods |= {"__gt__": _order(operator.gt), "__ge__": _order(operator.ge)}
        for name, method in methods.items():
            if name not in given or (name == "__hash__" and given[name] is None):
                setattr(cls, name, method)
        return cls


def _declared(cls: Any, kw_only: bool) -> dict[str, Attribute]:
    """The attributes that the class itself annotates; as class attributes only plain defaults stay."""
    found = {}
    for name, hint in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 - inspect is dear to import
        if str(hint).startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = cls.__dict__.get(name, MISSING)
        one = found[name] = given if isinstance(given, Attribute) else Attribute(given, MISSING, True, True, {})
        one.name, one.kw_only = name, kw_only
        if given is one and one.default is MISSING:
            delattr(cls, name)
        elif given is one:
            setattr(cls, name, one.default)
    return found


def _with_slots(cls: Any, own: dict[str, Attribute]) -> Any:
    """Slots cannot be added to a class: one more like it is made."""
    inside = {name: value for name, value in cls.__dict__.items() if name not in own and name not in ("__dict__", "__weakref__")}
    inside["__slots__"] = tuple(own)
    made = type(cls)(cls.__name__, cls.__bases__, inside)
    made.__qualname__ = cls.__qualname__
    return made


def _first_init(cls: Any, frozen: bool) -> Callable[..., None]:
    left = _UNCOMPILED

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 or not _fill(cls, self, args, kwargs):
            cls.__init__ = made = _compiled_init(cls, frozen)
            made(self, *args, **kwargs)

    return __init__


def _fill(cls: Any, one: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """What the compiled __init__ does; False, and nothing done, where it would refuse."""
    given = dict(zip(cls.__match_args__, args, strict=False))
    if len(args) > len(given) or given.keys() & kwargs.keys():
        return False
    given |= kwargs
    values = {name: given.pop(name) if name in given else of.make() for name, of in cls.__attributes__.items()}
    if given or any(value is MISSING for value in values.values()):
        return False
    for name, value in values.items():
        object.__setattr__(one, name, value)
    if hasattr(cls, "__post_init__"):
        one.__post_init__()
    return True


def _compiled_init(cls: Any, frozen: bool) -> Any:
    """The __init__ that takes the attributes in their order. A frozen object's are set past its own refusal."""
    scope: dict[str, Any] = {"MISSING": MISSING}
    words, lines, named = ["self"], [], False
    for one in sorted(cls.__attributes__.values(), key=lambda one: one.kw_only):
        name = one.name
        if one.kw_only and not named:
            named = True
            words.append("*")
        value = name
        if one.default_factory is not MISSING:
            scope[f"_factory_{name}"] = one.default_factory
            words.append(f"{name}=MISSING")
            value = f"_factory_{name}() if {name} is MISSING else {name}"
        elif one.default is not MISSING:
            scope[f"_default_{name}"] = one.default
            words.append(f"{name}=_default_{name}")
        else:
            words.append(name)
        if frozen:
            scope[f"_set_{name}"] = _setter(cls, name)
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(words)}):\n " + "\n ".join(lines or ["pass"]), scope)
    made = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _setter(cls: Any, name: str) -> Callable[[Any, Any], None]:
    slot = getattr(cls, name, None)
    if type(slot).__name__ == "member_descriptor":
        setter: Callable[[Any, Any], None] = slot.__set__  # type: ignore[union-attr]
        return setter
    return lambda self, value: object.__setattr__(self, name, value)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__attributes__])


def _set_values(self: Any, values: tuple[Any, ...]) -> None:
    for name, value in zip(self.__attributes__, values, strict=True):
        object.__setattr__(self, name, value)


def _getter(names: list[str]) -> Any:
    return attrgetter(*names) if names else staticmethod(lambda _self: ())


def _eq(self: Any, other: Any) -> bool:
    return bool(self.__compared__(self) == self.__compared__(other)) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in self.__attributes__.values() if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _order(compare_by: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return compare_by(self.__compared__(self), self.__compared__(other))

    return compare


def _refuse(self: Any, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


class _Fields:
    """`__dataclass_fields__`, for whoever asks the standard library about one of these classes."""

    def __get__(self, one: object, cls: Any) -> dict[str, Any]:
        import dataclasses

        def bare(of: Attribute) -> Any:
            given = {"default": of.default, "default_factory": of.default_factory}
            known = {name: value for name, value in given.items() if value is not MISSING}
            return dataclasses.field(**known, repr=of.repr, compare=of.compare, metadata=of.metadata, kw_only=of.kw_only)

        space = {"__annotations__": dict.fromkeys(cls.__attributes__, "object")}
        space |= {name: bare(of) for name, of in cls.__attributes__.items()}
        fields: dict[str, Any] = dataclasses.dataclass(type("Fields", (), space)).__dataclass_fields__  # type: ignore[attr-defined]
        return fields
