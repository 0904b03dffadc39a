"""The kernel's `print fmt` language: text to tree to a compact program that C (or its twin) runs."""

from ftracepy.printfmt.blk import blk_event
from ftracepy.printfmt.bprint import compile_printk
from ftracepy.printfmt.compile import compile, compile_for
from ftracepy.printfmt.graph import argument_events, graph_events, graph_legend, graph_settings, plain_ids
from ftracepy.printfmt.nodes import PrintFmt, PrintFmtFault
from ftracepy.printfmt.parser import parse
from ftracepy.printfmt.program import Program
from ftracepy.printfmt.target import Form, Style, Target, target_of
from ftracepy.printfmt.tracers import TRACERS_OWN

__all__ = [
    "TRACERS_OWN",
    "Form",
    "PrintFmt",
    "PrintFmtFault",
    "Program",
    "Style",
    "Target",
    "argument_events",
    "blk_event",
    "compile",
    "compile_for",
    "compile_printk",
    "graph_events",
    "graph_legend",
    "graph_settings",
    "parse",
    "plain_ids",
    "target_of",
]
