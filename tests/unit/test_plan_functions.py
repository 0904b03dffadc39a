"""Which way the wish Functions takes on which kernel: tracers in an instance, probes, or the top level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.live.plan import EVERYBODY, Plan, Scope, plan
from ftracepy.live.ways import functions as ways
from ftracepy.live.ways import kernelcounts
from ftracepy.probes import Functions
from ftracepy.tracefs import Tracefs
from tests.support import fake_tracefs

_NAMES = ["vfs_read", "vfs_write", "vfs_open", "twice", "twice", "ext4_sync [ext4]", *(f"many_{at}" for at in range(200))]
_OPTIONS = ("func_stack_trace", "funcgraph-irqs", "sleep-time")
SPANS = Functions(("vfs_read",), "spans")
TREES = Functions(("vfs_read", "vfs_w*"), "trees", depth=3)
COUNTS = Functions(("vfs_*",), "counts")
CALLS = Functions(("vfs_*",), "calls", exclude=("vfs_open",))

Kernel = Callable[..., Tracefs]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Makes a tracefs in which instances can have `instance` of the tracers that are listed; with kprobes and hist triggers."""

    def make(
        *instance: str, kprobes: bool = True, hist: bool = True, options: tuple[str, ...] = (),
        listed: str = "function_graph function nop",
    ) -> Tracefs:  # fmt: skip
        root = fake_tracefs.make(tmp_path / f"tracing{len(list(tmp_path.iterdir()))}")
        files = {"available_filter_functions": "\n".join(_NAMES), "available_tracers": listed, "tracing_thresh": "0\n"}
        files |= {"kprobe_events": ""} if kprobes else {}
        files |= {f"options/{name}": "1\n" for name in (*_OPTIONS, *options)}
        for name, text in files.items():
            fake_tracefs.put(root, name, text)
        monkeypatch.setenv("FTRACEPY_STATE", str(tmp_path / "state"))
        monkeypatch.setattr(ways._Hooks, "_try", lambda _, name: "" if name in instance else f"no instance has {name}")
        monkeypatch.setattr(kernelcounts, "hist_missing", lambda _: None if hist else "no hist triggers")
        return Tracefs(root)

    return make


def planned(tracefs: Tracefs, wish: Functions, scope: Scope = EVERYBODY) -> Plan:
    return plan([wish], tracefs, scope=scope)


def probes(made: Plan) -> list[tuple[str, str, str]]:
    return [(one.kind, one.event, one.place) for one in made.kprobes]


def test_calls_by_the_tracer_with_names_in_the_kernels_spelling(kernel: Kernel) -> None:
    tracer = planned(kernel("function"), replace(CALLS, patterns=("vfs_*", "ext4:*"))).tracer
    assert tracer is not None
    assert (tracer.name, tracer.only, tracer.without) == ("function", ("vfs_*", "*:mod:ext4"), ("vfs_open",))
    assert not tracer.top_level


def test_arguments_of_calls_come_from_probes_where_the_tracer_has_none(kernel: Kernel) -> None:
    made = planned(kernel("function"), replace(CALLS, args=True))
    assert made.tracer is None
    assert probes(made) == [("p", "call", "vfs_read"), ("p", "call", "vfs_write")]
    assert made.kprobes[0].args[0] == "arg1=$arg1:u64"


def test_arguments_of_calls_come_from_the_tracer_that_has_them(kernel: Kernel) -> None:
    tracer = planned(kernel("function", options=("func-args",)), replace(CALLS, args=True)).tracer
    assert tracer is not None
    assert ("func-args", True) in tracer.options
    both = planned(kernel("function", options=("func-args",)), replace(CALLS, args=True, stack=True))
    assert both.tracer is None


def test_stacks_of_very_many_functions_are_refused(kernel: Kernel) -> None:
    with pytest.raises(UsageFault):
        planned(kernel("function"), replace(CALLS, patterns=("many_*",), stack=True))


def test_spans_by_the_graph_tracer_of_an_instance(kernel: Kernel) -> None:
    made = planned(kernel("function", "function_graph"), replace(SPANS, least_us=500, irqs=False))
    assert made.tracer is not None
    assert (made.tracer.name, made.tracer.only, made.tracer.roots) == ("function_graph", ("vfs_read",), ())
    assert made.tracer.globals_ == (("tracing_thresh", "500"),)
    assert made.tracer.options == (("funcgraph-irqs", False), ("sleep-time", True))


def test_a_threshold_that_somebody_uses_is_left_alone(kernel: Kernel) -> None:
    tracefs = kernel("function_graph")
    (tracefs.root / "tracing_thresh").write_text("100\n")
    made = planned(tracefs, replace(SPANS, least_us=500))
    assert made.tracer is not None
    assert made.tracer.globals_ == ()


def test_spans_by_probes_where_no_instance_has_the_graph_tracer(kernel: Kernel) -> None:
    made = planned(kernel("function"), replace(SPANS, returns=True))
    assert made.tracer is None
    assert probes(made) == [("p", "call", "vfs_read"), ("r512", "call_end", "vfs_read")]
    assert "probes at entry and return" in made.ways[0].how


@pytest.mark.parametrize(
    "wish",
    [replace(SPANS, on_cpu=True), replace(SPANS, patterns=("many_*",)), replace(SPANS, patterns=("twice",))],
    ids=["time asleep", "too many", "a name of several functions"],
)
def test_spans_that_probes_cannot_take_go_to_the_top_level(kernel: Kernel, wish: Functions) -> None:
    made = planned(kernel("function"), wish)
    assert made.tracer is not None
    assert made.tracer.top_level
    assert "taken while idle" in made.ways[0].how


def test_trees_have_roots_and_a_depth(kernel: Kernel) -> None:
    made = planned(kernel("function_graph"), TREES)
    assert made.tracer is not None
    assert (made.tracer.only, made.tracer.roots) == ((), ("vfs_read", "vfs_w*"))
    assert made.tracer.globals_ == (("max_graph_depth", "3"),)
    assert "every function" in made.notices[0]


def test_trees_of_chosen_children_hook_nothing_else(kernel: Kernel) -> None:
    made = planned(kernel("function_graph"), replace(TREES, children=("ext4:*",)))
    assert made.tracer is not None
    assert made.tracer.only == ("vfs_read", "vfs_w*", "*:mod:ext4")
    assert made.notices == []


def test_roots_of_a_module_are_named_one_by_one(kernel: Kernel) -> None:
    made = planned(kernel("function_graph"), replace(TREES, patterns=("ext4:*",)))
    assert made.tracer is not None
    assert made.tracer.roots == ("ext4_sync",)


def test_trees_take_the_top_level_where_only_it_has_the_tracer(kernel: Kernel) -> None:
    made = planned(kernel("function"), TREES)
    assert made.tracer is not None
    assert made.tracer.top_level
    with pytest.raises(KernelCannot):
        planned(kernel("function", listed="function nop"), TREES)


@pytest.mark.parametrize(
    ("hist", "wish", "scope", "how"),
    [
        (True, COUNTS, EVERYBODY, "hist trigger"),
        (True, replace(COUNTS, by_task=True), Scope(pid=1), "hist trigger"),
        (False, COUNTS, EVERYBODY, "kprobe_profile"),
        (False, replace(COUNTS, by_task=True), EVERYBODY, "every call recorded"),
        (False, COUNTS, Scope(pid=1), "every call recorded"),
        (True, replace(COUNTS, patterns=("many_*",)), EVERYBODY, "every call recorded"),
        (True, replace(COUNTS, patterns=("twice",)), EVERYBODY, "every call recorded"),
    ],
)
def test_counting_in_the_kernel_where_it_can(kernel: Kernel, hist: bool, wish: Functions, scope: Scope, how: str) -> None:
    made = planned(kernel("function", hist=hist), wish, scope)
    assert how in made.ways[-1].how
    assert (made.tracer is None) == ("recorded" not in how)
    assert len(made.aides) == (0 if "recorded" in how else 1)


def test_nothing_at_all_is_possible(kernel: Kernel) -> None:
    tracefs = kernel(kprobes=False, listed="nop")
    for wish in (CALLS, SPANS, TREES, COUNTS):
        with pytest.raises(KernelCannot):
            planned(tracefs, wish)


def test_which_function_is_asked_for_only_when_live(kernel: Kernel) -> None:
    with pytest.raises(UsageFault) as fault:
        planned(kernel("function"), replace(CALLS, patterns=()))
    assert "which kernel function" in fault.value.what
    with pytest.raises(UsageFault):
        planned(kernel("function"), replace(CALLS, exclude=("*",)))
    with pytest.raises(UsageFault) as fault:
        planned(kernel("function"), replace(CALLS, patterns=("vfs_raed",)))
    assert "'vfs_read'" in fault.value.hint
