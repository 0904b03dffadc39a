"""Where a new recording is written: a file, or, for a pipe, files without names of which the whole goes into it at the end.

The format cannot be written in order: its head says where the last options are, these where each CPU's pages are.
"""

from __future__ import annotations

import os
import select
import stat
import tempfile
from contextlib import suppress

from ftracepy.errors import FtracepyError, UsageFault

STDOUT = "-"
_SEND_BYTES = 1 << 20


class Output:
    """The file being written, `fd`; of a pipe or a device, one without a name, which `send` copies into it.

    `spool` is what the names of files beside it begin with, "" where these have none. Raises UsageFault where `path`
    cannot hold a recording.
    """

    def __init__(self, path: str) -> None:
        self._pipe = _pipe(path)
        self.path = "standard output" if path == STDOUT else path
        self.spool = "" if self._pipe >= 0 else path
        self.folder = tempfile.gettempdir() if self._pipe >= 0 else os.path.dirname(os.path.abspath(path))
        try:
            self.fd = nameless() if self._pipe >= 0 else _create(path)
        except BaseException:
            self._close_pipe()
            raise
        self._room = -1

    def keep_room(self, size_bytes: int) -> None:
        """Hold so much of the disk until `free_room`; nothing where it refuses."""
        with suppress(OSError):
            self._room = nameless(self.folder)
            os.posix_fallocate(self._room, 0, size_bytes)

    def free_room(self) -> None:
        if self._room >= 0:
            os.close(self._room)
        self._room = -1

    @property
    def why(self) -> str:
        """What to add where the disk refuses."""
        return f"what goes into a pipe is kept in {self.folder} until it is whole ($TMPDIR)" if self._pipe >= 0 else ""

    def send(self, size_bytes: int) -> None:
        """Copy so many bytes into the pipe, where there is one; raises OSError (BrokenPipeError where its reader has gone)."""
        at = 0
        while self._pipe >= 0 and at < size_bytes:
            try:
                at += os.sendfile(self._pipe, self.fd, at, min(_SEND_BYTES, size_bytes - at))
            except BlockingIOError:
                select.select([], [self._pipe], [])

    def close(self) -> None:
        """A file without a name is gone then."""
        self.free_room()
        os.close(self.fd)
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            with suppress(OSError):
                os.close(self._pipe)


def nameless(folder: str | None = None) -> int:
    """A new file that nobody sees and that vanishes with us, where temporary files go or in `folder`; raises OSError."""
    with tempfile.TemporaryFile(buffering=0, dir=folder) as file:
        return os.dup(file.fileno())


def _pipe(path: str) -> int:
    """What to send the recording to, open; -1 where it is a file. Opening a named pipe waits for its reader."""
    try:
        mode = os.stat(path).st_mode if path != STDOUT else os.fstat(1).st_mode
        if path != STDOUT and not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
            return -1
        fd = os.dup(1) if path == STDOUT else os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise _refused(path, error) from None
    if os.isatty(fd):
        os.close(fd)
        raise UsageFault("a recording is not for a terminal", hint="-o FILE.dat, or a pipe behind this command")
    return fd


def _create(path: str) -> int:
    try:
        # Arguments, paths and kernel addresses of a whole machine: not for every user's eyes.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise _refused(path, error) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UsageFault(f"cannot write the recording '{path}'", why="it is neither a file nor a pipe")
    return fd


def _refused(path: str, error: OSError) -> FtracepyError:
    return UsageFault(f"cannot write the recording '{path}'", kernel=os.strerror(error.errno or 0))
