"""Signals as a shell's foreground has them: what runs the tests in the background or under nohup has them ignored."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
