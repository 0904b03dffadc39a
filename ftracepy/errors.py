"""One family of errors: what failed, what the kernel said, what to try next, and the exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Every way a command can end; signals add 128 + their number, as shells do."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNSUPPORTED = 3
    DENIED = 4
    LOST = 5


class FtracepyError(Exception):
    """A failure that a person can act on.

    `what` is one clause without a full stop ("cannot probe the kernel function 'x'");
    `kernel` is what the kernel answered, several lines where a caret points into a command;
    `wrote` is the file (and errno) the answer was about; `why` is our explanation;
    `hint` is the next thing to do.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, kernel: str = "", wrote: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kernel = kernel
        self.wrote = wrote
        self.why = why
        self.hint = hint

    def lines(self) -> list[str]:
        """The message as lines of text, the first without the program's name."""
        parts = [("kernel", self.kernel), ("wrote", self.wrote), ("because", self.why), ("try", self.hint)]
        return [self.what, *(line for label, text in parts if text for line in _labelled(label, text))]


def _labelled(label: str, text: str) -> list[str]:
    first, *rest = text.splitlines()
    return [f"  {label:<8}{first}", *(f"  {'':<8}{line}" for line in rest)]


class UsageFault(FtracepyError):
    """The command line asks for something that cannot be meant."""

    exit_code = ExitCode.USAGE


class KernelCannot(FtracepyError):
    """This kernel lacks what is needed; `hint` names the CONFIG_ or setting that would give it."""

    exit_code = ExitCode.UNSUPPORTED


class NotPermitted(FtracepyError):
    """The kernel could, but does not let this user, container or locked-down system."""

    exit_code = ExitCode.DENIED


class DataLost(FtracepyError):
    """Events were lost where --strict forbids it."""

    exit_code = ExitCode.LOST


class RecordingFault(FtracepyError):
    """A recording that cannot be read: says where (byte offset) and why."""
