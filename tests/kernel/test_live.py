"""The live view in a real terminal (tmux) on this kernel: right rows, nothing left however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ftracepy import tracefs
from ftracepy.live.owner import PREFIX
from ftracepy.system import cgroups
from ftracepy.tracefs import instances, probes

pytestmark = pytest.mark.kernel

MANY = 307
_PATIENCE_S = 120  # an emulated processor takes eleven seconds to load Textual alone


class Terminal:
    """ftracepy live in a terminal of its own."""

    def __init__(self, folder: Path, *options: str, columns: int = 100) -> None:
        self._socket = str(folder / "tmux")
        command = shlex.join([sys.executable, "-P", "-m", "ftracepy.cli", "live", *options])
        state = os.environ.get("FTRACEPY_STATE", "")
        environment = ["-e", "LANG=C.UTF-8", "-e", f"FTRACEPY_STATE={state}"]
        self._end = folder / "end"
        self.tmux(
            "new-session", "-d", "-x", str(columns), "-y", "24", *environment, f"{command}; echo ended $? >{self._end}; sleep 60"
        )
        shell = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        try:
            self.pid = self._child_of(shell)
        except BaseException:
            self.kill()
            raise

    def _child_of(self, shell: int) -> int:
        """By everybody's parents: small kernels do not list a task's children."""
        found: list[int] = []

        def there() -> bool:
            found[:] = (pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) == shell)
            return bool(found)

        wait_until(there)
        return found[0]

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, *words]
        environment = dict(os.environ)  # readline, which pytest loads, puts COLUMNS=80 behind Python's back
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def until(self, text: str, *, gone: bool = False) -> str:
        """The screen once `text` stands on it, or no longer."""
        end, pause_s = time.monotonic() + _PATIENCE_S, 0.02
        while (text not in (screen := self.screen())) is not gone:
            assert time.monotonic() < end, f"{text!r} is {'still' if gone else 'not'} on the screen:\n{screen}"
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.4)  # looking often takes an emulated processor from what is looked at
        return screen

    def ended(self) -> int:
        """The exit status."""
        wait_until(self._end.exists)
        wait_until(lambda: bool(self._end.read_text()))
        return int(self._end.read_text().split()[1])

    def kill(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def wait_until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def left_by(pid: int) -> list[str]:
    root = tracefs.find().root
    groups = [probe.group for probe in probes.listed(root, "uprobe_events")]
    return [name for name in instances.names(root) + groups if name.startswith(f"{PREFIX}{pid}_")]


@pytest.fixture
def terminal(tmp_path: Path, tracefs: object) -> Iterator[Callable[..., Terminal]]:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def open_one(*options: str, columns: int = 100) -> Terminal:
        opened.append(Terminal(tmp_path, *options, columns=columns))
        return opened[-1]

    yield open_one
    for one in opened:
        one.kill()
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def test_every_row_comes_to_the_screen(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """Signals from a shell of their own name, counted, filtered, written to a file."""
    view = terminal("killsnoop")
    view.until("ev/s")
    work = f"import os\nopen('/proc/self/comm', 'w').write('counted')\nfor _ in range({MANY}): os.kill(os.getpid(), 0)"
    view.press("f")
    view.type('comm == "counted"')
    view.press("Enter")
    view.until('filter comm == "counted"')
    subprocess.run([sys.executable, "-S", "-c", work], check=True)
    view.until("counted ")  # and not the filter's, which has a quote behind it
    view.press("Right", "Right", "t")
    view.until(f"{MANY} 100.0%")
    view.press("Escape")
    view.until("[1 killsnoop]")
    view.press("e")
    view.type(str(tmp_path / "rows.json"))
    view.press("Enter")
    written = tmp_path / "rows.json"
    wait_until(lambda: written.exists() and written.read_text().count("\n") == MANY)
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert len(rows) == MANY
    assert {(row["comm"], row["signal"], row["result"]) for row in rows} == {("counted", "0", "0")}
    view.press("q")
    assert view.ended() == 0
    assert left_by(view.pid) == []


def test_what_was_just_seen_can_be_saved_and_replayed(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    view = terminal("killsnoop")
    view.until("ev/s")
    subprocess.run([sys.executable, "-S", "-c", f"import os\nfor _ in range({MANY}): os.kill(os.getpid(), 0)"], check=True)
    view.until("python")
    view.press("R")
    view.type(str(tmp_path / "last.dat"))
    view.press("Enter")
    view.until("saved")
    view.press("q")
    assert view.ended() == 0
    command = [
        sys.executable,
        "-P",
        "-m",
        "ftracepy.cli",
        "killsnoop",
        "--replay",
        str(tmp_path / "last.dat"),
        "--format",
        "json",
    ]
    rows = [json.loads(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines()]
    assert sum(row.get("signal") == "0" and row["pid"] == row["tpid"] for row in rows) >= MANY
    subprocess.run([sys.executable, "-P", "-m", "ftracepy.cli", "report", "--check", str(tmp_path / "last.dat")], check=True)


def test_the_overview_has_its_tiles(terminal: Callable[..., Terminal]) -> None:
    view = terminal()
    view.until("programs started")
    view.until("tmux -S")  # our own looking at the screen
    view.press("Down", "Down", "Enter")
    view.until("[1 execsnoop]")
    view.press("Escape")
    view.until("arrows choose a tile")
    view.press("q")
    assert view.ended() == 0
    assert left_by(view.pid) == []


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "terminal", "SIGKILL"])
def test_nothing_is_left_however_it_ends(terminal: Callable[..., Terminal], how: str) -> None:
    view = terminal("opensnoop")
    view.until("ev/s")
    assert left_by(view.pid)
    if how == "terminal":
        view.kill()
    else:
        os.kill(view.pid, getattr(signal, how))
    wait_until(lambda: not Path(f"/proc/{view.pid}").exists() or "State:\tZ" in Path(f"/proc/{view.pid}/status").read_text())
    if how == "SIGKILL":
        assert left_by(view.pid)
        subprocess.run([sys.executable, "-P", "-m", "ftracepy.cli", "reset"], check=True, capture_output=True)
    assert left_by(view.pid) == []
    if how.startswith("SIG") and how != "SIGKILL":
        assert view.ended() == 128 + getattr(signal, how)


def test_without_a_terminal_it_says_what_to_use() -> None:
    command = [sys.executable, "-P", "-m", "ftracepy.cli", "live", "opensnoop"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2
    assert b"needs a terminal" in done.stderr


def test_what_cannot_be_watched_is_told_after_the_screen_is_gone(terminal: Callable[..., Terminal]) -> None:
    view = terminal("-e", "no_such:event")
    assert view.ended() == 3
    view.until("this kernel has no event no_such:event")


def test_an_event_is_found_filtered_and_watched(terminal: Callable[..., Terminal]) -> None:
    """The kernel's own words about a wrong filter stand in the form; a right one lets 307 of 614 calls through."""
    view = terminal("-e", "sched:sched_process_exit")
    view.until("ev/s")
    view.press("b")
    view.until("type letters")
    view.type("enter_lseek")
    view.until("event     syscalls:sys_enter_lseek")
    view.press("Enter")
    view.until("what goes to the kernel")
    view.press("f")
    view.type("offsett == 77")
    view.press("Enter")
    view.until("events/syscalls/sys_enter_lseek/filter  offsett == 77")
    view.press("Enter")
    view.until("Field not found")
    view.press("f")  # what is typed replaces what was there
    view.type("offset == 77")
    view.press("Enter")
    view.until("sys_enter_lseek/filter  offset == 77")
    view.press("Enter")
    view.until("[1 tpoint]")
    view.until("ev/s")
    seek()
    view.until("seeker")
    view.press("Right", "Right", "t")
    view.until(f"{MANY} ")
    view.press("Escape")
    view.until("[1 tpoint]")
    view.press("Escape")
    view.until("what goes to the kernel")
    view.press("q")
    assert view.ended() == 0
    assert left_by(view.pid) == []


def test_a_filter_goes_into_the_kernel_by_itself_and_is_taken_back(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """While it is there, nothing else is recorded; where it began and ended stands in the list, and in what is saved."""
    view = terminal("-e", "syscalls:sys_enter_lseek")
    view.until("ev/s")
    root = tracefs.find().root
    name = next(one for one in instances.names(root) if one.startswith(f"{PREFIX}{view.pid}_"))
    path = root / "instances" / name / "events/syscalls/sys_enter_lseek/filter"
    view.press("f")
    view.type("offset == 77 && comm == seeker")
    view.press("Enter")
    view.until("filter in the kernel since")
    view.until("from here on only this is recorded: offset == 77 && comm == seeker")
    assert path.read_text().strip() == 'offset == 77 && COMM == "seeker"'
    seek()
    view.until("seeker")
    view.press("f", "C-u", "Enter")
    wait_until(lambda: path.read_text().strip() == "none")
    wait_until(lambda: "\nfilter " not in view.screen())
    view.until("from here on everything is recorded; since")
    seek()
    view.press("f")
    view.type("comm == seeker")
    view.press("Enter")
    wait_until(lambda: path.read_text().strip() == 'COMM == "seeker"')
    view.press("K")
    wait_until(lambda: path.read_text().strip() == "none")
    view.until("filter comm == seeker")
    view.press("T")
    view.type("offset")
    view.press("Enter")
    view.until(f"{2 * MANY} ")  # of both times
    view.until(f"{MANY} ")  # those not to be recorded, of the second
    view.press("Escape")
    view.until("[1 events]")
    view.press("K")
    view.until("filter in the kernel since")
    view.press("R")
    view.type(str(tmp_path / "last.dat"))
    view.press("Enter")
    view.until("saved")
    view.press("q")
    assert view.ended() == 0
    command = [sys.executable, "-P", "-m", "ftracepy.cli", "tpoint", "--replay", str(tmp_path / "last.dat"), "syscalls:*"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "only this is recorded: comm == seeker" in said


def seek() -> None:
    """MANY seeks to 77 and as many to 78, as seeker."""
    work = "import os\nfd = os.open('/dev/zero', 0)\nopen('/proc/self/comm', 'w').write('seeker')\n" + (
        f"for _ in range({MANY}):\n  os.lseek(fd, 77, 0)\n  os.lseek(fd, 78, 0)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", work], check=True)


_BAUD_115200 = 11_520  # bytes a second


def test_a_serial_line_of_115200_baud_can_carry_it(tracefs: object) -> None:
    """Bytes that really go to the terminal while every repaint changes every line; and it ends when told to."""
    pid, fd = pty.fork()
    if not pid:
        os.environ.update(TERM="linux", LANG="C.UTF-8")
        os.execv(sys.executable, [sys.executable, "-P", "-m", "ftracepy.cli", "live", "-e", "raw_syscalls:*", "--plain-tui"])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    work = subprocess.Popen([sys.executable, "-S", "-c", "import os\nwhile True: os.getppid()"])
    try:
        seen = b""
        while b"ev/s" not in seen:
            seen += os.read(fd, 65536)
        _sent(fd, 2.0)  # the first screen is more
        seconds = 6.0
        sent = _sent(fd, seconds)
        assert 1000 < sent / seconds < _BAUD_115200
        os.write(fd, b"q")
        with suppress(OSError):  # EIO: the other side is closed
            while os.read(fd, 65536):
                pass
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        work.kill()
        work.wait()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.close(fd)


def _sent(fd: int, seconds: float) -> int:
    """How many bytes come in that time."""
    count, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            count += len(os.read(fd, 65536))
    return count


def test_what_a_function_calls_is_shown_as_rows_and_as_a_flame_graph(
    terminal: Callable[..., Terminal], requires: Callable[[str], None]
) -> None:
    requires("function tracer")
    view = terminal("funcgraph", "vfs_open", "--children", "do_dentry_open")
    view.until("ev/s")
    subprocess.run(["cat", "/etc/passwd"], stdout=subprocess.DEVNULL, check=True)
    view.until("vfs_open")
    view.press("5")
    view.until("[5 flames]")
    view.until("of all")
    view.press("Down", "Down")
    view.until("do_dentry_open")
    view.press("t")
    view.until("OWN")
    view.until("vfs_open")
    view.press("q")
    assert view.ended() == 0
    assert left_by(view.pid) == []


def test_a_function_is_found_probed_and_what_is_wrong_is_told_in_its_place(
    terminal: Callable[..., Terminal], requires: Callable[[str], None], tmp_path: Path
) -> None:
    """The kernel's own word about what cannot be fetched; then MANY opens of one file, by its name."""
    requires("kprobes")
    requires("BTF")
    path = tmp_path / "counted-file"
    path.write_text("")
    view = terminal("-e", "sched:sched_process_exit", columns=140)  # for what a hit says behind its place
    view.until("ev/s")
    view.press("b")
    view.until("type letters")
    view.type("vfs_open")
    view.until("function  vfs_open")
    view.press("Enter")
    view.until("p:")
    view.press("a")
    view.type("name=+0(%nothing):string")
    view.press("Enter")
    screen = view.until("nothing but who called", gone=True)
    view.press("Enter")
    screen = view.until("Invalid register name")
    assert screen.index("a fetch") < screen.index("Invalid register name") < screen.index("f filter  every hit")
    view.press("a", *["BSpace"] * 30)
    view.type("name=path->dentry->d_name.name:string")
    view.press("Enter")
    view.until("f filter  every hit")
    view.press("f")
    view.type('name == "counted-file"')
    view.press("Enter")
    view.until("f filter  name ==")
    view.press("Enter")
    view.until("[1 kprobe]")
    view.until("ev/s")
    work = f"for _ in range({MANY}): open({str(path)!r}).close()"
    subprocess.run([sys.executable, "-S", "-c", work], check=True)
    view.until("counted-file")
    view.press("Right", "Right", "t")
    view.until(f"{MANY} 100.0%")
    view.press("q")
    assert view.ended() == 0
    assert left_by(view.pid) == []


def test_control_groups_are_told_live_and_by_what_was_saved(
    terminal: Callable[..., Terminal], tmp_path: Path, group: tuple[Path, str]
) -> None:
    """A process that is moved into a group of ours, and its child: MANY signals from there, and again in the replay."""
    folder, name = group
    view = terminal("killsnoop")
    view.until("ev/s")
    work = f"import os\nopen('cgroup.procs', 'w').write(str(os.getpid()))\nfor _ in range({MANY}): os.kill(os.getpid(), 0)"
    subprocess.run([sys.executable, "-S", "-c", work], check=True, cwd=folder)
    view.until("python")
    view.press("T")
    view.type("cgroup")
    view.press("Enter")
    view.until(f"{MANY} ")
    view.until(name[-12:] if len(name) > 40 else name)
    view.press("Escape")
    view.until("[1 killsnoop]")
    view.press("R")
    view.type(str(tmp_path / "last.dat"))
    view.press("Enter")
    view.until("saved")
    view.press("q")
    assert view.ended() == 0
    (tmp_path / "again").mkdir()
    again = Terminal(tmp_path / "again", "--replay", str(tmp_path / "last.dat"), "killsnoop")
    try:
        again.until("line 1 of")
        again.press("f")
        again.type(f'cgroup == "{name}"')
        again.press("Enter")
        again.until("filter cgroup")
        again.press("Home")
        again.press("Right", "t")
        again.until(f"{MANY} 100.0%")
        again.press("q")
        assert again.ended() == 0
    finally:
        again.kill()


@pytest.fixture
def mounted_groups(tmp_path: Path) -> Iterator[None]:
    """Where nobody has mounted control groups, a kernel that has them does not tell of them either."""
    if cgroups.of_process(os.getpid()) is not None:
        yield
        return
    folder = tmp_path / "groups"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "cgroup2", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("this kernel has no control groups")
    yield
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def group(mounted_groups: None) -> Iterator[tuple[Path, str]]:
    """A control group of our own, as its folder and its path, in the hierarchy in which we are told to be."""
    mine = cgroups.of_process(os.getpid())
    lines = dict(line.split(":", 1) for line in Path("/proc/self/cgroup").read_text().splitlines())
    if mine is None or str(mine.root) not in lines:
        pytest.skip("this kernel's control groups do not tell of processes")
    controllers = lines[str(mine.root)].partition(":")[0].removeprefix("name=")
    kind, options = ("cgroup2", "") if not mine.root else ("cgroup", controllers)
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    place = next((one[1] for one in mounts if one[2] == kind and options in [*one[3].split(","), ""]), None)
    if place is None:
        pytest.skip("this kernel's control groups are mounted nowhere")
    name = f"{mine.path.rstrip('/')}/ftracepy-test-{os.getpid()}"
    folder = Path(place + name)
    folder.mkdir()
    yield folder, name
    wait_until(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()
