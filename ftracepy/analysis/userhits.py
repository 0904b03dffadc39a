"""Hits of user probes: what was probed, text that was captured as words, and user stacks by name.

A stack is addresses; what lies there is told by the aide `maps`, a moment later, so a hit waits for it. The probe's own
file needs no maps: its place in memory follows from the address that was hit.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ftracepy.analysis.stacks import Hit, Hits, context_of
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, number, walk, ways_of
from ftracepy.schema import Schema
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.symbols import words
from ftracepy.symbols.usercode import Mapped, Maps, Names
from ftracepy.symbols.userprobes import CALLER
from ftracepy.values import dataclass, field

if TYPE_CHECKING:
    from ftracepy._fastparse import Event
    from ftracepy.analysis.feed import Feed

AIDE = b"maps"
_PATIENCE = 1_000_000_000
_IN_PAGE = 0xFFF
_PLACE_FIELDS = ("__probe_ip", "__probe_func")


@dataclass(frozen=True, slots=True)
class Probe:
    """One user probe event, from its USER_PROBE fact; `spots` are (file offset, label), `code` (file offset, bytes)."""

    event: str
    typed: str
    kind: str
    file: str
    identity: str
    spots: tuple[tuple[int, str], ...]
    code: tuple[tuple[int, int], ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    filter: str = ""


class UserHits(Hits):
    """Hits with user stacks, which end with the frame whose address is 0."""

    def __init__(self, schema: Schema, events: Collection[int], tasks: Tasks, *, stacks: bool) -> None:
        super().__init__(schema, events, tasks, stacks=stacks)
        self.probes: dict[str, list[Probe]] = {}
        self._code = Names()
        self._maps: dict[int, Maps] = {}
        self._unnamed: deque[tuple[Hit, list[int]]] = deque()
        self._is_told = False
        self._forms = schema.formats

    def walk(self, feed: Feed) -> Iterator[Hit]:
        """The hits of user probes, in order; of every own probe where the recording does not tell which those are."""
        for hit in walk(feed, (self, self._tasks), self.out):
            if not self.probes or self._forms[hit.event.id].name in self.probes:
                yield hit

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        wanted = dict(super().handlers(schema))
        if self._stacks and (form := schema.event("ftrace", "user_stack")):
            wanted[form.id] = self._stack
        if self._stacks and (form := schema.event("ftrace", "kernel_stack")):
            wanted[form.id] = self._other
        return wanted

    def _stack(self, event: Event) -> None:
        """The hit goes on waiting, for the maps."""
        hit = self._waiting.pop(context_of(event), None)
        self._settle(event)
        if hit is not None:
            addresses = [one & (1 << 64) - 1 for one in takewhile(bool, event.get("caller", ()))]
            self._unnamed.append((hit, addresses))
            if not self._is_told or self._maps_of(hit):
                self._name_until(hit.event.ts)
        self._release()

    def fact(self, fact: SideFact, ts: int) -> None:
        if fact.kind is Kind.HEADER:
            self._is_told = "frame pointers" in ways_of(fact)
        elif fact.kind is Kind.USER_PROBE and (probe := _probe(fact.body)):
            self.probes.setdefault(probe.event, []).append(probe)
        elif fact.kind is Kind.MAPS:
            self._maps[fact.tid] = Maps(fact.body)
        elif fact.kind is Kind.CAUGHT_UP and fact.body == AIDE:
            self._name_until(fact.when_ns)
            self._release()

    def lost(self) -> None:
        super().lost()
        self._release()

    def advance(self, now: int) -> None:
        for hit, _ in self._unnamed:
            hit.event = hit.event.keep()
        self._name_until(now - _PATIENCE)
        super().advance(now)

    def _name_until(self, when: int) -> None:
        """Name the stacks of hits up to a time: what has not been told by now will not be."""
        while self._unnamed and self._unnamed[0][0].event.ts <= when:
            hit, addresses = self._unnamed.popleft()
            hit.stack, hit.waits = self._named(hit, addresses), False

    def _places(self, hit: Hit) -> list[tuple[int, Probe, int]]:
        """What may have been hit: address, probe, offset in its file; the last bits agree, for files are mapped by pages."""
        form = self._forms[hit.event.id]
        address = next((number(hit.event, name) for name in _PLACE_FIELDS if hit.event.get(name) is not None), 0)
        probes = self.probes.get(form.name, ())
        return [(address, one, at) for one in probes for at, _ in one.spots if address and (address ^ at) & _IN_PAGE == 0]

    def _maps_of(self, hit: Hit) -> Maps | None:
        """What is told of the process, or of the one that it was forked from; None where it was not so at this hit."""
        for pid in (hit.pid, self._tasks.get(hit.pid).ppid):
            if (maps := self._maps.get(pid)) is not None and self._fits(hit, maps):
                return maps
        return None

    def _fits(self, hit: Hit, maps: Maps) -> bool:
        """Whether the probe's file lies where it was hit."""
        places = self._places(hit)
        mapped = maps.at(places[0][0]) if places else None
        return not places or any(mapped and at - mapped.start + mapped.offset == offset for at, _, offset in places)

    def _named(self, hit: Hit, addresses: list[int]) -> tuple[str, ...]:
        """Where a function starts its frame is not made yet, so the kernel misses its caller: that was fetched beside."""
        maps = self._maps_of(hit)
        caller = number(hit.event, CALLER)
        if caller and caller not in addresses[1:2]:
            addresses = [*addresses[:1], caller & (1 << 64) - 1, *addresses[1:]]
        return tuple(self._frame(hit, maps, address, bool(at)) for at, address in enumerate(addresses))

    def _frame(self, hit: Hit, maps: Maps | None, address: int, is_return: bool) -> str:
        mapped = maps.at(address) if maps else self._of_probe(hit, address)
        return self._code.frame(mapped, address, hit.pid, is_return=is_return) if mapped else hex(address)

    def _of_probe(self, hit: Hit, address: int) -> Mapped | None:
        """The probe's file alone, where nothing else is known: the code around the place is mapped with it."""
        if len(places := self._places(hit)) != 1:
            return None
        [(hit_at, probe, offset)] = places
        for first, size in probe.code:
            start = hit_at - offset + first
            if first <= offset < first + size and start <= address < start + size:
                return Mapped(start, start + size, first, probe.identity or "-", probe.file)
        return None


def _probe(body: bytes) -> Probe | None:
    """A USER_PROBE fact's object; None where it is damaged."""
    try:
        raw: dict[str, Any] = json.loads(body)
        spots = tuple((int(offset), str(label)) for offset, label in raw["spots"])
        texts = {str(name): str(pointer) for name, pointer in raw["texts"].items()}
        event, typed, kind, file, identity = (str(raw[key]) for key in ("event", "typed", "kind", "file", "identity"))
        code = tuple((int(offset), int(size)) for offset, size in raw.get("code", ()))
        return Probe(event, typed, kind, file, identity, spots, code, texts, str(raw.get("filter", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def text_of(event: Event, name: str, pointer: str, order: words.Order) -> tuple[str | None, bool]:
    """The text that was captured as words, and whether its end was; None where its pointer was 0."""
    raw = event.get(name)
    if number(event, pointer, 1) == 0 or not isinstance(raw, (tuple, list)):
        return None, True
    return words.text(raw, order)
