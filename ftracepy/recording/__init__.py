"""Source 2: trace.dat files, read as if a kernel were speaking, and written from the pages a kernel gave."""

from __future__ import annotations

from ftracepy.recording.follow import Following, follow
from ftracepy.recording.reader import Recording
from ftracepy.recording.reader import open_recording as open
from ftracepy.recording.writer import Writer

__all__ = ["Following", "Recording", "Writer", "follow", "open"]
