"""The lab without a kernel: names of packages, archives, and how a guest ended."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("lab", reason="only the checkout has the lab, an installed package has not")

from lab import build, cpio, debian, guests, kept, kernels, machine, survey, table
from lab.__main__ import main

NAMES = [
    "linux-image-6.1.0-0.deb11.52-cloud-amd64",
    "linux-image-6.1.0-9-cloud-amd64",
    "linux-image-6.1.0-56-cloud-amd64",
    "linux-image-6.1.0-56-cloud-amd64-unsigned",
    "linux-image-6.1.0-56-amd64",
    "linux-image-6.12.95+deb12-cloud-amd64",
    "linux-image-6.12.117+deb13-cloud-amd64-unsigned",
    "linux-image-7.3.4+deb13-cloud-amd64",
    "linux-image-7.3.4+deb13-cloud-arm64",
    "linux-image-cloud-amd64",
]


@pytest.mark.parametrize(
    ("series", "architecture", "package"),
    [
        ("6.1", "amd64", "linux-image-6.1.0-56-cloud-amd64"),
        ("6.12", "amd64", "linux-image-6.12.117+deb13-cloud-amd64-unsigned"),
        ("6", "amd64", "linux-image-6.12.117+deb13-cloud-amd64-unsigned"),
        ("newest", "amd64", "linux-image-7.3.4+deb13-cloud-amd64"),
        ("newest", "arm64", "linux-image-7.3.4+deb13-cloud-arm64"),
    ],
)
def test_the_newest_of_a_series(series: str, architecture: str, package: str) -> None:
    assert debian.newest(NAMES, series, architecture) == package


def test_a_series_that_debian_has_not() -> None:
    with pytest.raises(debian.LabFault, match=r"no cloud kernel '4\.9' for amd64\n  try     6\.1, 6\.12, 7\.3, newest; --update"):
        debian.newest(NAMES, "4.9", "amd64")


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(debian.LabFault, match="no-such-program is not installed here"):
        debian.run(["no-such-program"])


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    writer = cpio.Writer(out)
    writer.tree(folder, "a/b", lambda name: name != "left out")
    writer.text("init", "#!/bin/sh\n", 0o755)
    writer.close()
    return out.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_bytes(b"xyz")
    (folder / "sub/link").symlink_to("file")
    (folder / "left out").touch()
    return folder


def test_an_archive_is_aligned_and_ends_in_a_trailer(tree: Path) -> None:
    data = packed(tree)
    assert data.startswith(b"070701")
    assert len(data) % 512 == 0
    assert b"TRAILER!!!\0" in data[-512:]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is the second opinion")
def test_cpio_unpacks_what_was_packed(tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["cpio", "-id", "--quiet"], input=packed(tree), cwd=place, check=True)
    assert (place / "a/b/sub/file").read_bytes() == b"xyz"
    assert (place / "a/b/sub/link").readlink() == Path("file")
    assert (place / "init").stat().st_mode & 0o777 == 0o755
    assert not (place / "a/b/left out").exists()


def result(status: int, **files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return b"status %d\n" % status + out.getvalue()


def test_a_failing_command_is_no_mishap() -> None:
    outcome = machine.ended(b"[ 1.0] booting", result(3, junit=b"<xml>"), b"")
    assert (outcome.end, outcome.status, outcome.files, outcome.is_mishap) == ("done", 3, {"junit": b"<xml>"}, False)


@pytest.mark.parametrize(
    ("console", "end"),
    [
        (b"[    3.1] Kernel panic - not syncing: Attempted to kill init!", "panic"),
        (b"[    3.1] BUG: unable to handle page fault for address: 0", "panic"),
        (b"[    3.1] last words of a guest that is off without a result", "hang"),
        (b"", "emulator"),
    ],
)
def test_mishaps_are_told_apart(console: bytes, end: str) -> None:
    outcome = machine.ended(console, b"", b"qemu: no such kernel")
    assert outcome.end == end
    assert outcome.is_mishap


def test_a_result_that_broke_off_has_its_status() -> None:
    outcome = machine.ended(b"", result(0, junit=b"x" * 9000)[:-40], b"")
    assert (outcome.end, outcome.status) == ("done", 0)


def test_without_a_kernel_it_says_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "scripts/lab KERNEL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--shell"], "--shell is for one KERNEL"),
        (["6.1", "6.12", "--shell"], "--shell is for one KERNEL"),
        (["6.1", "--shell", "--", "true"], "--shell runs no COMMAND"),
        (["6.1", "--brief", "--", "true"], "--brief says which live tests run"),
        (["6.1", "6.12", "--failed"], "--failed is for one KERNEL"),
        (["6.1", "--jobs", "0"], "--jobs and --cpus count from 1"),
        (["6.1", "--seconds", "0"], "--seconds: more than none"),
        (["6.1", "--seconds", "nan"], "--seconds: more than none"),
    ],
)
def test_options_that_contradict_each_other(arguments: list[str], wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert wrong in capsys.readouterr().err


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A stand-in for QEMU: a script with this text, which is its own kernel too; guests' Debian and checkout are empty."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "base.cpio").write_bytes(b"")
    monkeypatch.setattr("lab.image.base", lambda *_: tmp_path / "base.cpio")
    monkeypatch.setattr("lab.image.overlay", lambda root, archive, architecture, out, job: out.write_bytes(b""))

    def write(text: str) -> Path:
        path = tmp_path / "qemu-system-x86_64"
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


def test_without_the_emulator_its_package_is_named(
    emulator: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = emulator("").rename(tmp_path / "kernel")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([str(kernel), "--", "true"]) == 125
    assert capsys.readouterr().err == (
        "lab: qemu-system-x86_64 is not installed here\n  try     apt-get install qemu-system-x86\n"
    )


def test_a_shell_wants_a_terminal(emulator: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(emulator("#!/bin/sh\n")), "--shell"]) == 125
    assert "--shell is for a person at a terminal" in capsys.readouterr().err


def test_an_interrupt_ends_the_guests_and_none_is_begun_again(
    emulator: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C once both guests run, of three."""
    kernel = emulator(f"#!/bin/sh\necho x >>{tmp_path}/tries\nexec sleep 60\n")
    tries = tmp_path / "tries"

    def strike() -> None:
        while not tries.exists() or tries.stat().st_size < 4:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    striker = threading.Thread(target=strike)
    striker.start()
    assert main([*[str(kernel)] * 3, "--jobs", "2", "--", "true"]) == 130
    striker.join()
    assert tries.read_text() == "x\nx\n"
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith("tmp")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_left_as_it_was_found(number: int, tmp_path: Path) -> None:
    """QEMU has it raw; it may be killed so."""
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    code = (
        "import os, signal, sys, tty\nfrom lab import terminal\nfrom lab.__main__ import _end\n"
        "signal.signal(signal.SIGTERM, _end)\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"with terminal.kept():\n    tty.setraw(0)\n    os.kill(os.getpid(), {int(number)})\n    signal.pause()"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
    assert ended.returncode in {-signal.SIGINT, 128 + signal.SIGTERM}
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_the_page_has_every_kernel_tool_and_way() -> None:
    def survey(release: str, outcome: str, kernel: str = "6.1", machine: str = "x86_64") -> dict[str, object]:
        found = {
            "ways": [["path of opens", "kprobe on do_filp_open", "long names"]],
            "reason": "",
            "proofs": [["307 opens", outcome]],
        }
        findings = [["kprobes", True, ""], ["hist triggers", False, ""]]
        return {"kernel": kernel, "release": release, "machine": machine, "bpf": kernel != "nobpf", "findings": findings,
                "tools": {"opensnoop": found}}  # fmt: skip

    page = table.render(
        [
            survey("6.1.0-56-cloud-amd64", "passed"),
            survey("7.3.4+deb13-cloud-amd64", "failed", kernel="newest"),
            survey("6.12.117", "passed", kernel="nobpf"),
            survey("6.12.117+deb12-cloud-arm64", "passed", kernel="arm64-6.12", machine="aarch64"),
        ]
    )
    assert "| feature | 6.1 | 7.3 | nobpf | 6.12 aarch64 |" in page
    assert "| hist triggers | - | - | - | - |" in page
    assert "| bpf(2), which ftracepy leaves alone | yes | yes | - | yes |" in page
    assert "| opensnoop | 6.1 | path of opens: kprobe on do_filp_open | all |" in page
    assert "| 7.3 | path of opens: kprobe on do_filp_open | **no**: 307 opens |" in page
    assert "| kprobe on do_filp_open | path of opens | long names |" in page
    assert "| opensnoop | 307 opens |" in page


def test_the_page_says_what_was_found() -> None:
    docs = Path(__file__).parents[2] / "docs"
    found = json.loads((docs / "kernels.json").read_text())
    assert list(found) == [name for name in kernels.MATRIX if name in found]
    assert table.render([*found.values()]) == (docs / "kernels.md").read_text()


@pytest.mark.parametrize(
    ("proofs", "word"),
    [
        ([], "nothing counted"),
        ([["7 reads", "passed"], ["3 writes", "passed"]], "all"),
        ([["7 reads", "passed"], ["3 writes", "this kernel has no kprobes"]], "all; this kernel has no kprobes"),
        ([["7 reads", "this kernel has no kprobes"]], "this kernel has no kprobes"),
        ([["7 reads", "failed"], ["3 writes", "this kernel has no kprobes"]], "**no**: 7 reads"),
    ],
)
def test_one_word_for_all_that_was_counted(proofs: list[list[str]], word: str) -> None:
    assert table.right(proofs) == word


MARKED = """
import pytest

@pytest.mark.counted("one", "7 reads", options={"device": "x"})
def test_right(): pass

@pytest.mark.counted("one", "3 writes")
def test_wrong(): assert False

@pytest.mark.counted("two", "5 calls", examine=False)
def test_impossible(): pytest.skip("this kernel has no kprobes")

def test_of_nothing(): assert False
"""


def test_marked_tests_are_proofs_of_their_tools(tmp_path: Path) -> None:
    file = tmp_path / "test_marked.py"
    file.write_text(MARKED)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = counted\n")
    proofs = survey.Proofs()
    pytest.main(["-q", "-p", "no:cacheprovider", "-m", "counted", "--rootdir", str(tmp_path), str(file)], plugins=[proofs])
    found = [(one.tool, one.counted, dict(one.options), one.outcome) for one in proofs.found.values()]
    assert found == [
        ("one", "7 reads", {"device": "x"}, "passed"),
        ("one", "3 writes", {}, "failed"),
        ("two", "5 calls", {}, "this kernel has no kprobes"),
    ]


FAKE = """#!{python}
import os, re, sys
lines = [int(number) for number in re.findall(r"socket,id=line\\d,fd=(\\d+)", " ".join(sys.argv))]
tries = {folder!r} + "/tries"
with open(tries, "a") as file:
    file.write("x")
what = {ends!r}[os.path.getsize(tries) - 1]
if what == "panic":
    os.write(lines[0], b"[ 2.0] Kernel panic - not syncing: no init found")
elif what != "silent":
    os.write(lines[1], b"hello")
    os.write(lines[2], b"status %d\\n" % what)
"""


@pytest.mark.parametrize(
    ("ends", "tries", "status"),
    [([0], 1, 0), ([3], 1, 3), (["panic", 0], 2, 0), (["panic", "panic"], 2, 125), (["silent", 5], 2, 5)],
)
def test_only_mishaps_are_tried_again(
    tmp_path: Path, emulator: Callable[[str], Path], ends: list[object], tries: int, status: int
) -> None:
    """A stand-in for the emulator that ends as told."""
    kernel = emulator(FAKE.format(python=sys.executable, folder=str(tmp_path), ends=ends))
    assert main([str(kernel), "--", "true"]) == status
    assert (tmp_path / "tries").stat().st_size == tries


def test_several_at_once_are_told_one_after_the_other_and_summed_up(
    tmp_path: Path, emulator: Callable[[str], Path], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    kernel = str(emulator(FAKE.format(python=sys.executable, folder=str(tmp_path), ends=[4, 4])))
    assert main([kernel, kernel, "--jobs", "2", "--keep-going", "--", "true"]) == 4
    out, words = capfdbinary.readouterr()
    assert out.count(b"hello") == 2
    assert words.count(b"(amd64): done, status 4") == 2
    assert words.strip().endswith(b": hello")


@pytest.mark.parametrize(
    ("name", "parts"), [("arm64-6.1", ("arm64", "6.1")), ("6.1", ("amd64", "6.1")), ("/x/arm64", ("amd64", "/x/arm64"))]
)
def test_a_kernels_name_tells_its_processor(name: str, parts: tuple[str, str]) -> None:
    assert kernels.split(name) == parts


def test_own_kernels_are_kept_by_what_they_are_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.key("nobpf")
    assert build.key("tracepoints") != before
    monkeypatch.setattr(build, "_wanted", lambda name: "CONFIG_SMP=y\n# CONFIG_BPF_SYSCALL is not set\n")
    plain = build.key("nobpf")
    assert plain != before
    monkeypatch.setattr(build, "_wanted", lambda name: "# Words.\nCONFIG_SMP=y\n# CONFIG_BPF_SYSCALL is not set\n")
    assert build.key("nobpf") == plain


@pytest.mark.parametrize("machine_name", machine.EMULATED)
def test_a_guest_has_a_console_and_two_lines_more(machine_name: str) -> None:
    boot = machine.Boot(Path("kernel"), Path("initrd"), 1.0, machine_name)
    words = machine.command(boot, "chardev:line0", ["line1", "line2"])
    emulated = machine.EMULATED[machine_name]
    assert words[0] == f"qemu-system-{machine_name}"
    assert f"console={emulated.console} " in words[words.index("-append") + 1]
    assert [word for word in words if word.endswith(("line1", "line2"))] == [f"{emulated.line},chardev=line{at}" for at in (1, 2)]


def test_a_guest_that_says_nothing_is_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = tmp_path / "qemu-system-x86_64"
    emulator.write_text("#!/bin/sh\nexec sleep 60\n")
    emulator.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(machine, "BOOT_SECONDS", 0.2)
    assert machine.run(machine.Boot(emulator, emulator, 0.1), lambda _: None).end == "hang"


def test_what_the_live_tests_told_is_a_table_of_its_own() -> None:
    def survey(kernel: str, **suite: object) -> dict[str, object]:
        return {
            "kernel": kernel,
            "release": "6.1.0",
            "machine": "x86_64",
            "bpf": True,
            "findings": [],
            "tools": {},
            "suite": suite,
        }

    left_out = {"this kernel has no kprobes": ["one", "two"]}
    page = table.render(
        [
            survey("nobpf", whole=True, passed=7, failed=[], left_out={}, again=["one"]),
            survey("tracepoints", whole=True, passed=4, failed=["tests/kernel/a.py::b"], left_out=left_out),
            survey("6.1", whole=False, passed=1, failed=[], left_out={}),
        ]
    )
    assert "| how they ended | nobpf | tracepoints | 6.1 |" in page
    assert "| passed | 7 | 4 | not run |" in page
    assert "| passed when they ran again, alone | 1 |  |  |" in page
    assert "| left out: this kernel has no kprobes |  | 2 |  |" in page
    assert "- tests/kernel/a.py::b: fails on tracepoints\n" in page


def test_tests_that_failed_are_put_right_by_passing_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "ftracepy-lab").mkdir()
    tools = {"one": {"ways": [], "proofs": [["7 reads", "failed"], ["3 writes", "passed"]]}, "two": {"ways": [], "proofs": []}}
    whole = {
        "release": "6.1",
        "tools": tools,
        "suite": {"whole": True, "passed": 5, "failed": ["a", "b"], "left_out": {"x": ["c"]}},
    }
    with pytest.raises(debian.LabFault, match=r"were not run on 6\.1 yet"):
        kept.failed("6.1")
    kept.keep("6.1", whole)
    assert kept.failed("6.1") == ["a", "b"]
    counted = {"one": {"ways": ["another"], "proofs": [["7 reads", "passed"]]}}
    kept.keep("6.1", {"tools": counted, "suite": {"whole": False, "passed": 1, "failed": ["b"], "left_out": {}, "again": ["a"]}})
    found = kept.known("6.1")
    assert found is not None
    assert found["release"] == "6.1"
    assert found["tools"]["one"] == {"ways": [], "proofs": [["7 reads", "passed"], ["3 writes", "passed"]]}
    assert found["suite"] == {"whole": True, "passed": 5, "failed": ["b"], "left_out": {"x": ["c"]}, "again": ["a"]}
    assert kept.failed("6.1") == ["b"]
    fewer = {"tools": {}, "suite": {"whole": False, "passed": 1, "failed": [], "left_out": {}}}
    assert kept.merged(found, fewer) == {"tools": {}, "suite": found["suite"]}


def test_an_archive_that_cannot_be_reached_is_told_from_other_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An apt that ends well and fetches nothing, as it does without a network."""
    for name in ("apt-get", "apt-cache"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FTRACEPY_LAB_MIRROR", "http://nowhere.invalid/debian")
    assert main(["6.1", "--prepare"]) == 69
    assert "Debian's archive cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize(("again", "statuses", "status"), [(False, [1], 1), (True, [1, 0], 0), (True, [1, 1], 1), (True, [0], 0)])
def test_a_failed_command_is_tried_once_more_when_asked(
    again: bool, statuses: list[int], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = iter(statuses)
    monkeypatch.setattr(guests, "boot", lambda *_: machine.Outcome("done", next(left)))
    kernel = SimpleNamespace(package="linux-image-6.1")
    options = SimpleNamespace(jobs=1, again=again, out=None, console=False)
    told = guests.one(SimpleNamespace(kernel=kernel, title="6.1"), "true", options)  # type: ignore[arg-type]
    assert told.status == status
    assert ("once more" in capsys.readouterr().err) == (len(statuses) == 2)
    assert next(left, None) is None
