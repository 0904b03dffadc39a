"""Names of error numbers, the kernel's own restart codes among them, which a program never sees."""

from __future__ import annotations

import errno

ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK = 512, 513, 514, 516
RESTARTS = frozenset({-ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK})
MAX_ERRNO = 4095

# include/linux/errno.h
_KERNEL = {
    512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 515: "ENOIOCTLCMD", 516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER", 518: "EOPENSTALE", 519: "ENOPARAM", 521: "EBADHANDLE", 522: "ENOTSYNC", 523: "EBADCOOKIE",
    524: "ENOTSUPP", 525: "ETOOSMALL", 526: "ESERVERFAULT", 527: "EBADTYPE", 528: "EJUKEBOX", 529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT", 531: "ENOGRACE",
}  # fmt: skip
# Numbers with two names: the one the kernel's headers define, not the other.
_FIRST_NAME = {errno.EAGAIN: "EAGAIN", errno.EDEADLK: "EDEADLK", errno.EOPNOTSUPP: "EOPNOTSUPP"}


def name(number: int) -> str:
    """The name of error `number` (positive); the number itself where it has none."""
    return _FIRST_NAME.get(number) or errno.errorcode.get(number) or _KERNEL.get(number) or str(number)


def failed(ret: int) -> bool:
    """Whether a system call's return value means an error (kernel: IS_ERR_VALUE)."""
    return -MAX_ERRNO <= ret < 0
