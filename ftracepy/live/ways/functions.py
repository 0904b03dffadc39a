"""Granting Functions: the function tracers in an instance of our own, probes at entry and return, or the idle top level.

Own probe events (see live/plan.py), several functions sharing each: `call` at a function's entry, with `arg1` … `arg6`
u64 where arguments are wanted; `call_end` at its return, with `ret` s64 where return values are. Where both are there they
have the stack pointer, `sp`, and `call` the address it returns `back` to: so a return finds its own entry.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.borrowed import value
from ftracepy.live.plan import EVERYBODY, ProbeDef, Tracer
from ftracepy.live.ways.nofunction import no_such_function
from ftracepy.probes import Functions, Way
from ftracepy.tracefs import files, functions, options, probes
from ftracepy.tracefs.functions import Function
from ftracepy.values import dataclass, replace

if TYPE_CHECKING:
    from ftracepy.live.aides.functioncounts import ByHist, ByProfile
    from ftracepy.live.ways.grant import Granting

_MOST_PROBES, _MOST_COUNTED = 64, 128  # functions: a probe takes some ms to set and to remove
_MOST_STACKS = 64  # a stack at each call of very many functions brings a machine to a halt
_RETURNING = 512  # calls of one function that may be on their way at once and are still seen to return
_ARGUMENTS = tuple(f"arg{n}=$arg{n}:u64" for n in range(1, 7))
_BACK = {"x86_64": "$stack0", "aarch64": "%x30"}  # where the address to return to is when a function begins
_INLINED = "what the compiler inlined"

TracerName = Literal["function", "function_graph"]


def grant(granting: Granting, wish: Functions) -> None:
    """Raises UsageFault for functions that cannot be traced, KernelCannot where no way to hook functions exists here."""
    if not wish.patterns:
        raise UsageFault("which kernel function?", hint="a name or a glob, as 'vfs_*'; ftracepy list functions shows them")
    one = _Hooks(granting, _heeded(granting, wish), _chosen(granting, wish))
    {"calls": one.calls, "spans": one.spans, "trees": one.trees, "counts": one.counts}[wish.watch]()


def _chosen(granting: Granting, wish: Functions) -> list[Function]:
    """Those that are to be hooked. Raises UsageFault where a pattern names none."""
    known = _known(granting)
    for pattern in (*wish.patterns, *wish.children):
        if not functions.matching(known, [pattern]):
            raise no_such_function(pattern, known)
    without = set(functions.matching(known, wish.exclude)) if wish.exclude else set()
    found = [one for one in functions.matching(known, wish.patterns) if one not in without]
    if not found:
        raise UsageFault("no function is left to be traced", why="every one that was named is excluded, too")
    return found


def _heeded(granting: Granting, wish: Functions) -> Functions:
    """The wish without exclusions that exclude nothing here: the kernel refuses a pattern of no function."""
    if not wish.exclude:
        return wish
    known = _known(granting)
    return replace(wish, exclude=tuple(one for one in wish.exclude if functions.matching(known, [one])))


def _known(granting: Granting) -> list[Function]:
    root = granting.tracefs.root
    try:
        return functions.available(root)
    except FtracepyError as error:
        why = f"{error.wrote or error.why}: neither its functions nor a filter for them may be touched"
        hint = "a kernel with CONFIG_FUNCTION_TRACER=y and CONFIG_DYNAMIC_FTRACE=y that permits its use"
        raise KernelCannot("this kernel's function tracer cannot be used", why=why, hint=hint) from None


@dataclass(slots=True)
class _Hooks:
    """One wish being granted; `chosen` are the functions that it names."""

    granting: Granting
    wish: Functions
    chosen: Sequence[Function]

    @property
    def _what(self) -> str:
        names = sorted({one.name for one in self.chosen})
        return f"calls of {names[0]}" if len(names) == 1 else f"calls of {len(names)} functions"

    def _way(self, how: str, misses: str = _INLINED) -> None:
        self.granting.plan.ways.append(Way(self._what, how, "kernel-copy", misses))

    def calls(self) -> None:
        if self.wish.stack and len(self.chosen) > _MOST_STACKS:
            why = f"{len(self.chosen)} functions are named, and a stack at each call of so many would stop the machine"
            raise UsageFault("too many functions for stacks", why=why, hint=f"{_MOST_STACKS} at most")
        both = "the tracer shows either stacks or arguments" if self.wish.stack and self.wish.args else ""
        missing = self._not_in_instance("function") or self._option_missing("func-args", self.wish.args) or both
        if not missing:
            self._trace("function", (("func_stack_trace", self.wish.stack), *self._if_known("func-args", self.wish.args)))
            self._way("the function tracer in a private instance")
        elif self._can_probe() and not self._too_many():
            self._probe(("call",))
            self._way(f"a kprobe on each ({missing})")
        elif not self._not_in_instance("function"):
            self._trace("function", (("func_stack_trace", self.wish.stack), *self._if_known("func-args", False)))
            self._way("the function tracer in a private instance", f"arguments ({missing}); {_INLINED}")
        else:
            raise self._none(missing)

    def spans(self) -> None:
        wish = self.wish
        missing = self._not_in_instance("function_graph") or self._wanted_missing()
        probes_missing = self._too_many() or ("it cannot leave out the time asleep" if wish.on_cpu else "")
        if not missing:
            self._graph(())
            self._way("the function_graph tracer in a private instance")
        elif self._can_probe() and not probes_missing:
            self._probe(("call", "call_end"))
            misses = "" if wish.irqs else "that interrupts were to be left out; "
            self._way(f"probes at entry and return ({missing})", misses + _INLINED)
        elif not self._not_in_instance("function_graph"):
            self._graph(())
            self._way("the function_graph tracer in a private instance", f"{missing}; {_INLINED}")
        elif "function_graph" in self._listed():
            self._graph((), top_level=True)
            self._way(
                f"the function_graph tracer of the top level, taken while idle ({missing})", self._wanted_missing() or _INLINED
            )
        else:
            raise self._none(missing)

    def trees(self) -> None:
        missing = self._not_in_instance("function_graph")
        if missing and "function_graph" not in self._listed():
            raise self._none(missing)
        self._graph(self._roots(), top_level=bool(missing))
        where = (
            f"of the top level, taken while idle ({missing})" if missing else "in a private instance, set_graph_function borrowed"
        )
        self._way(f"the function_graph tracer {where}", "; ".join(filter(None, (self._wanted_missing(), _INLINED))))
        if not self.wish.children:
            text = (
                "every function of the kernel is hooked meanwhile, which slows all of it; --children names those that are wanted"
            )
            self.granting.plan.notices.append(text)

    def counts(self) -> None:
        from ftracepy.live.aides.functioncounts import ByHist, ByProfile
        from ftracepy.live.ways.kernelcounts import hist_missing

        names, tracefs = sorted({one.name for one in self.chosen}), self.granting.tracefs
        missing = self._too_many(_MOST_COUNTED) or ("" if self._can_probe() else "there are no kprobes")
        no_hist = missing or hist_missing(self.granting)
        if not no_hist:
            self._count(ByHist(tracefs, names))
            self._way("a hist trigger on kprobes: counted in the kernel")
        elif not missing and self.granting.scope == EVERYBODY and not self.wish.by_task:
            self._count(ByProfile(tracefs, names))
            misses = f"who called: our own calls are counted, too; {_INLINED}"
            self._way("hits of kprobes: counted in the kernel (kprobe_profile)", misses)
        elif no_tracer := self._not_in_instance("function"):
            raise self._none("; ".join((str(no_hist), no_tracer)))
        else:
            self._trace("function", (("func_stack_trace", False), *self._if_known("func-args", False)))
            self._way(f"the function tracer in a private instance, every call recorded and counted here ({no_hist})")

    def _count(self, counter: ByHist | ByProfile) -> None:
        from ftracepy.live.aides.functioncounts import FunctionsAide

        granting = self.granting
        aide = FunctionsAide(COUNTS, counter, granting.tracefs, interval_s=self.wish.interval_s, scope=granting.scope)
        granting.plan.aides.append(aide)

    def _trace(self, name: TracerName, switches: tuple[tuple[str, bool], ...]) -> None:
        only, without = self._patterns(self.wish.patterns), self._patterns(self.wish.exclude)
        self.granting.plan.symbols = True
        self.granting.plan.tracer = Tracer(name, only=only, without=without, options=switches)

    def _graph(self, roots: tuple[str, ...], *, top_level: bool = False) -> None:
        wish = self.wish
        named = (*wish.patterns, *wish.children) if not roots or wish.children else ()
        switches = (("funcgraph-irqs", wish.irqs), ("sleep-time", not wish.on_cpu), ("funcgraph-args", wish.args),
                    ("funcgraph-retval", wish.returns))  # fmt: skip
        self.granting.plan.symbols = True
        self.granting.plan.tracer = Tracer(
            "function_graph",
            only=self._patterns(named),
            without=self._patterns(wish.exclude),
            roots=roots,
            options=tuple(pair for name, on in switches for pair in self._if_known(name, on)),
            globals_=self._globals(roots),
            top_level=top_level,
        )

    def _globals(self, roots: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """A threshold is left to us where somebody uses the kernel's, or arguments are wanted, which come with entries alone."""
        found = []
        if roots and self.wish.depth:
            found.append(("max_graph_depth", str(self.wish.depth)))
        if not roots and self.wish.least_us and not self.wish.args and self._is_threshold_idle():
            found.append(("tracing_thresh", str(self.wish.least_us)))
        return tuple(found)

    def _is_threshold_idle(self) -> bool:
        root = self.granting.tracefs.root
        return value(root, "tracing_thresh") == "0" and not functions.tracing(root, _TIMERS)

    def _roots(self) -> tuple[str, ...]:
        """set_graph_function knows no modules."""
        patterns = self.wish.patterns
        if all(functions.parted(pattern)[1] is None for pattern in patterns) and not self.wish.exclude:
            return patterns
        return tuple(sorted({one.name for one in self.chosen}))

    def _patterns(self, patterns: Sequence[str]) -> tuple[str, ...]:
        return tuple(functions.kernel_pattern(pattern) for pattern in patterns)

    def _probe(self, events: tuple[str, ...]) -> None:
        args = _ARGUMENTS if self.wish.args else ()
        ret = ("ret=$retval:s64",) if self.wish.returns else ()
        self.granting.plan.symbols = True
        names = sorted({one.name for one in self.chosen})
        places = ("sp=$stack:u64",) if "call_end" in events else ()
        back = (f"back={_BACK[machine]}:u64",) if places and (machine := os.uname().machine) in _BACK else ()
        kinds = {"call": ("p", (*args, *places, *back)), "call_end": (f"r{_RETURNING}", (*ret, *places))}
        for event in events:
            kind, fetched = kinds[event]
            for name in names:
                explain = partial(_without, name) if len(names) > 1 else None
                stack = self.wish.stack and event == "call"
                probe = ProbeDef(kind, event, name, fetched, "kprobe_events", stack=stack, explain=explain)
                self.granting.plan.kprobes.append(probe)

    def _can_probe(self) -> bool:
        return probes.supported(self.granting.tracefs.root, "kprobe_events")

    def _too_many(self, most: int = _MOST_PROBES) -> str:
        """Why probes are no way for these functions: each takes a while, and is set by name."""
        names = Counter(one.name for one in self.chosen)
        if len(names) > most:
            return f"more than {most} functions"
        several = next((name for name, count in names.items() if count > 1), "")
        return f"several functions are called {several}" if several else ""

    def _wanted_missing(self) -> str:
        gone = (
            self._option_missing("funcgraph-args", self.wish.args),
            self._option_missing("funcgraph-retval", self.wish.returns),
        )
        return "; ".join(filter(None, gone))

    def _option_missing(self, name: str, wanted: bool) -> str:
        return "" if not wanted or self._if_known(name, True) else f"this kernel has no option {name}"

    def _if_known(self, name: str, on: bool) -> tuple[tuple[str, bool], ...]:
        return ((name, on),) if options.exists(self.granting.tracefs.root, name) else ()

    def _listed(self) -> list[str]:
        return (files.try_read(self.granting.tracefs.root / "available_tracers") or "").split()

    def _not_in_instance(self, name: TracerName) -> str:
        """Why a tracer cannot be had in an instance; tried once per boot."""
        key = f"{self.granting.tracefs.root}/{name} in an instance"
        found: str = self.granting.verdicts.get(key, lambda: self._try(name))
        return found

    def _try(self, name: TracerName) -> str:
        from ftracepy.live.instance import Instance
        from ftracepy.live.tracer import try_in_instance

        if name not in self._listed():
            return f"this kernel has no {name} tracer"
        try:
            with Instance(self.granting.tracefs, clock="local", buffer_kb=4) as instance:
                instance.stop_recording()
                try_in_instance(instance, name, self.chosen[0].name)
        except FtracepyError as error:
            return f"no instance can have the {name} tracer here: {error.kernel or error.why}"
        return ""

    def _none(self, why: str) -> KernelCannot:
        hint = "a kernel with CONFIG_FUNCTION_GRAPH_TRACER=y, or CONFIG_KPROBE_EVENTS=y"
        return KernelCannot(f"cannot watch {self._what}", why=why, hint=hint)


def _without(name: str, error: FtracepyError) -> FtracepyError:
    """A probe that was refused, of a function that somebody may not even have meant."""
    hint = error.hint or f"-x {name} leaves it out"
    return FtracepyError(error.what, kernel=error.kernel, wrote=error.wrote, why=error.why, hint=hint)


COUNTS = "functions"  # the COUNTS facts of this wish are called so
_TIMERS = ("function_graph", "irqsoff", "preemptoff", "preemptirqsoff", "wakeup", "hwlat", "osnoise", "timerlat")
