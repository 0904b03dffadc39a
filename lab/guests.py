"""Guests of one command: which kernel with which Debian, several at once, and a second try after a mishap."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import build, image, kernels, machine, terminal
from lab.debian import Apt, cache_dir

ROOT = Path(__file__).resolve().parents[1]
MISHAP = 125
_printing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Guest:
    """What is booted: a kernel, the archive with its Debian, and one with more packages where they were asked for."""

    kernel: kernels.Kernel
    base: Path
    extras: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kernel.package} ({self.kernel.architecture})"


@dataclass(frozen=True, slots=True)
class Told:
    """How a guest's last boot ended, and the last line its command wrote."""

    guest: Guest
    outcome: machine.Outcome
    last_line: str

    @property
    def status(self) -> int:
        return MISHAP if self.outcome.is_mishap else self.outcome.status

    @property
    def summary(self) -> str:
        outcome = self.outcome
        return f"{self.guest.title}: {outcome.end}, status {outcome.status}, {outcome.seconds:.1f} s: {self.last_line}"


def find(name: str, update: bool, packages: tuple[str, ...] = ()) -> Guest:
    """What to boot for the kernel `name`, with `packages` besides; fetched and made where not kept. Raises LabFault."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    architecture, _ = kernels.split(name)
    apt = Apt(cache / f"apt-{architecture}", architecture)
    if update:
        apt.update()
    kernel, base = kernels.get(name, apt, cache, update=update), image.base(apt, ROOT, cache)
    return Guest(kernel, base, (image.extras(apt, packages, base, cache),) if packages else ())


def run_all(guests: list[Guest], command: str, options: argparse.Namespace) -> list[Told]:
    """Every guest, `--jobs` at once; those not yet begun are left out after a failure, unless --keep-going."""
    failed = threading.Event()

    def go(guest: Guest) -> Told | None:
        if failed.is_set() and not options.keep_going:
            return None
        told = one(guest, command, options)
        if told.status:
            failed.set()
        return told

    machine.stopping.clear()
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            return [told for told in pool.map(go, guests) if told is not None]
        except BaseException:
            machine.stopping.set()
            pool.shutdown(cancel_futures=True)
            raise


def one(guest: Guest, command: str, options: argparse.Namespace) -> Told:
    """Boot and run `command`; a panic or hang of the guest is tried once more, with --again whatever went wrong."""
    for attempt in (1, 2):
        written = bytearray()
        outcome = boot(guest, command, options, _show if options.jobs == 1 else written.extend)
        told = Told(guest, outcome, (written.decode(errors="replace").strip().splitlines() or [""])[-1])
        with _printing:
            if written:
                _show(f"\n== {guest.title}\n".encode() + written)
            _tell(told, options)
            once_more = attempt == 1 and (outcome.is_mishap or (options.again and told.status != 0))
            if once_more:
                print(f"lab: {guest.title}: once more", file=sys.stderr)
        if not once_more:
            break
    return told


def boot(guest: Guest, command: str, options: argparse.Namespace, output: Callable[[bytes], object]) -> machine.Outcome:
    """Once."""
    with tempfile.TemporaryDirectory() as work:
        return machine.run(_boot(guest, command, options, Path(work)), output)


def shell(guest: Guest, options: argparse.Namespace) -> int:
    """A person at the guest's console; this terminal is left as it was found. Raises LabFault without a terminal."""
    with terminal.kept(), tempfile.TemporaryDirectory() as work:
        boot = _boot(guest, "", options, Path(work))
        print(f"lab: {guest.title}; switch it off with exit, a guest that hangs with Ctrl-A X", file=sys.stderr)
        return machine.shell(boot)


def _boot(guest: Guest, command: str, options: argparse.Namespace, work: Path) -> machine.Boot:
    given = {name: os.environ[name] for name in ("FTRACEPY_KERNEL_TESTS", "FTRACEPY_TWIN") if name in os.environ}
    kernel = guest.kernel
    if kernel.name in build.FRAGMENTS:
        given["LAB_KERNEL"] = kernel.name  # its release does not tell it from Debian's
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in {"FTRACEPY_KERNEL_TESTS": "require", **given}.items()
    )
    emulated = machine.EMULATED[image.machine(kernel.architecture)]
    settings = (
        f"LAB_SECONDS={options.seconds:g}\nLAB_SHELL={terminal.described() if options.shell else ''}\n"
        f"LAB_CONSOLE={emulated.console}\nLAB_OUTPUT={emulated.lines[0]}\nLAB_RESULT={emulated.lines[1]}\n"
    )
    job = {"lab/init": (ROOT / "lab/init").read_text(), "lab/settings": settings, "lab/job": f"{exports}{command}\n"}
    job["lab/bin/ftracepy"] = '#!/bin/sh\nexec python3 -P -m ftracepy.cli "$@"\n'
    if kernel.config:
        job[f"boot/{kernel.config.name}"] = kernel.config.read_text()
    initrd = work / "initrd"
    image.overlay(ROOT, guest.base, kernel.architecture, initrd, job)
    whole = work / "whole"
    with whole.open("wb") as out:
        for part in (guest.base, *guest.extras, initrd):
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
    memory_mb = machine.MEMORY_MB * (2 if guest.extras else 1)  # all of it is unpacked there
    return machine.Boot(kernel.image, whole, options.seconds, image.machine(kernel.architecture), options.cpus, memory_mb)


def _show(data: bytes | bytearray) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _tell(told: Told, options: argparse.Namespace) -> None:
    outcome = told.outcome
    if options.console or outcome.is_mishap:
        sys.stderr.write(outcome.console.decode(errors="replace").replace("\r", "")[-6000:])
    for name, data in outcome.files.items() if options.out else ():
        place = options.out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    print(f"lab: {told.guest.kernel.package}: {outcome.end}, status {outcome.status}, {outcome.seconds:.1f} s", file=sys.stderr)
