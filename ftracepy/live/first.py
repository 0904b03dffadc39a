"""The first three steps of an instance, made before the modules are loaded that know all of them: folder, clock, buffer.

The kernel needs longest for these, and loading what knows about them takes as long. So this imports nothing but what the
interpreter has loaded already; whatever is out of the ordinary is left to instance.py and journal.py, which begin afresh.
"""

from __future__ import annotations

import os
import sys

from ftracepy.live.meanwhile import Meanwhile
from ftracepy.live.room import AS_MADE, asked_kb, grown_kb, wanted_kb

ROOT = "/sys/kernel/tracing"
JOURNALS = "/run/ftracepy"
CLOCK = "mono"
SWITCH_S = 0.0005  # the thread must not wait 5 ms for its turn after each of its calls
_NUMBER = 0  # owner.py counts a process's runs from 1
_UNSAFE_MODE = 0o022
_FOLDER = 0o040000
_KIND = 0o170000


class First:
    """An instance of this process, its journal open as `fd`; `taken` by who undoes them from then on, else `drop` does.

    `wanted_kb` is the buffer that its tool wants, `buffer_kb` what it has (0: not known yet).
    """

    def __init__(self, tool: str) -> None:
        """Nothing is done yet: whoever is interrupted has what `drop` undoes already."""
        self.name = f"ftracepy_{os.getpid()}_{_start_ticks()}_{_NUMBER}"
        self.journal = f"{JOURNALS}/{self.name}.journal"
        self.path = f"{ROOT}/instances/{self.name}"
        self.header_page = self.header_event = b""
        self.wanted_kb = asked_kb(wanted_kb(tool))
        self.buffer_kb = 0
        self.made = self.sized = self.taken = False
        self.fd = -1
        self._work = Meanwhile(self._make)

    def start(self) -> bool:
        """Begin; False where it cannot even be noted."""
        try:
            self.fd = os.open(
                self.journal, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                boot = file.read().strip()
            head = f'"pid": {os.getpid()}, "start": {_start_ticks()}, "pid_ns": {os.stat("/proc/self/ns/pid").st_ino}'
            self._note(f'{{{head}, "boot": "{boot}", "root": "{ROOT}"}}')
            self.header_page, self.header_event = _text("header_page"), _text("header_event")
        except OSError:
            return False
        sys.setswitchinterval(SWITCH_S)
        self._work.start()
        os.sched_yield()  # begun at once: a new thread would wait where its maker runs on
        return True

    def _note(self, line: str) -> None:
        os.write(self.fd, line.encode() + b"\n")

    def wait(self) -> None:
        """Until all steps are done, or one was refused."""
        self._work.wait()

    def _make(self) -> None:
        self._note(f'{{"do": "instance", "name": "{self.name}"}}')
        os.mkdir(self.path)
        self.made = True
        made_kb = self._size_kb() if self.wanted_kb == AS_MADE else 0
        self._write("trace_clock", CLOCK)
        grown = grown_kb(self.wanted_kb, made_kb)
        if grown is not None:
            self._write("buffer_size_kb", str(grown))
        self.buffer_kb, self.sized = grown or made_kb, True

    def _size_kb(self) -> int:
        with open(f"{self.path}/buffer_size_kb", encoding="ascii") as file:
            return int(file.read())

    def _write(self, name: str, text: str) -> None:
        fd = os.open(f"{self.path}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def drop(self) -> None:
        """Undo it, if nobody has taken it."""
        self.wait()
        if self.taken:
            return
        self.taken = True
        if self.fd >= 0:
            os.close(self.fd)
        try:
            if self.made:
                os.rmdir(self.path)
            os.unlink(self.journal)
        except OSError:  # not there yet; or it stays, for `reset`
            return


def _text(name: str) -> bytes:
    """Read now: the lock that opening it takes is held all the while the steps take. b"": who wants it may ask again."""
    try:
        with open(f"{ROOT}/events/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def is_usual() -> bool:
    """Whether all is as usual: root, tracefs where it belongs, journals where they belong."""
    if "FTRACEPY_TRACEFS" in os.environ or "FTRACEPY_STATE" in os.environ or os.geteuid():
        return False
    return os.path.exists(f"{ROOT}/trace_clock") and os.path.exists("/proc/self/stat") and _has_private_folder()


def _start_ticks() -> int:
    """Field 22 of proc_pid_stat(5), as owner.py has it."""
    with open("/proc/self/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def _has_private_folder() -> bool:
    """Whether journals may lie there, as journal.py has it."""
    try:
        status = os.lstat(JOURNALS)
    except OSError:
        return False
    return status.st_mode & _KIND == _FOLDER and status.st_uid == os.geteuid() and not status.st_mode & _UNSAFE_MODE
