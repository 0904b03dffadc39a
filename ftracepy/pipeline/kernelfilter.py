"""The filter that the events of a live run have in the kernel, given and taken back while it goes on.

What does not pass is not recorded, so each change is written into the trace as a FILTER fact: whoever looks at this run, or at
a recording of it, is told from when to when something is missing, and what.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ftracepy.analysis.kernelfilters import Told
from ftracepy.analysis.kernelhits import Facts, is_entry
from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.sidefacts import Kind, SideFact
from ftracepy.values import replace

if TYPE_CHECKING:
    from ftracepy.live import LiveSource
    from ftracepy.schema import EventFormat


class KernelFilter:
    """`typed` is the filter that holds now ("": everything is recorded), `since` the time of day from which it does.

    `partly` says in a few words what of it the kernel does not mind. `fields` are what the run says of its probes' fields:
    their values are not what the kernel compares.
    """

    def __init__(self, live: LiveSource) -> None:
        self._live = live
        self.typed, self.since, self.partly = "", "", ""
        self._given: dict[tuple[str, str], str] = {}
        self.fields = Facts()
        for fact in live.plan.facts:
            self.fields.fact(fact, 0)

    def give(self, typed: str, told: Callable[[EventFormat], Told | None]) -> int:
        """Have the kernel record only what passes `typed`: `told` says for an event how, None that it must stay as it is.

        Returns of how many events it is a filter now. Raises UsageFault where the kernel can be told nothing of it,
        FtracepyError with the kernel's words where it refuses; everything is recorded then.
        """
        try:
            texts, partly = self._texts(told)
            self._say(f"from here on only this is recorded{partly}: {typed}")
            self.typed, self.since, self.partly = typed, time.strftime("%H:%M:%S"), partly
            self._set(texts)
        except FtracepyError:
            self.take_back()
            raise
        return len(texts)

    def take_back(self) -> int:
        """Have everything recorded again; of no event it is a filter then."""
        self._set({})
        typed, self.typed = self.typed, ""
        if typed:
            self._say(f"from here on everything is recorded; since {self.since} it was only{self.partly}: {typed}")
        return 0

    def remind(self) -> None:
        """Say once more what is recorded, for a recording that holds no more of the past than a while."""
        if self.typed:
            self._say(f"since {self.since} only this is recorded{self.partly}: {self.typed}")

    def _texts(self, told: Callable[[EventFormat], Told | None]) -> tuple[dict[tuple[str, str], str], str]:
        """The filters by event, without those that let everything pass, and what they do not mind. Raises UsageFault."""
        schema = self._live.schema
        forms = [(one, form) for one in self._live.watched if (form := schema.event(one.system, one.name))]
        for why, is_so in (
            ("stacks are written by triggers, which mind no filter", any(one.stack for one, _form in forms)),
            ("a call and its return are one here", any(is_entry(form) for _one, form in forms)),
        ):
            if is_so:
                raise UsageFault("the kernel cannot filter this", why=why)
        found = [(one, told(form)) for one, form in forms]
        texts = {(one.system, one.name): which.text for one, which in found if which and which.text}
        unknown = sorted({name for _one, which in found if which for name in which.unknown})
        needed = [one.name for one, which in found if which is None]
        if not texts and (unknown or needed):
            knows = f"it knows nothing of {', '.join(unknown)}" if unknown else f"all of {', '.join(needed)} is needed"
            raise UsageFault("the kernel cannot filter this", why=knows)
        partly = [*(["not minding " + ", ".join(unknown)] if unknown else ()), *(["all " + ", ".join(needed)] if needed else ())]
        return texts, f" ({'; '.join(partly)})" if partly else ""

    def _set(self, wanted: dict[tuple[str, str], str]) -> None:
        """Where an event refuses, those after it are as they were."""
        for one in self._live.watched:
            key = (one.system, one.name)
            text = wanted.get(key, "")
            if text != self._given.get(key, ""):
                self._given[key] = text
                self._live.instance.set_filter(replace(one, filter=_both(one.filter, text)))

    def _say(self, text: str) -> None:
        self._live.mark(SideFact(Kind.FILTER, 0, time.monotonic_ns(), text.encode(errors="surrogateescape")))


def _both(own: str, given: str) -> str:
    return f"({own}) && ({given})" if own and given else own or given
