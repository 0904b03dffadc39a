"""opensnoop live beyond plain opens: files from the root on, the flags of openat2, creat."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy.tracefs import Tracefs
from tests.kernel.test_commands import python, watch

MANY = 101
# struct open_how (include/uapi/linux/openat2.h): flags, mode, resolve
_OPENAT2 = """import ctypes, os, struct
libc, how = ctypes.CDLL(None), struct.pack("QQQ", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0, 0)
for _ in range(101):
    os.close(libc.syscall(437, -100, PATH, how, len(how)))
"""


@pytest.mark.counted("opensnoop", "101 files by names relative to a folder", options={"full_path": True})
def test_the_file_really_opened(clean_kernel: Tracefs, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for at in range(MANY):
        (folder / f"f{at}").write_text("")
    (folder / "far").write_text("")
    (tmp_path / "link").symlink_to(folder / "far")
    code = (
        f"import os\nos.chdir({str(tmp_path)!r})\nfd = os.open('folder', os.O_PATH)\n"
        f"for at in range({MANY}): os.close(os.open(f'f{{at}}', 0, dir_fd=fd))\nos.close(os.open('./folder/../link', 0))"
    )
    rows = watch("opensnoop", python(code), "--full-path")
    shown = [row["path"] for row in rows if "/folder/f" in (row["path"] or "")]
    assert shown == [str(folder / f"f{at}") for at in [*range(MANY), "ar"]]


# Behind # stands what has to be shown, from the top on; a descriptor that dup2 has put there is one we know nothing of.
_RELATIVE = """
import os, sys, time
def fails(path, **more):
    try: os.open(path, os.O_RDONLY, **more)
    except OSError: return
top = sys.argv[1]
os.chdir(top)
time.sleep(0.3)
fails("missing1")              # missing1
fails("./a/../missing2")       # ./a/../missing2
if not os.fork():
    fails("missing3")          # missing3
    os.chdir("a")
    time.sleep(0.3)
    fails("missing4")          # a/missing4
    os._exit(0)
os.wait()
fails("missing5")              # missing5
fd = os.open("a", os.O_RDONLY)
fails("missing6", dir_fd=fd)   # a/missing6
if not os.fork():
    fails("b/missing7", dir_fd=fd)  # a/b/missing7
    os._exit(0)
os.wait()
deep = os.open("b", os.O_PATH, dir_fd=fd)
fails("missing8", dir_fd=deep) # a/b/missing8
os.fchdir(deep)
time.sleep(0.3)
fails("missing9")              # a/b/missing9
os.dup2(fd, deep)
fails("missing10", dir_fd=deep) # ?
"""


def test_failed_opens_from_their_folder_on(clean_kernel: Tracefs, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    script = tmp_path / "script"
    script.write_text(_RELATIVE)
    rows = watch("opensnoop", shlex.join([sys.executable, "-S", str(script), str(tmp_path)]), "-x", "--full-path")
    wanted = [line.partition("# ")[2] for line in _RELATIVE.splitlines() if "# " in line]
    shown = [row["path"] for row in rows if "missing" in (row["path"] or "")]
    assert shown == [f"{tmp_path}/{path}" for path in wanted[:-1]] + ["missing10"]


def test_flags_of_openat2_are_read_in_the_kernel(clean_kernel: Tracefs, requires: Callable[[str], None], tmp_path: Path) -> None:
    requires("kprobes")
    path = tmp_path / "one"
    path.write_text("")
    rows = watch("opensnoop", python(_OPENAT2.replace("PATH", repr(os.fsencode(path)))))
    mine = [row for row in rows if row["path"] == str(path)]
    assert len(mine) == MANY
    assert {row["flags"].removesuffix("|O_LARGEFILE") for row in mine} == {"O_RDWR|O_APPEND"}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="this architecture has no creat")
def test_creat(clean_kernel: Tracefs, tmp_path: Path) -> None:
    code = (
        f"import ctypes\nlibc = ctypes.CDLL(None)\nfor at in range({MANY}):\n"
        f" libc.close(libc.syscall(85, {os.fsencode(tmp_path / 'new')!r} + str(at).encode(), 0o600))"
    )
    rows = watch("opensnoop", python(code))
    mine = [(row["flags"], row["path"]) for row in rows if str(row["path"]).startswith(str(tmp_path / "new"))]
    assert mine == [("O_WRONLY|O_CREAT|O_TRUNC", str(tmp_path / f"new{at}")) for at in range(MANY)]


_AGAIN = """
import ctypes
libc, path = ctypes.CDLL(None), PATH
how = (ctypes.c_uint64 * 3)()
for many, call in ((101, lambda: libc.syscall(437, -100, path, how, 24)), (103, lambda: libc.syscall(257, -100, path, 0)),
                   (107, lambda: libc.open(path, 0))):
    for _ in range(many):
        libc.close(call())
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="this architecture has other numbers")
def test_one_file_again_and_again_by_every_call(clean_kernel: Tracefs, tmp_path: Path) -> None:
    """Calls that pass no library's place of calling have no text where a kernel has no copy: by times, or not at all."""
    path = tmp_path / "one"
    path.write_text("")
    rows = watch("opensnoop", python(_AGAIN.replace("PATH", repr(os.fsencode(path)))), "--full-path", "--only-command")
    paths = [row["path"] for row in rows][-311:]
    assert set(paths) <= {str(path), None}
    assert paths.count(str(path)) >= 107


@pytest.mark.counted("opensnoop", "106 opens through io_uring", options={"uring": True})
def test_opens_through_io_uring(clean_kernel: Tracefs, features: dict[str, bool | None], tmp_path: Path) -> None:
    program = [sys.executable, str(Path(__file__).parents[1] / "support/uring.py"), str(tmp_path)]
    if subprocess.run([*program, "0"], check=False).returncode:
        pytest.skip("this kernel has no io_uring")
    for at in range(53):
        (tmp_path / f"f{at}").write_text("")
    rows = watch("opensnoop", "exec " + shlex.join([*program, "53"]), "--io-uring")
    mine = [row for row in rows if row["err"] == "ENOENT" and row["path"] in (None, *_named(tmp_path, "none"))]
    opened = [row["path"] for row in rows if str(row["path"]).startswith(f"{tmp_path}/f")]
    if features["kprobes"]:
        assert opened == _named(tmp_path, "f")
        assert [row["path"] for row in mine if row["path"]] == _named(tmp_path, "none")
    else:
        assert sum(row["flags"] is None for row in mine) == 53
        # fanotify's paths come apart from the opens: one that cannot be told from its neighbours' is `?`, and none is wrong.
        unnamed = [row for row in rows if row["pid"] == mine[0]["pid"] and (row["path"], row["err"]) == (None, None)]
        assert len(opened) + len(unnamed) == 53
        assert opened == [path for path in _named(tmp_path, "f") if path in opened]


def _named(folder: Path, name: str) -> list[str]:
    return [f"{folder}/{name}{at}" for at in range(53)]
