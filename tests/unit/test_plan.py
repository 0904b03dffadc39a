"""Plans for tracefs trees made of plain files: which way is taken for which kernel, without any kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.plan import Plan, ProbeDef, plan
from ftracepy.live.ways import canary, libraries, path_fanotify
from ftracepy.live.ways.candidate import Candidate
from ftracepy.live.ways.libraries import Library
from ftracepy.live.ways.trials import Trials
from ftracepy.live.ways.verdicts import Verdicts
from ftracepy.probes import Execs, LossProbes, Syscalls, Tasks, Tracepoint, Way
from ftracepy.symbols.sites import Site
from ftracepy.tracefs import Tracefs

OPENS = Syscalls(("open", "openat"), ("filename",))
_PLAIN = "name: sys_enter_openat\nID: 5\nformat:\n\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;\n"
_WITH_TEXT = _PLAIN + "\tfield:__data_loc char[] __filename_val;\toffset:48;\tsize:4;\tsigned:0;\n"

_EVENTS = ("syscalls/sys_enter_openat", "syscalls/sys_exit_openat", "syscalls/sys_enter_execve", "syscalls/sys_exit_execve",
           "sched/sched_process_exec", "raw_syscalls/sys_enter", "raw_syscalls/sys_exit")  # fmt: skip

Kernel = Callable[..., Tracefs]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Makes a tracefs with the given files and events; every trial of `works` succeeds, every other fails."""

    def make(*files: str, openat: str = _PLAIN, works: tuple[str, ...] = ("",), fanotify: bool = True) -> Tracefs:
        root = tmp_path / "tracing"
        for event in _EVENTS:
            folder = root / "events" / event
            folder.mkdir(parents=True)
            folder.joinpath("format").write_text(openat if event.endswith("enter_openat") else "name: x\nID: 6\n")
        for name in files:
            root.joinpath(name).touch()

        def prove(_: Tracefs, candidate: Candidate) -> None:
            if candidate.proof and not candidate.key.startswith(works):
                raise KernelCannot(f"{candidate.key} does not work")

        def refuse() -> None:
            raise KernelCannot("no fanotify")

        monkeypatch.setenv("FTRACEPY_STATE", str(tmp_path / "state"))
        monkeypatch.setattr(canary, "prove", prove)
        monkeypatch.setattr(path_fanotify, "_try", (lambda: None) if fanotify else refuse)
        monkeypatch.setattr(libraries, "found", lambda: [Library("/lib/libc.so.6", "k"), Library("/lib/ld.so", "l")])
        monkeypatch.setattr("ftracepy.symbols.sites.find", lambda *_: [Site(0x10, 257, (("path", "%si"), ("argv", "%di")))])
        monkeypatch.setattr("ftracepy.symbols.elf.read", lambda _: None)
        monkeypatch.setattr("ftracepy.live.ways.argv_loader._entry_offset", lambda _: 0x40)
        monkeypatch.setattr("ftracepy.live.ways.argv_kernel._offsets", lambda: [1, 2, 3])
        return Tracefs(root)

    return make


def hows(made: Plan) -> list[str]:
    return [way.how for way in made.ways]


def test_the_text_of_a_probe() -> None:
    probe = ProbeDef("p", "path_site", "/lib/libc.so:0x10", ("nr=\\257:u32", "path=+0(%si):x64[32]"))
    assert probe.text("group") == "p:group/path_site /lib/libc.so:0x10 nr=\\257:u32 path=+0(%si):x64[32]"


def test_the_kernels_copy_is_enough(kernel: Kernel) -> None:
    made = plan([OPENS], kernel("kprobe_events", "uprobe_events", works=("path_kernel/do_file_open",)))
    assert hows(made) == ["kprobe on do_file_open"]
    assert [probe.event for probe in made.probes] == ["path_kernel"]
    assert made.probes[0].file == "kprobe_events"
    assert not made.aides


def test_text_in_the_event_is_joined_by_fanotify(kernel: Kernel) -> None:
    made = plan([OPENS], kernel("uprobe_events", "syscall_user_buf_size", openat=_WITH_TEXT))
    assert hows(made) == ["text in the syscall event", "fanotify"]
    assert made.settings == {"syscall_user_buf_size": "165"}
    assert not made.probes


def test_an_event_probe_where_the_event_has_no_text(kernel: Kernel) -> None:
    made = plan([OPENS], kernel("dynamic_events", "uprobe_events", works=("path_entry",)))
    assert hows(made) == ["event probe on the syscall's entry", "fanotify"]
    assert made.kprobes[0].text("g").startswith("e:g/path_entry syscalls.sys_enter_openat path=+0($filename):ustring")


def test_without_all_these_fanotify_and_uprobes(kernel: Kernel) -> None:
    made = plan([OPENS], kernel("uprobe_events"))
    assert hows(made) == ["fanotify", "uprobes in libc and the loader"]
    assert {probe.event for probe in made.uprobes} == {"path_site"}
    assert [aide.name for aide in made.aides] == ["opens"]


def test_where_nothing_can_read_it_the_user_is_told(kernel: Kernel) -> None:
    made = plan([OPENS], kernel(fanotify=False))
    assert [way.provenance for way in made.ways] == ["none"]
    assert "no uprobes" in made.notices[0]
    assert "no fanotify" in made.notices[0]


def test_argv_best_first(kernel: Kernel) -> None:
    made = plan([Execs()], kernel("dynamic_events", "kprobe_events", "uprobe_events", works=("argv_kernel/p", "exec_site")))
    assert hows(made) == ["kprobe on proc_exec_connector", "uprobes in libc"]
    assert "start=+2(+1($arg1)):x64" in made.kprobes[0].args


def test_argv_without_types(kernel: Kernel) -> None:
    made = plan([Execs()], kernel("kprobe_events", "uprobe_events", works=("argv_kernel/s", "argv_loader", "exec_site")))
    assert hows(made) == ["kprobe on start_thread", "uprobes in libc"]
    assert (made.kprobes[0].args[0], made.kprobes[0].event) == ("argc=+0($arg3):s64", "argv_kernel")


def test_argv_without_kernel_probes(kernel: Kernel) -> None:
    made = plan([Execs()], kernel("uprobe_events"))
    assert hows(made) == ["uprobe on the dynamic loader", "uprobes in libc", "/proc/PID/cmdline at once"]
    assert made.uprobes[0].place == "/lib/ld.so:0x40"
    assert Tracepoint("sched", "sched_process_exec") in made.events


def test_execs_without_argv_need_no_way(kernel: Kernel) -> None:
    made = plan([Execs(argv=False)], kernel("uprobe_events"))
    assert not made.ways
    assert not made.probes


def test_events_and_ways_are_asked_for_once(kernel: Kernel) -> None:
    made = plan([OPENS, OPENS, Tasks(), Execs(), Execs()], kernel("uprobe_events"))
    assert len(made.events) == len(set(made.events))
    assert len(made.probes) == len({(probe.event, probe.place) for probe in made.probes})


def test_every_system_call_by_the_raw_events(kernel: Kernel) -> None:
    assert [one.system for one in plan([Syscalls()], kernel()).events] == ["raw_syscalls"] * 2


def test_what_is_missing(kernel: Kernel) -> None:
    tracefs = kernel()
    for wish in (Tracepoint("no", "such"), Syscalls(("socket",))):
        with pytest.raises(KernelCannot):
            plan([wish], tracefs)


def test_trials_stop_at_the_first_that_works_and_keep_the_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def prove(_: Tracefs, candidate: Candidate) -> None:
        tried.append(candidate.key)
        if candidate.key == "bad":
            raise KernelCannot("bad shows nothing", why="because")

    monkeypatch.setattr(canary, "prove", prove)
    bad, good, better = (Candidate(key, Way("x", key, "none")) for key in ("bad", "good", "better"))

    def impossible() -> Candidate:
        raise KernelCannot("cannot be")

    for _ in range(2):
        trials = Trials(Tracefs(tmp_path), verdicts := Verdicts(tmp_path))
        assert trials.first(impossible, lambda: bad, lambda: [good], lambda: better) == good
        assert [error.what for error in trials.refused] == ["cannot be", "bad shows nothing"]
        verdicts.save()
    assert tried == ["bad", "good"]


def test_a_passing_refusal_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[FtracepyError | None] = [FtracepyError("no memory", wrote="instances/x (ENOMEM)"), None]

    def prove(_: Tracefs, __: Candidate) -> None:
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(canary, "prove", prove)
    trials, way = Trials(Tracefs(tmp_path), Verdicts(tmp_path)), Candidate("a", Way("x", "a", "none"))
    assert trials.first(lambda: way) is None
    assert trials.first(lambda: way) == way
    assert trials.first(lambda: way) == way


def test_verdicts_that_cannot_be_kept_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Verdicts(tmp_path / "file" / "below")
    assert kept.get("a", lambda: 1) == 1
    kept.save()
    kept = Verdicts(tmp_path)
    kept.path.write_text("not json")
    assert Verdicts(tmp_path).get("a", lambda: 2) == 2
    kept.path.write_text("[1]")
    assert Verdicts(tmp_path).get("a", lambda: 3) == 3


def test_verdicts_of_another_boot_are_thrown_away(tmp_path: Path) -> None:
    stale = tmp_path / "verdicts-0123.json"
    stale.write_text("{}")
    kept = Verdicts(tmp_path)
    kept.get("a", lambda: 1)
    kept.save()
    assert not stale.exists()
    assert Verdicts(tmp_path).get("a", lambda: 2) == 1


def test_libraries_of_running_programs_and_other_roots(tmp_path: Path) -> None:
    root, proc = tmp_path / "root", tmp_path / "proc"
    usual, mapped = root / "lib64/ld-linux-x86-64.so.2", tmp_path / "opt/libc.so.6"
    for path in (usual, mapped):
        path.parent.mkdir(parents=True)
        path.write_text(path.name)
    (proc / "7").mkdir(parents=True)
    os.symlink("/", proc / "7/root")
    line = f"7f00-7f01 r-xp 00000000 08:01 42   {mapped}\n"
    (proc / "7/maps").write_text(line + line + "7f00-7f01 rw-p 00000000 00:00 0 \n7f00-7f01 r-xp 0 08:01 43 /lib/libm.so.6\n")
    assert [library.path for library in libraries.found(proc, root)] == [str(usual), str(mapped)]


def put(tracefs: Tracefs, *events: str) -> None:
    for event in events:
        (tracefs.root / "events" / event).mkdir(parents=True)
        (tracefs.root / "events" / event / "format").write_text("name: x\nID: 7\n")


@pytest.mark.parametrize("taken", [True, False], ids=["with kprobes", "by stacks"])
def test_loss_probes_are_marked_or_shown_by_stacks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    tracefs = kernel("kprobe_events")
    put(tracefs, "tcp/tcp_retransmit_skb")
    monkeypatch.setattr("ftracepy.live.ways.lossprobes._are_taken", lambda _tracefs: taken)
    monkeypatch.setattr("ftracepy.live.ways.lossprobes._telling", lambda _tracefs: [])
    made = plan([Tracepoint("tcp", "tcp_retransmit_skb", scoped=False), LossProbes()], tracefs)
    assert [one.event for one in made.kprobes] == (["loss_probe", "loss_probe_end"] if taken else [])
    assert made.events == [Tracepoint("tcp", "tcp_retransmit_skb", stack=not taken, scoped=False)]
    assert made.everywhere


def test_names_from_the_folder_on_take_more(kernel: Kernel) -> None:
    tracefs = kernel("kprobe_events")
    put(tracefs, "syscalls/sys_exit_chdir", "syscalls/sys_exit_dup2")
    made = plan([Syscalls(("openat",), ("filename",), absolute=True)], tracefs)
    assert {"folders", "opens"} == {aide.name for aide in made.aides}
    assert {(one.name, one.filter) for one in made.events} >= {("sys_exit_chdir", "ret == 0"), ("sys_exit_dup2", "ret >= 0")}
    assert plan([Syscalls(("openat",), ("filename",))], tracefs).aides == []


def test_failed_execs_want_the_kernels_name_of_the_file(kernel: Kernel) -> None:
    tracefs = kernel("kprobe_events")
    assert [one.event for one in plan([Execs(failed=True)], tracefs).kprobes][:1] == ["path_kernel"]
    assert "path_kernel" not in [one.event for one in plan([Execs()], tracefs).kprobes]
