"""fanotify's reports as the kernel writes them (fanotify(7))."""

from __future__ import annotations

import struct

from ftracepy.live.aides import fanotify

OPEN, EXEC = fanotify.FAN_OPEN, fanotify.FAN_OPEN | fanotify.FAN_OPEN_EXEC
FSID = b"12345678"


def report(mask: int, tid: int, handle: bytes = b"", name: bytes = b"", fd: int = -1) -> bytes:
    """One struct fanotify_event_metadata, with a DFID_NAME record where there is a handle."""
    info = b""
    if handle:
        body = FSID + struct.pack("=Ii", len(handle), 1) + handle + name + b"\0"
        body += bytes(-len(body) % 4)
        info = struct.pack("=BBH", 2, 0, len(body) + 4) + body
    return struct.pack("=IBBHQii", 24 + len(info), 3, 0, 24, mask, fd, tid) + info
