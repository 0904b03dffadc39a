"""The lab's command line; `scripts/lab` says how to use it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from lab import image, kernels, machine, table
from lab.debian import Apt, LabFault, cache_dir

ROOT = Path(__file__).resolve().parents[1]
TESTS = "python3 -P -m pytest -q -p no:cacheprovider tests/kernel"
RECORD = "sh lab/record"
SURVEY = "python3 -P -m lab.survey"
_SECONDS = 900.0
MISHAP = 125


def main(arguments: list[str]) -> int:
    own, _, given = _split(arguments)
    options = _parser().parse_args(own)
    if options.record:
        options.out, given = ROOT / "fixtures", [RECORD]
    names = list(kernels.MATRIX) if options.all or options.table else options.kernel
    if not names:
        _parser().error("name a kernel, or --all")
    try:
        return _run(names, shlex.join(given) if len(given) > 1 else "".join(given) or TESTS, options)
    except LabFault as fault:
        print(f"lab: {fault}", file=sys.stderr)
        return MISHAP
    except KeyboardInterrupt:
        return 130


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], "--", arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/lab", usage="scripts/lab KERNEL... [OPTION]... [-- COMMAND]")
    parser.add_argument("kernel", nargs="*", help='"5.10", "6.1", "6.12", "newest", or the path of an image')
    parser.add_argument("--all", action="store_true", help="the whole matrix, one after the other")
    parser.add_argument("--keep-going", action="store_true", help="with several kernels: go on after a failure")
    parser.add_argument("--table", action="store_true", help="look at the whole matrix and write docs/kernels.md")
    parser.add_argument("--record", action="store_true", help="record every tool's fixture there, into fixtures/")
    parser.add_argument("--shell", action="store_true", help="a shell in the guest instead of a command")
    parser.add_argument("--update", action="store_true", help="look for newer kernels in Debian's lists first")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where files the command left in /lab/out are put")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long the command may take (default %(default)g)")
    parser.add_argument("--cpus", type=int, default=1, help="processors of the guest (default %(default)s)")
    parser.add_argument("--console", action="store_true", help="show the guest's kernel messages at the end")
    parser.add_argument("--arch", choices=("amd64", "arm64"), default="amd64", help="processor (default %(default)s)")
    return parser


def _run(names: list[str], command: str, options: argparse.Namespace) -> int:
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    apt = Apt(cache / f"apt-{options.arch}", options.arch)
    if options.update:
        apt.update()
    base = image.base(apt, ROOT, cache)
    worst = 0
    surveys: list[table.Survey] = []
    for name in names:
        kernel = kernels.get(name, apt, cache, update=options.update)
        outcome = one(kernel, base, SURVEY if options.table else command, options)
        if outcome is None:
            return 0
        status = MISHAP if outcome.is_mishap else outcome.status
        if options.table and not status:
            surveys.append(json.loads(outcome.files["survey.json"]))
        worst = worst or status
        if status and not options.keep_going:
            break
    if options.table and not worst:
        (ROOT / "docs/kernels.md").write_text(table.render(surveys))
    return worst


def one(kernel: kernels.Kernel, base: Path, command: str, options: argparse.Namespace) -> machine.Outcome | None:
    """Boot `kernel`, run `command`; a panic or hang of the guest is tried once more. None after a shell."""
    for attempt in (1, 2):
        outcome = boot(kernel, base, command, options)
        if outcome is None:
            return None
        _tell(kernel, outcome, options)
        if not outcome.is_mishap or attempt == 2:
            break
        print(f"lab: {kernel.package}: once more", file=sys.stderr)
    return outcome


def boot(kernel: kernels.Kernel, base: Path, command: str, options: argparse.Namespace) -> machine.Outcome | None:
    """None after a shell."""
    quiet = {name: os.environ[name] for name in ("FTRACEPY_KERNEL_TESTS", "FTRACEPY_TWIN") if name in os.environ}
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in {"FTRACEPY_KERNEL_TESTS": "require", **quiet}.items()
    )
    emulated = machine.EMULATED[image.machine(options.arch)]
    settings = (
        f"LAB_SECONDS={options.seconds:g}\nLAB_SHELL={'yes' if options.shell else ''}\n"
        f"LAB_CONSOLE={emulated.console}\nLAB_OUTPUT={emulated.lines[0]}\nLAB_RESULT={emulated.lines[1]}\n"
    )
    job = {"lab/init": (ROOT / "lab/init").read_text(), "lab/settings": settings, "lab/job": f"{exports}{command}\n"}
    if kernel.config:
        job[f"boot/{kernel.config.name}"] = kernel.config.read_text()
    with tempfile.TemporaryDirectory() as work:
        initrd = Path(work) / "initrd"
        image.overlay(ROOT, base, options.arch, initrd, job)
        whole = Path(work) / "whole"
        with whole.open("wb") as out:
            for part in (base, initrd):
                out.write(part.read_bytes())
        what = machine.Boot(kernel.image, whole, options.seconds, image.machine(options.arch), options.cpus)
        if options.shell:
            machine.shell(what)
            return None
        return machine.run(what, _show)


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _tell(kernel: kernels.Kernel, outcome: machine.Outcome, options: argparse.Namespace) -> None:
    if options.console or outcome.is_mishap:
        sys.stderr.write(outcome.console.decode(errors="replace").replace("\r", "")[-6000:])
    for name, data in outcome.files.items() if options.out else ():
        place = options.out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    print(f"lab: {kernel.package}: {outcome.end}, status {outcome.status}, {outcome.seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
