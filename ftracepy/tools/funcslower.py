"""funcslower: show calls of kernel functions that took longer than a threshold.

        PID COMM            CPU             US FUNCTION
       4711 sleep             1 $1000065.214   do_nanosleep
       4242 postgres          0 #   2418.007   vfs_fsync_range

The last word is the threshold in microseconds, the words before it are FUNCTIONS: names, globs and MODULE:GLOB. A call is
shown when it returns, so that one of these functions within another of them stands above it, set in; -t is when it began.
US is marked as funcgraph marks it; what else a slow call spent its time in, funcgraph -u shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ftracepy.analysis.spans import Span, Spans
from ftracepy.analysis.tasks import Tasks as TaskTable
from ftracepy.analysis.walk import walk
from ftracepy.errors import UsageFault
from ftracepy.probes import Functions, Tasks, Wish
from ftracepy.tools.functionoptions import TimedOptions, all_patterns, call_text, took
from ftracepy.tools.kit import Feed, Row, argument, col, tool


class Options(TimedOptions):
    words: tuple[str, ...] = argument("function us", many=True, help="functions, and last the threshold in microseconds")

    def check(self) -> None:
        super().check()
        if self.words and (self.threshold_us is None or len(self.words) < 2):
            raise UsageFault("which functions, and how slow?", hint="ftracepy funcslower vfs_read 1000")

    @property
    def functions(self) -> tuple[str, ...]:
        return all_patterns(self.words[:-1])

    @property
    def threshold_us(self) -> float | None:
        """None where the last word is no time."""
        try:
            us = float(self.words[-1])
        except (ValueError, IndexError):
            return None
        return us if us >= 0 else None


class Slow(Row):
    pid: int = col(width=7, help="process that called")
    comm: str = col(width=15, help="name of the task then")
    cpu: int = col(width=3, help="CPU that it returned on")
    took_ns: int = col(width=14, title="US", show=took, help="microseconds from its call to its return")
    call: str = col(
        title="FUNCTION", help="the function, set in under those traced around it; arguments and return value if asked for"
    )
    function: str = col(place="data", help="its name alone")
    depth: int = col(place="data", help="calls of the traced functions around it")
    tid: int = col(place="data", help="thread that called")
    args: list[int] | None = col(place="data", help="its arguments")
    ret: int | None = col(place="data", help="what it returned")


def _wishes(options: Options) -> tuple[Wish, ...]:
    wish = Functions(
        options.functions, "spans", options.exclude, least_us=int(options.threshold_us or 0), irqs=not options.no_irq,
        on_cpu=options.on_cpu, args=options.args, returns=options.returns,
    )  # fmt: skip
    return wish, Tasks()


@tool(wishes=_wishes, options=Options, row=Slow)
def funcslower(feed: Feed, options: Options) -> Iterator[Slow]:
    tasks, out = TaskTable(feed.schema), deque[Span]()
    least_ns = int((options.threshold_us or 0) * 1000)
    spans = Spans(feed.schema, tasks, out.append, irqs=not options.no_irq)
    for one in walk(feed, (spans, tasks), out):
        if one.took_ns >= least_ns and options.admits(pid=one.pid, tid=one.tid, comm=one.comm):
            yield Slow(
                ts_ns=one.start_ns, pid=one.pid, comm=one.comm, cpu=one.cpu, took_ns=one.took_ns,
                call="  " * one.depth + call_text(one.function, one.args, one.ret), function=one.function, depth=one.depth,
                tid=one.tid, args=None if one.args is None else list(one.args), ret=one.ret,
            )  # fmt: skip
