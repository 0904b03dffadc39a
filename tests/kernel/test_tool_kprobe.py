"""kprobe live: arguments by name against what was done, on kernels old and new; refusals explained; its script run by shells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftracepy.symbols import btf
from ftracepy.symbols.btf import Kind
from ftracepy.tracefs import Tracefs, instances, probes
from tests.kernel.test_commands import FTRACEPY, left_by, python, watch

pytestmark = pytest.mark.kernel

OPENS = "import os\nfor at in range({}): os.close(os.open({!r} + f'/number{{at}}', 0o101))"
# Of the two a compiler may have put the inner one into the outer: rows of either are all. For arm64 both are inlined.
SENT = "p:outer group_send_sig_info sig type; p:inner do_send_sig_info sig type"
SENT = "p:inner send_signal_locked sig type" if os.uname().machine == "aarch64" else SENT
TARGET = "t" if os.uname().machine == "aarch64" else "p"
KILLS = "import os, signal\nsignal.signal(10, lambda *_: None)\nfor _ in range({}): os.kill(os.getpid(), 10)"


@pytest.fixture(autouse=True)
def _kprobes(requires: Callable[[str], None]) -> None:
    requires("kprobes")
    requires("BTF")


def refusal(*arguments: str) -> list[str]:
    done = subprocess.run([*FTRACEPY, "kprobe", *arguments, "-d", "1"], capture_output=True, timeout=60)
    assert done.returncode != 0, done.stdout
    return done.stderr.decode().splitlines()


def of_one(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["event"] == rows[-1]["event"]]


def pointed_at(lines: list[str], typed: str) -> str:
    """What stands above the caret."""
    shown = next(at for at, line in enumerate(lines) if line.endswith(typed) and line.startswith("   "))
    return typed[lines[shown + 1].index("^") - lines[shown].index(typed) :]


@pytest.mark.counted("kprobe", "307 opens", options={"definition": "vfs_open"})
def test_members_of_arguments(clean_kernel: Tracefs, tmp_path: Path) -> None:
    definition = "vfs_open name=path->dentry->d_name.name:string len=path->dentry->d_name.len"
    rows = watch("kprobe", python(OPENS.format(307, str(tmp_path))), definition, 'name ~ "number*"')
    assert [(row["fields"]["name"], row["fields"]["len"]) for row in rows] == [
        (f"number{at}", len(f"number{at}")) for at in range(307)
    ]  # fmt: skip
    assert all(row["text"].startswith("(vfs_open+0x") for row in rows)


@pytest.mark.counted("kprobe", "53 signals", options={"definition": "do_send_sig_info"})
def test_enums_by_name_in_rows_and_filters(clean_kernel: Tracefs) -> None:
    """Kernels of today send without an info: what is behind NULL is told to be nothing, whatever the kernel left there."""
    definition = SENT.replace("type", f"type code=info->si_code pid={TARGET}->pid comm={TARGET}->comm")
    rows = of_one(watch("kprobe", python(KILLS.format(53)), definition, "type == PIDTYPE_TGID && sig == 10"))
    assert [row["fields"]["type"] for row in rows] == ["PIDTYPE_TGID"] * 53
    assert {row["fields"]["pid"] for row in rows} == {rows[0]["pid"]}
    assert {row["fields"]["comm"] for row in rows} == {rows[0]["comm"]}
    code = {None: "(fault)", 0: "0"}[rows[0]["fields"]["code"]]
    assert [row["text"] for row in rows if f" type=PIDTYPE_TGID code={code} pid=" not in row["text"]][:3] == []


def test_what_an_error_returned_for_a_pointer_leads_to_is_nothing(clean_kernel: Tracefs) -> None:
    """Of each second open there is a file to look into."""
    code = "import os\nfor at in range(101):\n try: os.close(os.open('/missing' if at % 2 else '/', 0))\n except OSError: pass"
    name = next(filter(_has, ("do_file_open", "do_filp_open")))
    rows = watch("kprobe", python(code), f"r:opened {name} file=$retval flags=$retval->f_flags")
    mine = [row["fields"] for row in rows if row["comm"].startswith("python")][-101:]
    assert [row["flags"] is None for row in mine] == [at % 2 == 1 for at in range(101)]
    assert {row["flags"] & 3 for row in mine[::2]} == {0}


def test_return_values_have_their_sign(clean_kernel: Tracefs) -> None:
    code = "import os\nfor _ in range(101):\n try: os.kill(os.getpid(), 99)\n except OSError: pass"
    names = ("__do_sys_kill", "kill_something_info", "__x64_sys_kill", "__arm64_sys_kill")  # inlined here and there
    rows = watch("kprobe", python(code), f"r:{next(filter(_has, names))} $retval")
    mine = [row for row in rows if row["fields"]["retval"] == -22]
    assert len(mine) == 101
    assert all("<-" in row["text"] for row in mine)


def test_a_return_knows_its_arguments(clean_kernel: Tracefs, tmp_path: Path) -> None:
    """New kernels keep them until the return; for older ones entry and return are two probes, joined."""
    code = f"import os\nfd = os.open({str(tmp_path / 'f')!r}, 0o102)\nfor at in range(101): os.write(fd, b'x' * at)"
    rows = watch("kprobe", python(code), "r:vfs_write ret=$retval count", "ret < 101 && count < 101")
    mine = [row for row in rows if row["comm"].startswith("python")]
    assert [(row["fields"]["count"], row["fields"]["ret"]) for row in mine] == [(at, at) for at in range(101)]
    assert all(f" ret={at} count={at}" in row["text"] for at, row in enumerate(mine))


def _has(function: str) -> bool:
    return f" {function}\n" in Path("/proc/kallsyms").read_text()


def test_bit_fields_casts_globals_and_all_parameters(clean_kernel: Tracefs) -> None:
    definition = "p:new wake_up_new_task p->in_iowait p->prio p->real_parent->tgid c=((struct task_struct)@init_task).comm"
    rows = watch("kprobe", "for at in 1 2 3 4 5 6 7; do /bin/true; done", definition + "; p:all wake_up_new_task *")
    new = [row for row in rows if row["event"] == "new" and row["comm"] == "sh"]
    assert len(new) >= 7
    assert all(row["fields"]["c"].startswith("swapper") and row["fields"]["in_iowait"] == 0 for row in new)
    assert all(row["fields"]["tgid"] == row["pid"] and row["fields"]["prio"] >= 100 for row in new)
    assert sum(row["event"] == "all" and row["comm"] == "sh" for row in rows) == len(new)


def test_each_call_has_its_stack(clean_kernel: Tracefs, tmp_path: Path) -> None:
    definition = "vfs_open name=path->dentry->d_name.name:string"
    rows = watch("kprobe", python(OPENS.format(11, str(tmp_path))), definition, 'name ~ "number*"', "-s")
    assert len(rows) == 11
    assert all(row["stack"] and "open" in row["stack"][0] for row in rows)


def test_function_probes_tell_the_same(clean_kernel: Tracefs, requires: Callable[[str], None], tmp_path: Path) -> None:
    requires("fprobes")
    name = "name=path->dentry->d_name.name:string"
    rows = watch(
        "kprobe", python(OPENS.format(101, str(tmp_path))), f"f:one vfs_open {name}; p:two vfs_open {name}", 'name ~ "number*"'
    )
    seen = {event: [row["fields"]["name"] for row in rows if row["event"] == event] for event in ("one", "two")}
    assert seen["one"] == seen["two"] == [f"number{at}" for at in range(101)]


def test_a_recording_shows_the_same(clean_kernel: Tracefs, tmp_path: Path) -> None:
    data, tool = str(tmp_path / "k.dat"), f"kprobe '{SENT}' 'sig == 10'"
    recorded = [*FTRACEPY, "record", "--tool", tool, "-F", "-o", data, "--", "sh", "-c", python(KILLS.format(53))]
    assert subprocess.run(recorded, capture_output=True, timeout=120).returncode == 0
    done = subprocess.run([*FTRACEPY, "kprobe", "--replay", data, "--format", "json"], capture_output=True, timeout=60)
    rows = of_one([row for line in done.stdout.splitlines() if "fields" in (row := json.loads(line))])
    assert [row["fields"]["type"] for row in rows] == ["PIDTYPE_TGID"] * 53


@pytest.mark.parametrize(
    ("typed", "filter_", "at", "said"),
    [
        ("p:a vfs_read %di;   p:b vfs_write a=%zz", "", "a=%zz", "Invalid register name"),
        ("vfs_read x=+0(%di):nosuch", "", "x=+0(%di):nosuch", "Unknown type"),
        ("vfs_reed %di", "", "vfs_reed", "vfs_read"),
        ("vfs_read cont", "", "cont", "no parameter is called 'cont'"),
        ("vfs_read count", "cont > 3", "", "Field not found"),
    ],
)
def test_refusals_are_explained(clean_kernel: Tracefs, typed: str, filter_: str, at: str, said: str) -> None:
    lines = refusal(typed, *([filter_] if filter_ else []))
    assert any(said in line for line in lines), lines
    if at:
        starts = (at, at.partition("=")[2] or at, at.rpartition(":")[2])
        assert pointed_at(lines, typed).startswith(starts)


def test_a_module_that_is_not_there_yet(clean_kernel: Tracefs) -> None:
    done = subprocess.run([*FTRACEPY, "kprobe", "nosuchmodule:f %di", "-d", "1"], capture_output=True, timeout=60)
    assert b"the module nosuchmodule is not loaded" in done.stderr


def test_a_forbidden_function_is_said_to_be_one(clean_kernel: Tracefs) -> None:
    name = next(name for name in ("do_int3", "exc_int3", "el1_dbg", "do_debug_exception") if _has(name))
    assert any("must not be probed" in line or "forbids probes there" in line for line in refusal(name))


def test_an_own_group_beside_everybody_elses(clean_kernel: Tracefs) -> None:
    with subprocess.Popen(
        [*FTRACEPY, "kprobe", "vfs_read count"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 30
        while not left_probes(process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert left_probes(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert left_probes(process.pid) == left_by(process.pid) == []


def left_probes(pid: int) -> list[str]:
    found = probes.listed(Path("/sys/kernel/tracing"), "kprobe_events")
    return [one.group for one in found if one.group.startswith(f"ftracepy_{pid}_")]


@pytest.mark.parametrize("shell", ["dash", "busybox sh"])
def test_the_script_shows_the_same_and_leaves_nothing(clean_kernel: Tracefs, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"no {shell} here")
    definition = "vfs_open name=path->dentry->d_name.name:string"
    made = subprocess.run(
        [*FTRACEPY, "kprobe", "--script", definition, 'name ~ "number*"', "-s"], capture_output=True, check=True
    )
    (tmp_path / "script").write_bytes(made.stdout)
    with subprocess.Popen([*shell.split(), str(tmp_path / "script")], stdout=subprocess.PIPE) as process:
        here = clean_kernel.root / "instances" / f"ftracepy_{process.pid}"
        enable = here / "events" / here.name / "vfs_open" / "enable"
        end = time.monotonic() + 30
        while not (enable.exists() and enable.read_text().startswith("1")) and time.monotonic() < end:
            time.sleep(0.05)
        for at in range(7):
            (tmp_path / f"number{at}").write_text("")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=30)[0].decode()
    assert process.returncode == 143
    assert [f'name="number{at}"' in output for at in range(7)] == [True] * 7
    assert output.count("<stack trace>") == 7
    assert here.name not in instances.names(clean_kernel.root)
    assert here.name not in {one.group for one in probes.listed(clean_kernel.root, "kprobe_events")}


def test_types_from_a_file(clean_kernel: Tracefs, tmp_path: Path) -> None:
    shutil.copy(btf.VMLINUX, tmp_path / "copy.btf")
    rows = watch("kprobe", "cat /proc/self/stat >/dev/null", "--btf", str(tmp_path / "copy.btf"), "vfs_read count", "count > 0")
    assert any(row["comm"] == "cat" for row in rows)
    assert btf.read(tmp_path / "copy.btf").find("vfs_read", Kind.FUNC) is not None


def test_one_process_alone(clean_kernel: Tracefs) -> None:
    rows = watch("kprobe", "cat /proc/self/stat >/dev/null", "vfs_read count", "-p", str(os.getpid()))
    assert {row["pid"] for row in rows} <= {os.getpid()}
