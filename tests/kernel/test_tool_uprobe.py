"""uprobe on this machine's kernel: every call of programs of every shape, exact values, and refusals explained."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ftracepy.tracefs import Tracefs, instances
from tests.support.programs import CALLS, NOTED, ODD, SHAPES, SOURCE, WAITING, compiled

pytestmark = pytest.mark.kernel

FTRACEPY = [sys.executable, "-P", "-m", "ftracepy.cli"]
PYTHON = "/usr/bin/python3.11"
_PATIENCE_S = 120
Requires = Callable[[str], None]


def run(*arguments: str | Path, command: str = "") -> tuple[list[dict[str, Any]], str, int]:
    """The rows, what was said, and the exit code of uprobe, while a shell command runs."""
    line = [*FTRACEPY, "uprobe", *map(str, arguments), "--format", "json", "--strict"]
    line += ["--", "sh", "-c", command] if command else []
    done = subprocess.run(line, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    said = [row["notice"] for row in rows if "notice" in row]
    return [row for row in rows if not {"notice", "loss"} & set(row)], "\n".join([*said, done.stderr]), done.returncode


def rows_of(*arguments: str | Path, command: str) -> list[dict[str, Any]]:
    rows, said, code = run(*arguments, command=f"{command} >/dev/null")
    assert code == 0, said
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probed")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.counted("uprobe", "101 calls of a function", options={"definition": "libc:getppid"})
def test_every_call_its_arguments_and_texts(clean_kernel: Tracefs, requires: Requires, folder: Path, shape: str) -> None:
    requires("uprobes")
    path = compiled(folder, shape, *SHAPES[shape])
    rows = rows_of(f"{path}:work n=$arg1:s64 t=+0($arg2):string", command=shlex.quote(str(path)))
    wanted = [(at, "odd" if at % 2 else "even") for at in range(CALLS)] + [(-1, None)]
    assert [(row["fields"]["n"], row["fields"]["t"]) for row in rows] == wanted
    assert rows[-1]["text"].endswith(" n=-1 t=(fault)")
    assert rows[0]["text"].endswith(' n=0 t="even"')


@pytest.mark.parametrize("shape", SHAPES)
def test_every_return_value(clean_kernel: Tracefs, requires: Requires, folder: Path, shape: str) -> None:
    requires("uretprobes")
    path = compiled(folder, shape, *SHAPES[shape])
    rows = rows_of(f"r:{path}:outer ret=$retval:s64", command=shlex.quote(str(path)))
    assert [row["fields"]["ret"] for row in rows] == [at * 3 + ord("o" if at % 2 else "e") + 1 for at in range(CALLS)]


def test_offset_address_line_and_name_are_one_place(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "far", *SHAPES["far"])
    listed, _, _ = run("-l", f"{path}:outer")
    [one] = listed
    assert one["address"] != one["offset"]
    line = next(at for at, text in enumerate(SOURCE.splitlines(), 1) if "long outer" in text) + 1
    for place in (f"{one['offset']:#x}", f"*{one['address']:#x}", "outer", f"far.c:{line}"):
        if place.startswith("far.c"):
            pytest.importorskip("elftools")
        rows = rows_of(f"{path}:{place}", command=shlex.quote(str(path)))
        assert {row["fields"]["__probe_ip"] for row in rows} == {one["address"]}
        assert len(rows) == CALLS


def test_a_pattern_counts_each_function(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    rows = rows_of(f"{path}:*w[o-]*r[k]*", command=shlex.quote(str(path)))
    assert {row["event"] for row in rows} == {"work"}
    assert len(rows_of(f"{path}:[wto][owu][rit][kc]*", command=shlex.quote(str(path)))) >= CALLS + 1


def test_filters_see_arguments_and_texts(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    rows = rows_of(f"{path}:work n=$arg1:s64", "n >= 90", command=shlex.quote(str(path)))
    assert [row["fields"]["n"] for row in rows] == list(range(90, CALLS))
    rows = rows_of(f"{path}:work n=$arg1:s64 t=+0($arg2):string", 't == "odd"', command=shlex.quote(str(path)))
    assert [row["fields"]["n"] for row in rows] == list(range(1, CALLS, 2))


def test_a_long_text_harms_nobody(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    """Strings that sum to more than a page make the kernel warn and lose the hit, or overrun its buffer."""
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    definition = f"{path}:work " + " ".join(f"t{at}=+0($arg2):string" for at in range(3))
    rows = rows_of(definition, "", command=f"{shlex.quote(str(path))} {'x' * 9000}")
    assert len(rows) == CALLS + 1
    assert rows[-1]["fields"]["t2"] == "x" * 512
    assert rows[-1]["text"].endswith('xxx"...')


def test_user_stacks_by_name(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    rows, said, code = run(f"{path}:work", "-s", command=f"{shlex.quote(str(path))} >/dev/null")
    assert code == 0, said
    assert "frame pointers" in said
    functions = [[frame.partition("+")[0] for frame in row["stack"] or ()] for row in rows]
    if not any(functions):
        assert "user stack" in said
        pytest.skip("this kernel has no user stacks in instances")
    assert [names[:3] for names in functions] == [["work", "outer", "main"]] * CALLS + [["work", "main", functions[-1][2]]]
    assert all(f"({path})" in frame for row in rows for frame in row["stack"][:2])


def test_a_recording_shows_the_same_stacks(clean_kernel: Tracefs, requires: Requires, folder: Path, tmp_path: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    asked = f"uprobe {shlex.quote(f'{path}:work n=$arg1:s64')} -s"
    file = tmp_path / "x.dat"
    line = [*FTRACEPY, "record", "--tool", asked, "-o", str(file), "--", "sh", "-c", f"{path} >/dev/null; {path} >/dev/null"]
    subprocess.run(line, check=True, capture_output=True)
    rows, said, code = run("-s", "--replay", file)
    assert (code, len(rows)) == (0, 2 * (CALLS + 1)), said
    if any(row["stack"] for row in rows):
        assert {row["stack"][1].partition("+")[0] for row in rows[:CALLS]} == {"outer"}
    path.rename(path.with_suffix(".gone"))
    try:
        rows, said, _ = run("-s", "--replay", file)
        if any(row["stack"] for row in rows):
            assert all(re.fullmatch(re.escape(str(path)) + r"\+0x[0-9a-f]+", row["stack"][0]) for row in rows)
    finally:
        path.with_suffix(".gone").rename(path)


@contextmanager
def elsewhere(path: Path, folder: Path) -> Iterator[int]:
    """A process that sees `path` as /inside/program, in a mount namespace of its own; it calls on each line of input."""
    script = (
        f"mount -t tmpfs none {folder} && mkdir -p {folder}/root/inside {folder}/root/proc && "
        f"cp {path} {folder}/root/inside/program && exec chroot {folder}/root /inside/program"
    )
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


def test_a_process_in_another_mount_namespace(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    program = compiled(folder, "waiting", *SHAPES["static"], source=WAITING)
    place = folder / "mounted"
    place.mkdir()
    with elsewhere(program, place) as pid:
        for target in ("program", "/inside/program"):
            rows, said, code = run("-p", str(pid), f"{target}:inside n=$arg1:s64", "--limit", "53", command="")
            assert code == 0, said
            found = [row["fields"]["n"] for row in rows]
            assert found == [(found[0] + at) % 1000 for at in range(53)]
            assert {row["pid"] for row in rows} == {pid}
        rows, said, code = run("-p", str(pid), "-s", "program:inside", "--limit", "3")
        if any(row["stack"] for row in rows):
            assert [row["stack"][0] for row in rows] == ["inside+0x0 (/inside/program)"] * 3
            assert [row["stack"][1].partition("+")[0] for row in rows] == ["main"] * 3
        rows, said, code = run("/inside/program:inside")
        assert (rows, code) == ([], 2)


needs_usdt = pytest.mark.skipif(not os.path.exists(PYTHON), reason="no python with USDT probes")


@needs_usdt
def test_usdt_with_a_semaphore(clean_kernel: Tracefs, requires: Requires) -> None:
    """The probe's code runs only while somebody counts the semaphore up."""
    requires("uprobes")
    code = "import gc; gc.disable()\nfor at in range(97): gc.collect(at % 3)"
    rows = rows_of(f"{PYTHON}:usdt:python:gc__start", command=f"{PYTHON} -S -c {shlex.quote(code)}")
    generations = [row["fields"]["arg1"] for row in rows]
    wanted = [at % 3 for at in range(97)]
    assert any(generations[first : first + 97] == wanted for first in range(len(generations) - 96))


@needs_usdt
def test_usdt_arguments_that_point_to_texts(clean_kernel: Tracefs, requires: Requires) -> None:
    requires("uprobes")
    code = "for at in range(89):\n try: __import__(f'no_such_{at}')\n except ImportError: pass"
    asked = f"{PYTHON}:usdt:python:import__find__load__start name=+0($arg1):string"
    rows = rows_of(asked, command=f"{PYTHON} -S -c {shlex.quote(code)}")
    names = [row["fields"]["name"] for row in rows if row["fields"]["name"].startswith("no_such_")]
    assert names == [f"no_such_{at}" for at in range(89)]


def test_usdt_of_our_own_with_every_operand(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    """Notes written as sys/sdt.h writes them: registers of each size, memory, constants, a variable, a semaphore."""
    requires("uprobes")
    if os.uname().machine != "x86_64":
        pytest.skip("this architecture has other operands")
    path = compiled(folder, "noted", "-O1", source=NOTED)
    rows = rows_of(f"{path}:usdt:mine:every", command=shlex.quote(str(path)))
    wanted = [
        {"arg1": -at, "arg2": at * 0x1_0000_0001, "arg3": 7, "arg4": -9, "arg5": at & 0xFF, "arg6": at + 1, "arg7": at * 3}
        for at in range(83)
    ]
    assert [{name: row["fields"][name] for name in wanted[0]} for row in rows] == wanted


def refusal(*arguments: str | Path) -> tuple[str, int]:
    rows, said, code = run(*arguments, "-d", "0.1", command="")
    assert rows == []
    assert "Traceback" not in said
    return said, code


def test_the_kernels_refusals_point_into_what_was_typed(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    typed = f"{path}:work n=%nosuch:u64"
    said, code = refusal(typed)
    lines = said.splitlines()
    at = next(number for number, line in enumerate(lines) if typed in line)
    column = lines[at].index(typed)
    assert code == 2
    assert lines[at + 1].index("^") - column in (typed.index("n=%"), typed.index("%nosuch"))
    said, code = refusal(f"{path}:work n=%di", "m == 1")
    assert "its fields: n, common_pid" in said


def test_an_instruction_the_kernel_cannot_take_is_told(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    """Defined and enabled without a word, it would never be hit; where the file is mapped the kernel looks at it."""
    requires("uprobes")
    if os.uname().machine != "x86_64":
        pytest.skip("this architecture has no such instruction")
    path = compiled(folder, "odd", source=ODD)
    said, code = refusal(f"{path}:odd")
    assert "cannot put a breakpoint" in said
    assert code == 1


def test_a_file_system_that_cannot(clean_kernel: Tracefs, requires: Requires) -> None:
    requires("uprobes")
    said, code = refusal("-F", "/proc/self/maps:0x10")
    assert code == 2
    assert "no program" in said


def test_a_dry_run_and_a_script_need_no_rights(tmp_path: Path, folder: Path) -> None:
    path = compiled(folder, "pie", *SHAPES["pie"])
    rows, _, code = run("--dry-run", f"{path}:work n=%di", "--tracefs", tmp_path)
    assert code == 0
    assert rows[0]["file"] == "uprobe_events"
    assert re.fullmatch(rf"p:ftracepy/work {re.escape(str(path))}:0x[0-9a-f]+ n=%di", rows[0]["text"])


def test_the_script_sees_every_call(clean_kernel: Tracefs, requires: Requires, folder: Path) -> None:
    requires("uprobes")
    path = compiled(folder, "pie", *SHAPES["pie"])
    made = subprocess.run([*FTRACEPY, "uprobe", "--script", f"{path}:work n=%di:s64"], capture_output=True, check=True).stdout
    script = folder / "script.sh"
    script.write_bytes(made)
    with subprocess.Popen(["sh", script], stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.stdout
        try:
            seen, end = b"", time.monotonic() + _PATIENCE_S
            while seen.count(b" n=-1\n") < 2 and time.monotonic() < end:
                subprocess.run([path], stdout=subprocess.DEVNULL, check=True)
                while select.select([shell.stdout], [], [], 0.3)[0]:
                    seen += os.read(shell.stdout.fileno(), 1 << 16)
        finally:
            os.killpg(shell.pid, signal.SIGINT)
            shell.wait(_PATIENCE_S)
    numbers = [int(one) for one in re.findall(rb" n=(-?\d+)", seen)]
    assert numbers[-(CALLS + 1) :] == [*range(CALLS), -1]
    assert not [name for name in instances.names(clean_kernel.root) if name == f"ftracepy_{shell.pid}"]
