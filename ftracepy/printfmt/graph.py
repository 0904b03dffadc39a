"""The function_graph tracer's listing: where its events' fields are, and which of the tracer's options hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ftracepy.printfmt.arith import signed64
from ftracepy.printfmt.target import Target
from ftracepy.schema import EventFormat, Schema

# The tracer's own options with what they are where nothing else is said (trace_functions_graph.c, tracer_flags); retaddr
# has an event of its own, which nobody has recorded who did not want to see it.
_DEFAULTS = {
    "abstime": False, "cpu": True, "proc": False, "duration": True, "overhead": True, "tail": False, "overrun": False,
    "retaddr": True,
}  # fmt: skip
_FIELDS = (
    ("entry_func", "funcgraph_entry", "func"), ("entry_depth", "funcgraph_entry", "depth"),
    ("exit_func", "funcgraph_exit", "func"), ("exit_depth", "funcgraph_exit", "depth"),
    ("calltime", "funcgraph_exit", "calltime"), ("rettime", "funcgraph_exit", "rettime"),
    ("exit_overrun", "funcgraph_exit", "overrun"), ("exit_retval", "funcgraph_exit", "retval"),
    ("entry_retaddr", "fgraph_retaddr_entry", "retaddr"),
)  # fmt: skip
OLD_RETVAL = 4
_NEW_RETVAL = (6, 13)
# Events that hold what a function was called with, and where they have its address.
_CALLS = (("function", "ip"), ("funcgraph_entry", "func"), ("fgraph_retaddr_entry", "func"))
_PLAIN = ("function", "kernel_stack")  # a function trace and a stack are not made comments


def graph_events(schema: Schema) -> tuple[EventFormat, EventFormat] | None:
    """The events of a call's beginning and end, where the recording kernel had the tracer."""
    entry, end = schema.event("ftrace", "funcgraph_entry"), schema.event("ftrace", "funcgraph_exit")
    return (entry, end) if entry and end else None


def graph_options(options: Collection[str]) -> dict[str, int]:
    """The options that hold, given some as trace_options names them (funcgraph-proc, nofuncgraph-cpu)."""
    made = {
        name: int(f"funcgraph-{name}" in options or (on and f"nofuncgraph-{name}" not in options))
        for name, on in _DEFAULTS.items()
    }
    retval = "funcgraph-retval" in options
    made["flags"] = int("latency-format" in options)
    return made | {"retval": int(retval) * (2 if "funcgraph-retval-hex" in options else 1)}


def graph_settings(schema: Schema, options: Collection[str], cpus: int, target: Target) -> dict[str, int]:
    """All that the listing needs; `cpus` is how many the machine had, which gives the width of their column."""
    settings = graph_options(options) | {"cpu_digits": len(str(max(cpus - 1, 0)))}
    if settings["retval"] and target.release < _NEW_RETVAL:
        settings["retval"] |= OLD_RETVAL
    for name in ("irq_start", "irq_end"):
        settings[name] = signed64(target.symbol(f"__irqentry_text_{name[4:]}")) if target.exact else 0
    for number, event in zip(("entry", "exit"), graph_events(schema) or (), strict=True):
        settings[number] = event.id
    with_caller = schema.event("ftrace", "fgraph_retaddr_entry")
    settings["retaddr_entry"] = with_caller.id if with_caller else settings["entry"]
    for name, event_name, field_name in _FIELDS:
        format = schema.event("ftrace", event_name)
        field = format.field(field_name) if format else None
        whole = field is not None and field.size in {1, 2, 4, 8}
        settings[f"{name}_at"], settings[f"{name}_bytes"] = (field.offset, field.size) if field and whole else (0, 0)
    return settings


def argument_events(schema: Schema) -> dict[int, tuple[int, int]]:
    """Events that hold a function's arguments: where their function's address is, and where the arguments begin."""
    found = {}
    for name, function in _CALLS:
        format = schema.event("ftrace", name)
        places = format and _places(format, function)
        if format and places:
            found[format.id] = places
    return found


def _places(format: EventFormat, function: str) -> tuple[int, int] | None:
    called, arguments = format.field(function), format.field("args")
    return (called.offset, arguments.offset) if called and arguments else None


def plain_ids(schema: Schema) -> list[int]:
    """Events that keep lines of their own in a listing."""
    return [format.id for name in _PLAIN if (format := schema.event("ftrace", name))]


def graph_legend(options: Collection[str]) -> str:
    """The head of a listing (trace_functions_graph.c, __print_graph_headers_flags)."""
    return "# tracer: function_graph\n#\n" + "".join(f"#{line}\n" for line in _legend_lines(graph_options(options)))


def _legend_lines(on: dict[str, int]) -> Iterator[str]:
    parts = [
        ("     TIME       ", "      |         ", on["abstime"]),
        (" CPU", " |  ", on["cpu"]),
        ("  TASK/PID       ", "   |    |        ", on["proc"]),
        ("  DURATION   ", "   |   |      ", on["duration"]),
    ]
    yield "".join(title for title, _, shown in parts if shown) + "               FUNCTION CALLS"
    yield "".join(bar for _, bar, shown in parts if shown) + "               |   |   |   |"
