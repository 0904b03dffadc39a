"""One boot of one kernel: start QEMU, watch its lines, and say how it ended.

A guest's own end (a status, be it a failure) is told apart from a panic, from a hang, and from QEMU's own failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import selectors
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab.debian import LabFault

End = Literal["done", "panic", "hang", "emulator"]
BOOT_SECONDS = 120
MEMORY_MB = 1024
_libc = ctypes.CDLL(None)
# Set where every guest shall be given up: the lab itself was interrupted.
stopping = threading.Event()
_PANIC = re.compile(rb"Kernel panic - not syncing|BUG: unable to handle|Oops: |kernel BUG at ")
_STATUS = re.compile(rb"^status (\d+)\n")
# Every kernel here has NVMe built in. nvme0n1 reads zeros, keeps nothing and takes 3 ms for each request, however many are under
# way; nvme1n1 keeps what is written to it, until the guest ends.
_DISKS = (
    ("-blockdev", "driver=null-co,node-name=slow,size=67108864,latency-ns=3000000,read-zeroes=on"),
    ("-device", "nvme,drive=slow,serial=slow"),
    ("-drive", "if=none,id=disk,driver=null-co,size=268435456,read-zeroes=on,snapshot=on"),
    ("-device", "nvme,drive=disk,serial=disk"),
)


class Stopped(Exception):
    """The guest was given up, for the lab was interrupted."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """How QEMU is asked for a machine: `lines` are the guest's names of the two serial ports beside the console."""

    options: tuple[str, ...]
    package: str
    console: str
    lines: tuple[str, str]
    line: str


EMULATED = {
    # 6.12 and later panic at random in guests of several processors under emulation when cmpxchg16b is offered.
    "x86_64": Emulated(("-cpu", "qemu64,-cx16"), "qemu-system-x86", "ttyS0", ("ttyS1", "ttyS2"), "isa-serial"),
    "aarch64": Emulated(("-M", "virt", "-cpu", "cortex-a57"), "qemu-system-arm", "ttyAMA0", ("ttyS0", "ttyS1"), "pci-serial"),
}


@dataclass(frozen=True, slots=True)
class Boot:
    """What to start."""

    kernel: Path
    initrd: Path
    seconds: float
    machine: str = "x86_64"
    cpus: int = 1
    memory_mb: int = MEMORY_MB


@dataclass(slots=True)
class Outcome:
    """How it ended. `status` is the command's own, with `end` "done"; 124 there: the command took too long."""

    end: End
    status: int = 0
    seconds: float = 0.0
    console: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_mishap(self) -> bool:
        """Whether the guest, not the command, came to grief."""
        return self.end != "done"


def command(boot: Boot, console: str, lines: Sequence[str] = ()) -> list[str]:
    """QEMU's command line; `console` is a character device's address, `lines` name the devices of the other ports."""
    what = EMULATED[boot.machine]
    settings = (
        f"console={what.console} panic=-1 oops=panic quiet loglevel=4 rdinit=/lab/init tsc=unstable mitigations=off "
        "random.trust_cpu=on"
    )
    qemu = [f"qemu-system-{boot.machine}", "-accel", "tcg,thread=multi", *what.options, "-smp", str(boot.cpus)]
    qemu += ["-m", f"{boot.memory_mb}M", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-net", "none"]
    qemu += [part for disk in _DISKS for part in disk]
    qemu += ["-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", settings, "-serial", console]
    return [*qemu, *(part for line in lines for part in ("-device", f"{what.line},chardev={line}"))]


def start(boot: Boot, command_line: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    """QEMU. Raises LabFault where it is not installed."""
    try:
        return subprocess.Popen(command_line, preexec_fn=_gentle, **streams)
    except FileNotFoundError:
        package = EMULATED[boot.machine].package
        raise LabFault(f"{command_line[0]} is not installed here\n  try     apt-get install {package}") from None


def shell(boot: Boot) -> int:
    """A person at the guest's console, until the guest is switched off."""
    with start(boot, command(boot, "mon:stdio")) as qemu:
        try:
            return qemu.wait()
        finally:
            qemu.kill()


def run(boot: Boot, output: Callable[[bytes], object]) -> Outcome:
    """Boot, pass on what the command writes as it comes, and return when the guest has ended or its time is over."""
    began = time.monotonic()
    with contextlib.ExitStack() as ends:
        ours, theirs = zip(*(map(ends.enter_context, socket.socketpair()) for _ in range(3)), strict=True)
        chardevs = [part for at, end in enumerate(theirs) for part in ("-chardev", f"socket,id=line{at},fd={end.fileno()}")]
        qemu = start(
            boot, command(boot, "chardev:line0", ["line1", "line2"]) + chardevs, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[end.fileno() for end in theirs], start_new_session=True,
        )  # fmt: skip
        try:
            for end in theirs:
                end.close()
            outcome = _watch(boot, qemu, ours, output)
        finally:
            qemu.kill()
            qemu.communicate()
    outcome.seconds = time.monotonic() - began
    return outcome


def _gentle() -> None:
    """In the emulator before it begins: it gives way to others, and goes when the lab is killed (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(1, signal.SIGKILL)
    os.nice(5)


def _watch(
    boot: Boot, qemu: subprocess.Popen[bytes], lines: tuple[socket.socket, ...], output: Callable[[bytes], object]
) -> Outcome:
    console, result = bytearray(), bytearray()
    takers: list[Callable[[bytes], object]] = [console.extend, output, result.extend]
    deadline = time.monotonic() + boot.seconds + BOOT_SECONDS
    with selectors.DefaultSelector() as selector:
        for line, taker in zip(lines, takers, strict=True):
            selector.register(line, selectors.EVENT_READ, taker)
        while selector.get_map():
            if stopping.is_set():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return Outcome(end="hang", console=bytes(console))
            for key, _ in selector.select(min(left, 1.0)):
                data = b""
                with contextlib.suppress(ConnectionResetError):
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                if data:
                    key.data(data)
                else:
                    selector.unregister(key.fileobj)
    return ended(bytes(console), bytes(result), (qemu.stderr.read() if qemu.stderr else b""))


def ended(console: bytes, result: bytes, complaint: bytes) -> Outcome:
    """What a guest that is off has left behind."""
    status = _STATUS.match(result)
    if status:
        return Outcome("done", int(status[1]), console=console, files=_files(result[status.end() :]))
    if _PANIC.search(console):
        return Outcome("panic", console=console)
    return Outcome("emulator" if not console else "hang", console=console + complaint)


def _files(packed: bytes) -> dict[str, bytes]:
    found = {}
    with contextlib.suppress(tarfile.TarError, EOFError, OSError), tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if (data := archive.extractfile(member)) is not None:
                found[os.path.normpath(member.name)] = data.read()
    return found
