"""A format string cut into literal text and conversions (%-16s, %016llx, %pI4 …)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftracepy.printfmt.nodes import PrintFmtFault
from ftracepy.printfmt.program import ALT, LEFT, PLUS, SPACE, ZERO
from ftracepy.values import dataclass

_SPEC = re.compile(
    rb"%(?P<flags>[-+ #0]*)(?P<width>\*|\d+)?(?P<dot>\.(?P<precision>\*|-?\d+)?)?"
    rb"(?P<length>hh|h|ll|l|L|q|z|Z|j|t)?(?P<conv>[a-zA-Z%])"
)
_POINTER = re.compile(
    rb"[Ii]6c|[Ii]4[hnbl]|[Ii][46]|[Ii]S[pfsc]*|M[FR]?|mR?|[SsFfB][RBb]{0,2}|U[bBlL]?|h[CDN]?|bl?|[dD][234]?|a[dp]?|[KxXgVErRNGtOCe]"
)
_FLAG_BITS = {ord("-"): LEFT, ord("0"): ZERO, ord("+"): PLUS, ord(" "): SPACE, ord("#"): ALT}
_LENGTHS = {b"hh": 1, b"h": 2, b"ll": 8, b"L": 8, b"q": 8, b"j": 8}
STARRED = -2


@dataclass(frozen=True, slots=True)
class Spec:
    """One conversion. `width` and `precision`: STARRED when an argument gives them; -1 is none (width 0 is none).

    `size` is the bytes of the number its length modifier names; `pointer` what follows %p.
    """

    conv: str
    flags: int = 0
    width: int = 0
    precision: int = -1
    size: int = 4
    pointer: str = ""


def split(template: bytes, long_bytes: int = 8) -> Iterator[bytes | Spec]:
    """Literals and conversions of `template` in order; raises PrintFmtFault on a conversion that is none."""
    at = 0
    while (percent := template.find(b"%", at)) >= 0:
        if percent > at:
            yield template[at:percent]
        if not (match := _SPEC.match(template, percent)):
            raise PrintFmtFault(f"bad conversion at {percent}")
        at = match.end()
        if match["conv"] == b"%":
            yield b"%"
            continue
        spec = _spec(match, long_bytes)
        if spec.conv == "p" and (suffix := _POINTER.match(template, at)):
            at = suffix.end()
            spec = Spec("p", spec.flags, spec.width, spec.precision, long_bytes, suffix[0].decode())
        yield spec
    if at < len(template):
        yield template[at:]


def _spec(match: re.Match[bytes], long_bytes: int) -> Spec:
    flags = 0
    for flag in match["flags"]:
        flags |= _FLAG_BITS[flag]
    length = match["length"]
    size = 4 if length is None else _LENGTHS.get(length, long_bytes)
    precision = -1 if match["dot"] is None else _number(match["precision"] or b"0")
    return Spec(match["conv"].decode(), flags, _number(match["width"] or b"0"), precision, size)


def _number(text: bytes) -> int:
    """Widths far beyond any real text are a sign of damage, not of a wish."""
    if text == b"*":
        return STARRED
    value = int(text)
    if abs(value) > 4096:
        raise PrintFmtFault("width out of reason")
    return value
