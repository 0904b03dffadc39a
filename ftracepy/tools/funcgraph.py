"""funcgraph: show what kernel functions call, as a tree for each call of them, with the time each took.

        PID COMM            CPU             US FUNCTION
       4711 cat               1       2.170    vfs_read
       4711 cat               1       0.310      rw_verify_area
       4711 cat               1       0.120        security_file_permission
       4711 cat               1 +    31.904    vfs_read

FUNCTIONS are names, globs and MODULE:GLOB. A tree stands together, shown when its top call has returned: one task's,
whatever other CPUs did meanwhile. US is microseconds, marked + above 10, ! 100, # 1000 (1 ms), * 10 ms, @ 100 ms, $ 1 s.
A call whose return was not seen (a loss, the end) has no time; one shown before it returned gets a line } NAME then.
Interrupts that strike a call are in its tree, those that wake ftracepy to read the trace among them; --no-irq hides them.

While it runs, every function of the kernel is hooked, whatever -m says, unless --children names those that are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftracepy.analysis.calltrees import Call, CallTrees
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import drain, walk
from ftracepy.probes import Functions, Tasks, Wish
from ftracepy.tools.functionoptions import MANY, TimedOptions, all_patterns, call_text, patterns, positive, took
from ftracepy.tools.kit import Feed, Row, argument, col, flag, option, tool


class Options(TimedOptions):
    functions: tuple[str, ...] = argument("functions", many=True, help=MANY)
    depth: int | None = option("-m", "--depth", type=int, metavar="LEVELS", help="so many levels of calls at most")
    children: tuple[str, ...] = option(
        "--children", type=patterns, default=(), metavar="GLOB,GLOB", help="of what they call, these functions alone"
    )
    slower: float | None = option("-u", "--slower", type=float, metavar="US", help="only trees that took so many microseconds")
    no_durations: bool = flag("-D", help="no times")
    tail: bool = flag("-T", help="accepted for habit: the name stands at every line")

    def check(self) -> None:
        super().check()
        positive(self.depth, "a depth", "-m 3")
        positive(self.slower, "a time", "-u 100")


class _Head(Row):
    pid: int = col(width=7, help="process that called")
    comm: str = col(width=15, help="name of the task then")
    cpu: int = col(width=3, help="CPU that the call began on")


class _Time(Row):
    took_ns: int | None = col(width=14, title="US", show=took, help="microseconds from its call to its return")


class _Tail(Row):
    call: str = col(title="FUNCTION", help="the function, set in under its caller")
    function: str = col(place="data", help="its name alone")
    depth: int = col(place="data", help="calls around it, in its tree")
    part: str = col(place="data", help="whole; begin: its return was not seen yet; end: that return")
    tid: int = col(place="data", help="thread that called")
    args: list[int] | None = col(place="data", help="its arguments")
    ret: int | None = col(place="data", help="what it returned")


class Called(_Tail, _Time, _Head):
    pass


class Untimed(_Tail, _Head):
    pass


def _wishes(options: Options) -> tuple[Wish, ...]:
    wish = Functions(
        all_patterns(options.functions), "trees", options.exclude, options.children, depth=options.depth or 0,
        irqs=not options.no_irq, on_cpu=options.on_cpu, args=options.args, returns=options.returns,
    )  # fmt: skip
    return wish, Tasks()


def _row_for(options: Options) -> type[Called] | type[Untimed]:
    return Untimed if options.no_durations else Called


@tool(wishes=_wishes, options=Options, row=(Called, Untimed), row_for=_row_for)
def funcgraph(feed: Feed, options: Options) -> Iterator[Called | Untimed]:
    tasks = TaskTable(feed.schema)
    least_ns = int((options.slower or 0) * 1000)
    trees = CallTrees(feed.schema, tasks, least_ns=least_ns, irqs=not options.no_irq, depth=options.depth or 0)
    for call in walk(feed, (trees, tasks), trees.out):
        if options.admits(pid=call.pid, tid=call.tid, comm=call.comm):
            yield _row(call, options)
    trees.rest()
    for call in drain(trees.out):
        if options.admits(pid=call.pid, tid=call.tid, comm=call.comm):
            yield _row(call, options)


def _row(call: Call, options: Options) -> Called | Untimed:
    name = call_text(call.function, call.args, call.ret)
    values: dict[str, Any] = {
        "ts_ns": call.start_ns, "pid": call.pid, "comm": call.comm, "cpu": call.cpu,
        "call": "  " * call.depth + ("} " if call.part == "end" else "") + name, "function": call.function, "depth": call.depth,
        "part": call.part, "tid": call.tid, "args": None if call.args is None else list(call.args), "ret": call.ret,
    }  # fmt: skip
    return Untimed(**values) if options.no_durations else Called(took_ns=call.took_ns, **values)
