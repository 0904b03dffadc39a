"""The function_graph tracer's events, as pages, in the fields of Linux 6.1."""

from __future__ import annotations

from tests.support.pages import event_format
from tests.support.recorded import Recorded, kallsyms

ENTRY = event_format("funcgraph_entry", 11, "unsigned long func; 8; 8; 0", "int depth; 16; 4; 1", system="ftrace")
EXIT = event_format(
    "funcgraph_exit", 10, "unsigned long func; 8; 8; 0", "int depth; 16; 4; 1", "unsigned int overrun; 20; 4; 0",
    "unsigned long long calltime; 24; 8; 0", "unsigned long long rettime; 32; 8; 0", system="ftrace",
)  # fmt: skip
NAMES = {"top": 0x1000, "middle": 0x2000, "leaf": 0x3000, "irq": 0x4000, "_etext": 0x5000}


class Graph(Recorded):
    """`enter` and `leave` of the functions of NAMES."""

    def __init__(self) -> None:
        super().__init__(ENTRY, EXIT, kallsyms=kallsyms(NAMES))

    def enter(self, ts: int, name: str, depth: int, *, pid: int = 7, cpu: int = 0, flags: int = 0) -> None:
        self.at(ts, "funcgraph_entry", func=NAMES[name], depth=depth, pid=pid, cpu=cpu, flags=flags)

    def leave(self, ts: int, name: str, depth: int, took: int, *, pid: int = 7, cpu: int = 0, flags: int = 0) -> None:
        """The tracer's own clock is not the trace's."""
        own = 1 << 40
        self.at(
            ts, "funcgraph_exit", func=NAMES[name], depth=depth, calltime=own, rettime=own + took, pid=pid, cpu=cpu, flags=flags
        )
