"""The lab's command line; `scripts/lab` says how to use it."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path

from lab import kept, kernels, originals, table
from lab.debian import LabFault, Unreachable
from lab.guests import MISHAP, ROOT, Told, find, run_all, shell

# Without a COMMAND: every live test, or each tool's counted ones with what nothing may get wrong anywhere.
SUITE = "python3 -P -m lab.survey"
BRIEF = f"{SUITE} -m 'counted or everywhere'"
RECORD = "lab/record"
_SECONDS = 900.0
UNREACHABLE = 69
_SUITE_SECONDS = 5400.0


def main(arguments: list[str]) -> int:
    own, given = _split(arguments)
    parser = _parser()
    options = parser.parse_args(own)
    if (wrong := _contradiction(options, given)) is not None:
        parser.error(wrong)
    names = options.kernel or (list(kernels.MATRIX) if options.all or options.prepare else [])
    if options.table and not names:
        return _write_table()
    if not names:
        parser.error("name a kernel, or --all")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, _end)
    try:
        return _run(names, _command(given, options), options)
    except LabFault as fault:
        print(f"lab: {fault}", file=sys.stderr)
        return UNREACHABLE if isinstance(fault, Unreachable) else MISHAP
    except KeyboardInterrupt:
        return 130


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _command(given: list[str], options: argparse.Namespace) -> str:
    if options.failed:
        given = [*shlex.split(SUITE), *kept.failed(options.kernel[0])]
    if options.record:
        options.out, given = ROOT / "fixtures", ["sh", RECORD, *given]
    return shlex.join(given) if len(given) > 1 else "".join(given)


def _end(number: int, _: object) -> None:
    """Guests are ended and their files removed on the way out."""
    sys.exit(128 + number)


def _contradiction(options: argparse.Namespace, given: list[str]) -> str | None:
    if options.shell and (options.all or len(options.kernel) != 1):
        return "--shell is for one KERNEL"
    if options.shell and (given or options.record or options.table or options.brief or options.out):
        return "--shell runs no COMMAND, and brings nothing back"
    if options.brief and (given or options.record):
        return "--brief says which live tests run: no COMMAND goes with it"
    if options.failed and (given or options.record or options.brief or options.shell or options.all or len(options.kernel) != 1):
        return "--failed is for one KERNEL, and says which live tests run there"
    if options.originals and (given or options.record or options.brief or options.failed or options.shell):
        return "--originals says which tests run"
    if options.jobs < 1 or options.cpus < 1:
        return "--jobs and --cpus count from 1"
    if options.seconds is not None and not options.seconds > 0:
        return "--seconds: more than none"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/lab", usage="scripts/lab KERNEL... [OPTION]... [-- COMMAND]")
    parser.add_argument("kernel", nargs="*", help=f"{', '.join(kernels.MATRIX)}, arm64-6.1 ..., or the path of an image")
    parser.add_argument("--all", action="store_true", help="the whole matrix")
    parser.add_argument("--jobs", type=int, default=1, help="so many guests at once (default %(default)s)")
    parser.add_argument("--keep-going", action="store_true", help="with several kernels: go on after a failure")
    parser.add_argument(
        "--again", action="store_true", help="try a kernel where the command failed once more, not only after panics"
    )
    parser.add_argument("--prepare", action="store_true", help="only fetch and build what guests are made of")
    parser.add_argument(
        "--brief", action="store_true", help="of the live tests only those that count each tool's rows, and a few"
    )
    parser.add_argument(
        "--failed", action="store_true", help="of the live tests only those that failed there when all of them ran last"
    )
    parser.add_argument("--table", action="store_true", help="write docs/kernels.md, from each kernel's last live tests")
    parser.add_argument(
        "--record", action="store_true", help="record fixtures there, into fixtures/: of all tools, or those named"
    )
    parser.add_argument("--shell", action="store_true", help="a shell in the guest instead of a command")
    parser.add_argument("--update", action="store_true", help="look for newer kernels in Debian's lists first")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where files the command left in /lab/out are put")
    parser.add_argument("--seconds", type=float, help="how long the command may take (default 900, the live tests 5400)")
    parser.add_argument(
        "--originals", action="store_true", help="perf-tools' own scripts beside ours; puts what each counted into docs/"
    )
    parser.add_argument("--with", dest="packages", metavar="A,B", default="", help="Debian packages that the guest has besides")
    parser.add_argument("--cpus", type=int, default=1, help="processors of the guest (default %(default)s)")
    parser.add_argument("--console", action="store_true", help="show the guest's kernel messages at the end")
    return parser


def _run(names: list[str], command: str, options: argparse.Namespace) -> int:
    packages = tuple(one for one in options.packages.split(",") if one) + (originals.PACKAGES if options.originals else ())
    guests = [find(name, options.update, packages) for name in names]
    if options.prepare:
        return 0
    options.seconds = options.seconds or (_SECONDS if command else _SUITE_SECONDS)
    if options.shell:
        return shell(guests[0], options)
    usual = originals.COMMAND if options.originals else BRIEF if options.brief else SUITE
    told = run_all(guests, command or usual, options)
    if len(guests) > 1:
        print("\n" + "\n".join(f"lab: {one.summary}" for one in told), file=sys.stderr)
    for one in told:
        _keep(one)
    if found := {one.guest.kernel.name: text.decode() for one in told if (text := one.outcome.files.get(originals.FOUND))}:
        originals.write(ROOT, found)
    worst = next((one.status for one in told if one.status), 0)
    if options.table:
        worst = worst or _write_table()
    return worst or (len(told) < len(guests))


def _keep(one: Told) -> None:
    if text := one.outcome.files.get("survey.json"):
        kept.keep(one.guest.kernel.name, json.loads(text))


def _write_table() -> int:
    """What was found last on each kernel of the matrix, as data and as a page."""
    data = ROOT / "docs/kernels.json"
    found = json.loads(data.read_text())
    found |= {name: survey for name in kernels.MATRIX if (survey := kept.known(name))}
    found = {name: found[name] for name in kernels.MATRIX if name in found}
    data.write_text(json.dumps(found, indent=1) + "\n")
    (ROOT / "docs/kernels.md").write_text(table.render([*found.values()]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
