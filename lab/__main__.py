"""The lab's command line; `scripts/lab` says how to use it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

from lab import kernels, table
from lab.debian import LabFault
from lab.guests import MISHAP, ROOT, Told, find, run_all, shell

_PYTEST = "python3 -P -m pytest -q -p no:cacheprovider -o faulthandler_timeout=120"
# Without a COMMAND. Of the live view only the screen is its own, and Textual takes an emulated processor eleven seconds to
# load. An arm64 guest is three times slower than one of this machine's kind, so there: what hangs on the processor
# (registers, places in programs, numbers of calls, offsets), that nothing is left behind, and every tool's rows.
TESTS = {
    "amd64": f"{_PYTEST} --ignore=tests/kernel/test_live.py tests/kernel",
    "arm64": f"{_PYTEST} tests/kernel/test_ways.py tests/kernel/test_ways_kernel.py tests/kernel/test_text.py "
    f"tests/kernel/test_doctor.py tests/kernel/test_no_bpf.py tests/kernel/test_reset.py && {_PYTEST} -m counted tests/kernel",
}
RECORD = "sh lab/record"
SURVEY = "python3 -P -m lab.survey"
_SECONDS = 900.0


def main(arguments: list[str]) -> int:
    own, _, given = _split(arguments)
    options = _parser().parse_args(own)
    if options.record:
        options.out, given = ROOT / "fixtures", [RECORD]
    names = options.kernel or (list(kernels.MATRIX) if options.all or options.table or options.prepare else [])
    if not names:
        _parser().error("name a kernel, or --all")
    try:
        return _run(names, shlex.join(given) if len(given) > 1 else "".join(given), options)
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
    parser.add_argument("kernel", nargs="*", help=f"{', '.join(kernels.MATRIX)}, arm64-6.1 ..., or the path of an image")
    parser.add_argument("--all", action="store_true", help="the whole matrix")
    parser.add_argument("--jobs", type=int, default=1, help="so many guests at once (default %(default)s)")
    parser.add_argument("--keep-going", action="store_true", help="with several kernels: go on after a failure")
    parser.add_argument("--prepare", action="store_true", help="only fetch and build what guests are made of")
    parser.add_argument("--table", action="store_true", help="look at these kernels (or all) and write docs/kernels.md")
    parser.add_argument("--record", action="store_true", help="record every tool's fixture there, into fixtures/")
    parser.add_argument("--shell", action="store_true", help="a shell in the guest instead of a command")
    parser.add_argument("--update", action="store_true", help="look for newer kernels in Debian's lists first")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where files the command left in /lab/out are put")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long the command may take (default %(default)g)")
    parser.add_argument("--cpus", type=int, default=1, help="processors of the guest (default %(default)s)")
    parser.add_argument("--console", action="store_true", help="show the guest's kernel messages at the end")
    return parser


def _run(names: list[str], command: str, options: argparse.Namespace) -> int:
    guests = [find(name, options.update) for name in names]
    if options.prepare:
        return 0
    if options.shell:
        return shell(guests[0], options)
    fixed = SURVEY if options.table else command
    told = run_all(guests, lambda guest: fixed or TESTS[guest.kernel.architecture], options)
    if len(guests) > 1:
        print("\n" + "\n".join(f"lab: {one.summary}" for one in told), file=sys.stderr)
    worst = next((one.status for one in told if one.status), 0)
    if options.table:
        _write_table(told)
    return worst or (len(told) < len(guests))


def _write_table(told: list[Told]) -> None:
    """What was found now, and of the matrix's other kernels what was found last, as data and as a page."""
    data = ROOT / "docs/kernels.json"
    found = json.loads(data.read_text())
    for one in told:
        if survey := one.outcome.files.get("survey.json"):
            found[one.guest.kernel.name] = {**json.loads(survey), "kernel": one.guest.kernel.name}
    found = {name: found[name] for name in kernels.MATRIX if name in found}
    data.write_text(json.dumps(found, indent=1) + "\n")
    (ROOT / "docs/kernels.md").write_text(table.render([*found.values()]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
