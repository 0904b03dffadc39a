"""Shares out the paths told of one thread among its opens, by order, by the texts passed, or by equal arguments."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ftracepy.values import dataclass

_NEAR_MOST = 16  # more are of a time too long to say anything
Asked = tuple[tuple[Any, ...], str | None]  # the call's arguments, and the path it passed where that was seen
Share = tuple[str | None, bool]  # a path, and whether it is the kernel's own word that it was this open's


@dataclass(slots=True)
class Told:
    """One fact, which nobody changes. Facts of one thread with equal `when` are in no known order; `written` is its time stamp.

    The file was opened between `since` and `when`.
    """

    path: str
    when: int
    written: int
    since: int = 0


def settled(spans: Sequence[tuple[int, int]], asked: Sequence[Asked], told: Sequence[Told]) -> list[Share]:
    """What is known of each open, from its start to its end, where all these were told of all of them."""
    if len(asked) == len(told) == 1:  # as below, without looking: one path is in order
        return [(told[0].path, True)]
    paths = in_order(asked, told) if len(asked) == len(told) else None
    sure = paths is not None or len({one.path for one in told}) == 1
    near: list[str | None] = [None] * len(asked) if sure else by_time(spans, told)
    found: list[Share] = []
    for (_key, passed), path, only in zip(asked, paths or share_out(asked, told), near, strict=True):
        if only is not None and (passed is None or same_name(passed, only)):
            found.append((only, passed is not None))
        else:
            found.append((path, sure))
    return found


def in_order(asked: Sequence[Asked], told: Sequence[Told]) -> list[str | None] | None:
    """One fact each, in order; None where the facts' order is not known or the texts passed speak against it."""
    if any(first.when == second.when and first.path != second.path for first, second in pairwise(told)):
        return None
    names = {_last(one.path) for one in told}
    for (_key, passed), one in zip(asked, told, strict=True):
        if passed is not None and _last(passed) != _last(one.path) and _last(passed) in names:
            return None
    return [one.path for one in told]


def by_time(spans: Sequence[tuple[int, int]], told: Sequence[Told]) -> list[str | None]:
    """For each open, from start to end, the one path that was told of that time; None where there are several, or none."""
    found: list[str | None] = []
    first = last = 0
    for start, end in spans:
        while first < len(told) and told[first].when < start:
            first += 1
        while last < len(told) and told[last].since <= end:
            last += 1
        near = {one.path for one in told[first:last]} if last - first <= _NEAR_MOST else ()
        found.append(next(iter(near)) if len(near) == 1 else None)
    return found


def same_name(passed: str, path: str) -> bool:
    """Whether both end in the same component."""
    return _last(passed) == _last(path)


def share_out(asked: Sequence[Asked], told: Sequence[Told]) -> list[str | None]:
    """For each open the path that its own text, or an open with equal arguments, or there being only one, points to."""
    found: list[str | None] = [None] * len(asked)
    if not told:
        return found
    paths = [one.path for one in told]
    _by_text(asked, paths, found)
    left = [at for at, path in enumerate(found) if path is None]
    if any(asked[at][1] is not None for at in left):
        return found
    unused = list(dict.fromkeys(path for path in paths if path not in found) or dict.fromkeys(paths))
    keys = list(dict.fromkeys(asked[at][0] for at in left))
    ordered = len({one.when for one in told}) == len(told)
    if len(unused) == len(keys) and (ordered or len(keys) == 1):
        by_key = dict(zip(keys, unused, strict=True))
        for at in left:
            found[at] = by_key[asked[at][0]]
    return found


def _by_text(asked: Sequence[Asked], paths: Sequence[str], found: list[str | None]) -> None:
    """A text names the file if its last component is that of exactly one path told, or of the next one unused."""
    unused: dict[str, deque[str]] = {}
    for path in paths:
        unused.setdefault(_last(path), deque()).append(path)
    same = {name: set(those) for name, those in unused.items()}
    for at, (_key, passed) in enumerate(asked):
        if passed is not None and (those := unused.get(name := _last(passed))) is not None:
            if those:
                found[at] = those.popleft()
            elif len(same[name]) == 1:
                found[at] = next(iter(same[name]))


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
