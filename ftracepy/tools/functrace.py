"""functrace: show calls of kernel functions, one line each.

        PID COMM            CPU IN FUNCTION                 CALLER
       4711 sleep             1 -  do_nanosleep             hrtimer_nanosleep
          0 swapper           0 hi tick_sched_timer         __hrtimer_run_queues

FUNCTIONS are names, globs and MODULE:GLOB. IN is where the call happened: - in the task's own time, si in a softirq that
struck it, hi in a hard interrupt, nm in an NMI. -s shows the kernel's stack below each call; it costs so much that it
takes a few functions at most. --args shows the first six registers' worth of arguments, whether the function has them or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftracepy.analysis.spans import CALL, CALL_END, words
from ftracepy.analysis.stacks import Hit, Names, hits
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import number, own_probes, to_ns
from ftracepy.probes import Functions, Tasks, Wish
from ftracepy.schema import Schema
from ftracepy.tools.functionoptions import MANY, FunctionOptions, all_patterns
from ftracepy.tools.kit import Feed, Row, argument, col, flag, tool

_CONTEXTS = ((0x40, "nm"), (0x08, "hi"), (0x10, "si"))  # enum trace_flag_type, include/linux/trace_events.h
_INNER = frozenset({"[FTRACE TRAMPOLINE]"})


class Options(FunctionOptions):
    functions: tuple[str, ...] = argument("functions", many=True, help=MANY)
    stacks: bool = flag("-s", "--stacks", help="the kernel stack of each call")
    args: bool = flag("--args", help="the arguments: machine words, as registers hold them")
    no_irq: bool = flag("--no-irq", help="leave out calls that interrupts make")
    heading: bool = flag("-H", help="accepted for habit: the columns always have a heading")


class Traced(Row):
    pid: int = col(width=7, help="process that called, or that the interrupt struck")
    comm: str = col(width=15, help="name of the task then")
    cpu: int = col(width=3, help="CPU that it happened on")
    context: str | None = col(width=2, title="IN", help="interrupt that it happened in: softirq, hard, NMI")
    function: str = col(width=24, help="the function")
    caller: str | None = col(help="the function that called it")
    tid: int = col(place="data", help="thread that called")
    args: list[str] | None = col(place="below", help="words that the argument registers held")
    stack: list[str] | None = col(place="below", help="functions of the kernel, innermost first")


def _wishes(options: Options) -> tuple[Wish, ...]:
    named = all_patterns(options.functions)
    return Functions(named, "calls", options.exclude, args=options.args, stack=options.stacks), Tasks()


def _events(schema: Schema) -> list[int]:
    ends = own_probes(schema, CALL_END)
    found = [one for one in own_probes(schema, CALL) if one not in ends]
    traced = schema.event("ftrace", "function")
    return [*found, traced.id] if traced else found


@tool(wishes=_wishes, options=Options, row=Traced)
def functrace(feed: Feed, options: Options) -> Iterator[Traced]:
    tasks, names, ns = TaskTable(feed.schema), Names(feed.schema), to_ns(feed.schema.time)
    for hit in hits(feed, _events(feed.schema), tasks, stacks=options.stacks):
        event, context = hit.event, _context(hit.event.flags)
        if options.no_irq and context is not None:
            continue
        if options.admits(pid=hit.pid, tid=event.pid, comm=hit.comm):
            caller = number(event, "parent_ip")
            yield Traced(
                ts_ns=ns(event.ts), pid=hit.pid, comm=hit.comm, cpu=event.cpu, context=context,
                function=names.name(number(event, "ip") or number(event, "__probe_ip")),
                caller=names.name(caller) if caller else None, tid=event.pid,
                args=_args(hit), stack=_stack(hit),
            )  # fmt: skip


def _context(flags: int) -> str | None:
    return next((name for bit, name in _CONTEXTS if flags & bit), None)


def _args(hit: Hit) -> list[str] | None:
    found = words(hit.event, "args")
    if found is None and "arg1" in hit.event:
        found = tuple(number(hit.event, f"arg{n}") & (1 << 64) - 1 for n in range(1, 7))
    return None if found is None else [", ".join(hex(one) for one in found)]


def _stack(hit: Hit) -> list[str] | None:
    """Without the tracer's own frames."""
    return None if hit.stack is None else [name for name in hit.stack if name not in _INNER and not name.startswith("0x")]
