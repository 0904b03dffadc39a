"""The ways to texts on this machine's own kernel: 307 opens and 101 execs of several kinds, every one with its text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftracepy import live
from ftracepy.errors import KernelCannot, UsageFault
from ftracepy.live.plan import EVERYBODY, Plan, ProbeDef, Scope, plan
from ftracepy.live.ways import canary, sites
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Execs, Syscalls, Tasks, Tracepoint, Way, Wish
from ftracepy.sidefacts import Kind, SideFact, Unpacker
from ftracepy.stream import Stream
from ftracepy.symbols import words
from ftracepy.tracefs import Tracefs
from tests.support.machines import FIRST_ARGUMENT, static_program

N = 307
EXECS_DONE = 101  # an emulated processor takes a fifth of a second for each
OPENS = (Syscalls(("open", "openat", "openat2", "creat"), ("filename", "pathname")), Tasks())
EXECS = (Execs(), Tasks())


class Seen:
    """All events and side facts of a run, kept."""

    def __init__(self, tracefs: Tracefs, wishes: Sequence[Wish], action: Callable[[], object], scope: Scope = EVERYBODY) -> None:
        self.plan: Plan = plan(wishes, tracefs, scope=scope)
        self.events: list[Any] = []
        self.facts: list[SideFact] = []
        unpacker = Unpacker()
        with live.open(self.plan, tracefs=tracefs) as source:
            worker = threading.Thread(target=self._act, args=(action, source.stop))
            worker.start()
            for batch in Stream(source):
                self.events.extend(batch)
            worker.join()
            assert source.health().lost == 0
        for event in self.events:
            if event.name == "raw_data":
                self.facts.extend(unpacker.unpack(event["id"], event["buf"]))

    @staticmethod
    def _act(action: Callable[[], object], stop: Callable[[], None]) -> None:
        try:
            action()
        finally:
            stop()

    def uses(self, how: str) -> bool:
        return any(how in way.how for way in self.plan.ways)

    def paths(self, tid: int) -> list[str]:
        return [fact.body.partition(b"\0")[0].decode() for fact in self.facts if fact.kind is Kind.PATH and fact.tid == tid]


# Opens each path of a JSON list (path, flags) and prints pid and errno or 0 of each.
_OPENER = """
import json, os, sys
results = []
for path, flags in json.load(open(sys.argv[1])):
    try:
        os.close(os.open(path, flags, 0o600)); results.append(0)
    except OSError as error:
        results.append(error.errno)
print(json.dumps([os.getpid(), results]))
"""


def opener(todo: Path, kinds: list[tuple[str, int]], cwd: Path) -> Callable[[], None]:
    """Runs the opens in a child; its answer lies beside `todo`."""
    todo.write_text(json.dumps(kinds))

    def action() -> None:
        done = subprocess.run([sys.executable, "-c", _OPENER, todo], cwd=cwd, capture_output=True, check=True, timeout=60)
        todo.with_suffix(".done").write_bytes(done.stdout)

    return action


def answers(todo: Path) -> tuple[int, list[int]]:
    pid, results = json.loads(todo.with_suffix(".done").read_text())
    return pid, results


def opens_of_all_kinds(folder: Path, shm: Path) -> list[tuple[str, int]]:
    """307 opens that all work: old and new files, folders, links, devices, a pipe, /proc, /sys, tmpfs, long names."""
    folder.joinpath("old").write_text("x")
    folder.joinpath("link").symlink_to("old")
    deep = folder / ("d" * 100) / ("e" * 60)
    deep.mkdir(parents=True)
    deep.joinpath("file").write_text("x")
    os.mkfifo(folder / "pipe")
    fixed = [(str(folder / "old"), os.O_RDONLY), ("old", os.O_RDWR), ("link", os.O_RDONLY), (str(folder / "pipe"), os.O_RDWR),
             (str(deep / "file"), os.O_RDONLY), (str(folder), os.O_RDONLY | os.O_DIRECTORY), (".", os.O_RDONLY),
             ("/dev/null", os.O_WRONLY), ("/dev/zero", os.O_RDONLY), ("/proc/self/stat", os.O_RDONLY),
             ("/proc/version", os.O_RDONLY), ("/sys/devices/system/cpu/online", os.O_RDONLY),
             ("/etc/passwd", os.O_RDONLY)]  # fmt: skip
    files = [(str(folder / f"new-{at}"), os.O_CREAT | os.O_RDWR) for at in range(100)]
    relative = [(f"relative-{at}", os.O_CREAT | os.O_RDWR) for at in range(100)]
    memory = [(str(shm / f"shm-{at}"), os.O_CREAT | os.O_RDWR) for at in range(N - 200 - len(fixed))]
    return [*fixed, *files, *relative, *memory]


@pytest.fixture
def shm() -> Any:
    folder = Path("/dev/shm") / f"ftracepy-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def at_sites(seen: Seen, pid: int, call: str = "openat") -> list[tuple[str, int]]:
    """(text seen before the call, its result) of every call of one thread, in order."""
    found, text = [], ""
    for event in seen.events:
        if event.pid != pid:
            continue
        if event.name == "path_site":
            text = words.text(event["path"])[0]
        elif event.name == f"sys_exit_{call}":
            found.append((text, event["ret"]))
            text = ""
    return found


def test_every_open_of_307_has_the_text_that_was_passed(clean_kernel: Tracefs, tmp_path: Path, shm: Path) -> None:
    kinds = opens_of_all_kinds(tmp_path, shm)
    assert len(kinds) == N
    seen = Seen(clean_kernel, OPENS, opener(tmp_path / "todo", kinds, tmp_path))
    if not seen.uses("uprobes in libc"):
        pytest.skip("this kernel has a better way")
    pid, results = answers(tmp_path / "todo")
    assert results == [0] * N
    ours = at_sites(seen, pid)
    start = next(at for at, (text, _) in enumerate(ours) if text == kinds[0][0])
    assert [text[:255] for text, _ in ours[start : start + N]] == [path[:255] for path, _ in kinds]
    assert all(ret >= 0 for _, ret in ours[start : start + N])


def test_fanotify_tells_the_real_path_of_every_open_of_307(clean_kernel: Tracefs, tmp_path: Path, shm: Path) -> None:
    kinds = opens_of_all_kinds(tmp_path, shm)
    seen = Seen(clean_kernel, OPENS, opener(tmp_path / "todo", kinds, tmp_path))
    if not seen.uses("fanotify"):
        pytest.skip("this kernel has a better way")
    pid, _ = answers(tmp_path / "todo")
    real = {str((tmp_path / path).resolve()).replace("/proc/self", f"/proc/{pid}") for path, _ in kinds}
    real = {path.replace(f"/proc/{os.getpid()}", f"/proc/{pid}") for path in real}
    assert real - set(seen.paths(pid)) == set()


def test_failed_opens_have_their_text_too(clean_kernel: Tracefs, tmp_path: Path) -> None:
    kinds = [(f"missing-{at}", os.O_RDONLY) for at in range(N)]
    seen = Seen(clean_kernel, OPENS, opener(tmp_path / "todo", kinds, tmp_path))
    if not seen.uses("uprobes in libc"):
        pytest.skip("this kernel has a better way")
    pid, results = answers(tmp_path / "todo")
    failed = [text for text, ret in at_sites(seen, pid) if ret < 0 and text.startswith("missing-")]
    assert failed == [path for path, _ in kinds]
    assert set(results) == {2}


def test_caught_up_comes_after_the_last_path(clean_kernel: Tracefs, tmp_path: Path) -> None:
    seen = Seen(clean_kernel, OPENS, opener(tmp_path / "todo", [("/etc/passwd", os.O_RDONLY)], tmp_path))
    if not seen.uses("fanotify"):
        pytest.skip("this kernel has a better way")
    told = [fact for fact in seen.facts if fact.kind in (Kind.PATH, Kind.CAUGHT_UP)]
    assert told[-1].kind is Kind.CAUGHT_UP
    pid, _ = answers(tmp_path / "todo")
    assert told[-1].when_ns > max(event.ts for event in seen.events if event.name == "sys_exit_openat" and event.pid == pid)


SCRIPT = "#!/bin/sh\nexit 0\n"


def programs(folder: Path) -> list[list[str]]:
    """101 command lines of dynamically linked programs."""
    script = folder / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    true, echo = shutil.which("true") or "/bin/true", shutil.which("echo") or "/bin/echo"
    fixed = [[true], [true, ""], [echo, "two words", "", "tab\there"], [echo, "new\nline", "\N{SNOWMAN}"], [true, *"a" * 200],
             [true, "x" * 1900], ["/bin/sh", "-c", ":", "name", "an argument"]]  # fmt: skip
    return [*fixed, *([true, f"canary-{at}", str(at)] for at in range(EXECS_DONE - len(fixed)))]


def at_loader(seen: Seen) -> list[list[str]]:
    found = []
    for event in seen.events:
        if event.name == "argv_loader":
            block = b"".join(words.raw(event[f"block{at}"]) for at in range(4))
            argv, whole = words.strings(block, event["argc"])
            found.extend([argv] if whole else [])
    return found


def test_every_exec_of_101_has_its_argv(clean_kernel: Tracefs, tmp_path: Path) -> None:
    todo = programs(tmp_path)
    assert len(todo) == EXECS_DONE

    def action() -> None:
        for argv in todo:
            subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, timeout=60)

    seen = Seen(clean_kernel, EXECS, action)
    if not seen.uses("dynamic loader"):
        pytest.skip("this kernel has a better way")
    shown = at_loader(seen)
    assert [argv for argv in todo if argv not in shown] == []
    assert sum(argv in todo for argv in shown) >= EXECS_DONE


def test_a_script_shows_its_interpreters_argv(clean_kernel: Tracefs, tmp_path: Path) -> None:
    programs(tmp_path)
    script = str(tmp_path / "script")
    seen = Seen(clean_kernel, EXECS, lambda: subprocess.run([script, "one"], check=True, timeout=60))
    if not seen.uses("dynamic loader"):
        pytest.skip("this kernel has a better way")
    assert ["/bin/sh", script, "one"] in at_loader(seen)


def test_failed_execs_have_program_and_arguments(clean_kernel: Tracefs) -> None:
    token = canary.token()

    def action() -> None:
        with pytest.raises(FileNotFoundError):
            os.posix_spawn(f"/nonexistent/{token}", ["name", token, ""], {})

    seen = Seen(clean_kernel, EXECS, action)
    if not seen.uses("uprobes in libc"):
        pytest.skip("this kernel has no uprobes")
    hits = [event for event in seen.events if event.name == "exec_site" and words.text(event["path"])[0].endswith(token)]
    assert hits
    count = hits[0]["argv"].index(0)
    assert [words.text(hits[0][f"arg{at}"])[0] for at in range(count)] == ["name", token, ""]


def test_a_static_program_started_by_a_dynamic_one_has_its_argv(clean_kernel: Tracefs, tmp_path: Path) -> None:
    program, token = static_program(tmp_path / "static"), canary.token()
    seen = Seen(clean_kernel, EXECS, lambda: subprocess.run([program, token], check=True, timeout=60))
    if not seen.uses("uprobes in libc"):
        pytest.skip("this kernel has a better way")
    assert token not in [argument for argv in at_loader(seen) for argument in argv]
    assert any(words.text(event["arg1"])[0] == token for event in seen.events if event.name == "exec_site")


def test_proc_tells_the_argv_of_a_program_that_stays(clean_kernel: Tracefs) -> None:
    running: list[subprocess.Popen[bytes]] = []
    token = canary.token()

    def action() -> None:
        """The parent goes on before the exec event is recorded, so it waits for the program's own word."""
        command = [sys.executable, "-c", "print(flush=True); input()", token]
        one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.append(one)
        assert one.stdout
        one.stdout.readline()

    try:
        seen = Seen(clean_kernel, EXECS, action)
    finally:
        for one in running:
            one.kill()
            one.communicate()
    if not seen.uses("/proc/PID/cmdline"):
        pytest.skip("this kernel has a better way")
    argv = [fact.body for fact in seen.facts if fact.kind is Kind.ARGV and fact.tid == running[0].pid]
    assert any(token.encode() in body.split(b"\0") for body in argv)


def test_scope_of_a_process_keeps_others_out(clean_kernel: Tracefs, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        seen = Seen(clean_kernel, OPENS, opener(tmp_path / "todo", [("/etc/passwd", 0)], tmp_path), Scope(pid=other.pid))
        other.kill()
    assert seen.plan.pids == (other.pid,)
    assert {event.pid for event in seen.events if event.name.startswith(("sys_", "path_"))} <= {other.pid}


def test_a_process_that_is_not_there_is_a_usage_fault(tracefs: Tracefs) -> None:
    for scope in (Scope(pid=2**22 + 1), Scope(tid=2**22 + 1)):
        with pytest.raises(UsageFault):
            plan(OPENS, tracefs, scope=scope)


def test_a_way_that_shows_nothing_is_not_believed(clean_kernel: Tracefs) -> None:
    probe = ProbeDef("p", "path_site", f"{os.path.realpath('/proc/self/exe')}:0x0", (f"path=+0({FIRST_ARGUMENT}):x64[8]",))
    never_hit = Candidate("test", Way("path", "a wrong place", "none"), uprobes=(probe,), proof=canary.open_missing)
    with pytest.raises(KernelCannot):
        canary.prove(clean_kernel, never_hit)


def test_a_way_that_shows_the_wrong_text_is_not_believed(clean_kernel: Tracefs) -> None:
    event = Tracepoint("syscalls", "sys_enter_openat")
    liar = Candidate("test", Way("path", "text in the event", "none"), events=(event,), proof=canary.run_program)
    with pytest.raises(KernelCannot, match="does not show"):
        canary.prove(clean_kernel, liar)


def test_verdicts_are_kept_so_that_the_next_start_tries_nothing(tracefs: Tracefs, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan((*OPENS, *EXECS), tracefs)

    def must_not_run(*_: object) -> None:
        raise AssertionError("tried again")

    monkeypatch.setattr(canary, "prove", must_not_run)
    assert plan((*OPENS, *EXECS), tracefs).ways == first.ways


def test_what_is_probed_is_found_by_function_and_proved(tracefs: Tracefs, tmp_path: Path) -> None:
    if not (tracefs.root / "uprobe_events").exists():
        pytest.skip("this kernel has no uprobes")
    candidate = sites.opens(tracefs, Verdicts(tmp_path))
    assert {probe.event for probe in candidate.uprobes} == {"path_site"}
    canary.prove(tracefs, candidate)


def test_all_system_calls_are_two_events(tracefs: Tracefs) -> None:
    made = plan([Syscalls()], tracefs)
    assert made.events == [Tracepoint("raw_syscalls", "sys_enter"), Tracepoint("raw_syscalls", "sys_exit")]
    assert not made.probes
    assert not made.aides


def test_unknown_calls_and_events(tracefs: Tracefs) -> None:
    known = plan([Syscalls(("getppid", "no_such_call"))], tracefs)
    assert [one.name for one in known.events] == ["sys_enter_getppid", "sys_exit_getppid"]
    for wish in (Syscalls(("no_such_call",)), Tracepoint("sched", "no_such_event")):
        with pytest.raises(KernelCannot):
            plan([wish], tracefs)
