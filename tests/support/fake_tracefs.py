"""A tracefs made of plain files: for what must work without root, and for kernels that are not at hand.

Only files are faked, no behaviour: a write replaces a file's text from the front, as on a real setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HEADER_PAGE = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""

FORMAT = """\
name: {name}
ID: {id}
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int value;\toffset:8;\tsize:4;\tsigned:1;

print fmt: "value=%d", REC->value
"""

STATS = """\
entries: {entries}
overrun: {overrun}
commit overrun: {commit_overrun}
bytes: 4080
oldest event ts: 12345.678901
now ts: {now}
dropped events: {dropped}
read events: {read}
"""


def make(root: Path, *, events: Mapping[str, int] | None = None, cpus: int = 2) -> Path:
    """A tracefs at `root` with `events` ("system:name" -> id); returns the root."""
    put(root, "trace_clock", "[local] global counter uptime perf mono mono_raw boot tai x86-tsc\n")
    for name in (
        "set_event",
        "error_log",
        "uprobe_events",
        "saved_cmdlines",
        "printk_formats",
        "set_event_pid",
        "set_event_notrace_pid",
    ):
        put(root, name, "")
    for name, text in {"tracing_on": "1", "buffer_size_kb": "7 (expanded: 1408)", "buffer_percent": "50"}.items():
        put(root, name, text + "\n")
    put(root, "events/header_page", HEADER_PAGE)
    put(root, "events/header_event", "# compressed entry header\n")
    (root / "instances").mkdir()
    for cpu in range(cpus):
        put(root, f"per_cpu/cpu{cpu}/stats", stats_text())
    for full_name, number in (events or {"sched:sched_switch": 300, "ftrace:print": 5}).items():
        add_event(root, full_name, number)
    return root


def add_event(root: Path, full_name: str, number: int) -> None:
    system, _, name = full_name.partition(":")
    folder = f"events/{system}/{name}"
    for file, text in {
        "format": FORMAT.format(name=name, id=number),
        "id": f"{number}\n",
        "enable": "0\n",
        "filter": "none\n",
    }.items():
        put(root, f"{folder}/{file}", text)
    available = root / "available_events"
    available.write_text((available.read_text() if available.exists() else "") + full_name + "\n")


def stats_text(now: str = "12345.700001", **counts: int) -> str:
    names = ("entries", "overrun", "commit_overrun", "dropped", "read")
    return STATS.format(now=now, **{name: counts.get(name, 0) for name in names})


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
