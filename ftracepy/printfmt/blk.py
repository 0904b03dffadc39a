"""The block tracer's event, which kernels write but whose format they do not tell: struct blk_io_trace (blktrace_api.h)."""

from __future__ import annotations

from ftracepy.schema import EventFormat, Schema, parse_event_format

_COMMON = (("unsigned short common_type", 0, 2), ("unsigned char common_flags", 2, 1),
           ("unsigned char common_preempt_count", 3, 1), ("int common_pid", 4, 4))  # fmt: skip
_FIELDS = (("u64 sector", 16, 8), ("int bytes", 24, 4), ("int action", 28, 4), ("int pid", 32, 4), ("int device", 36, 4),
           ("int cpu", 40, 4), ("short error", 44, 2), ("short pdu_len", 46, 2), ("void data", 48, 0))  # fmt: skip


def blk_event(schema: Schema, id: int) -> EventFormat | None:
    """Its format, made up as trace-cmd does, where `id` is the one that belongs to it: the number after user_stack's."""
    before = schema.event("ftrace", "user_stack")
    if before is None or id != before.id + 1:
        return None
    common, own = ("\n".join(map(_line, fields)) for fields in (_COMMON, _FIELDS))
    text = f'name: blktrace\nID: {id}\nformat:\n{common}\n\n{own}\n\nprint fmt: "%d", REC->pid\n'
    return parse_event_format(text, "ftrace", schema.page.long_bytes)


def _line(field: tuple[str, int, int]) -> str:
    return f"\tfield:{field[0]};\toffset:{field[1]};\tsize:{field[2]};\tsigned:0;"
