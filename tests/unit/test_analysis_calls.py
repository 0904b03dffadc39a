"""Entry and exit matched per task: each way in which they do not simply come in pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftracepy.analysis.calls import OPENS, Call, Text, calls
from ftracepy.analysis.pairing import Outcome
from ftracepy.schema import EventFormat
from ftracepy.sidefacts import Kind
from ftracepy.system.tasklines import TaskLine
from tests.support.events import Trace, as_words

OTHERS = {"execve", "execveat", "nanosleep", "read", "clone", "exit_group", "exit", "getpid", "fstat", "rt_sigreturn", "kill"}
ALL = OPENS | OTHERS
THREAD = 0x10000
SECOND = 1_000_000_000


def told(trace: Trace, *names: str, ended: bool = True) -> list[Call]:
    return list(calls(trace.feed(ended=ended), set(names) or ALL))


def ends(found: list[Call]) -> list[tuple[int, str, Outcome, int | None]]:
    return [(call.tid, call.name, call.outcome, call.ret) for call in found]


def test_a_call_and_its_return() -> None:
    trace = Trace()
    trace.tasks(TaskLine(8, 7, 1, 0, "worker"))
    trace.enter(8, "openat", filename=0x1000, flags=2)
    started = trace.now
    trace.leave(8, "openat", -2)
    (call,) = told(trace)
    assert (call.tid, call.pid, call.comm, call.name) == (8, 7, "worker", "openat")
    assert (call.failed, call.errname, call.ret_if_ok) == (True, "ENOENT", None)
    assert (call.start_ns, call.end_ns) == (started, started + 1000)
    assert call.args["flags"] == 2
    assert call.text("filename") == Text(None, "none")


def test_calls_of_threads_interleave() -> None:
    trace = Trace()
    trace.enter(7, "openat")
    trace.enter(8, "openat")
    trace.leave(7, "openat", 3)
    trace.leave(8, "openat", 4)
    assert [(call.tid, call.ret) for call in told(trace)] == [(7, 3), (8, 4)]


def test_1_exec_by_another_thread_than_the_leader_ends_as_the_leaders() -> None:
    trace = Trace()
    trace.newtask(7, 9, "worker", THREAD)
    trace.enter(7, "read")
    trace.enter(9, "execve")
    trace.leave(7, "read", -514)
    trace.exit(7)
    trace.exec(7, "/bin/true", old_pid=9)
    trace.leave(7, "execve", 0)
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    assert ends(told(trace)) == [
        (7, "read", Outcome.DIED, None),
        (9, "execve", Outcome.EXEC, 0),
        (7, "openat", Outcome.RETURNED, 3),
    ]


def test_1_without_the_exec_event_the_process_tells() -> None:
    trace = Trace(omit=["sched_process_exec"])
    trace.newtask(1, 7, "main")
    trace.newtask(7, 9, "worker", THREAD)
    trace.enter(9, "execve")
    trace.leave(7, "execve", 0)
    assert ends(told(trace)) == [(9, "execve", Outcome.EXEC, 0)]


def test_2_exec_across_bitness_leaves_under_the_other_abis_number() -> None:
    trace = Trace()
    trace.raw_enter(7, 59)
    trace.exec(7, "/bin/i386")
    trace.raw_leave(7, 11, 0)
    trace.raw_enter(7, 39)
    trace.raw_leave(7, 39, 7)
    assert ends(told(trace)) == [(7, "execve", Outcome.EXEC, 0), (7, "getpid", Outcome.RETURNED, 7)]


def test_3_a_successful_execveat_leaves_as_execve() -> None:
    trace = Trace()
    trace.enter(7, "execveat")
    trace.exec(7, "/bin/true")
    trace.leave(7, "execve", 0)
    trace.enter(7, "execveat")
    trace.leave(7, "execve", 0)
    assert ends(told(trace)) == [(7, "execveat", Outcome.EXEC, 0)] * 2


def test_4_rt_sigreturn_leaves_as_number_minus_one() -> None:
    trace = Trace()
    trace.raw_enter(7, 15)
    trace.raw_leave(7, -1, 42)
    trace.raw_enter(7, 39)
    trace.raw_leave(7, 39, 7)
    assert ends(told(trace)) == [(7, "rt_sigreturn", Outcome.RETURNED, 42), (7, "getpid", Outcome.RETURNED, 7)]


def test_4_where_only_named_events_are_recorded_rt_sigreturn_never_leaves() -> None:
    trace = Trace()
    trace.enter(7, "rt_sigreturn")
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    assert ends(told(trace)) == [(7, "rt_sigreturn", Outcome.RETURNED, None), (7, "openat", Outcome.RETURNED, 3)]


@pytest.mark.parametrize("recorded", ["newtask", "fork", "neither"])
def test_5_a_child_leaves_a_call_it_never_entered(recorded: str) -> None:
    trace = Trace()
    trace.enter(7, "clone")
    if recorded == "newtask":
        trace.newtask(7, 8)
    if recorded == "fork":
        trace.fork(7, 8)
    trace.leave(8, "clone", 0)
    trace.enter(8, "openat")
    trace.leave(8, "openat", 3)
    trace.leave(7, "clone", 8)
    assert ends(told(trace)) == [(8, "openat", Outcome.RETURNED, 3), (7, "clone", Outcome.RETURNED, 8)]


def test_5_a_vfork_childs_exec_comes_before_the_parents_return() -> None:
    trace = Trace()
    trace.enter(7, "clone")
    trace.newtask(7, 8)
    trace.leave(8, "clone", 0)
    trace.enter(8, "execve")
    trace.exec(8, "/bin/true")
    trace.leave(8, "execve", 0)
    trace.leave(7, "clone", 8)
    assert ends(told(trace)) == [(8, "execve", Outcome.EXEC, 0), (7, "clone", Outcome.RETURNED, 8)]


@pytest.mark.parametrize("name", ["exit", "exit_group"])
def test_6_exit_never_returns(name: str) -> None:
    trace = Trace()
    trace.enter(7, name)
    trace.exit(7)
    assert ends(told(trace)) == [(7, name, Outcome.NEVER_RETURNED, None)]


@pytest.mark.parametrize("left", [True, False])
def test_7_killed_in_a_call(left: bool) -> None:
    trace = Trace()
    trace.enter(7, "read")
    if left:
        trace.leave(7, "read", -514)
    trace.exit(7)
    assert ends(told(trace)) == [(7, "read", Outcome.DIED, None)]


def test_8_a_call_that_was_running_when_tracing_started_is_left_out() -> None:
    trace = Trace()
    trace.leave(7, "openat", -2)
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    assert ends(told(trace)) == [(7, "openat", Outcome.RETURNED, 3)]


def test_9_what_seccomp_denies_never_entered() -> None:
    trace = Trace()
    trace.newtask(1, 7, "sandboxed")
    trace.leave(7, "openat", -1)
    trace.leave(7, "getpid", 39)
    (denied, killed) = told(trace)
    assert ends([denied, killed]) == [(7, "openat", Outcome.DENIED, -1), (7, "getpid", Outcome.DENIED, None)]
    assert denied.comm == "sandboxed"
    assert denied.errname == "EPERM"


def test_a_restart_without_handler_is_one_call() -> None:
    trace = Trace()
    trace.enter(7, "openat", filename=5)
    started = trace.now
    trace.leave(7, "openat", -512)
    trace.enter(7, "openat", filename=5)
    trace.leave(7, "openat", 3)
    (call,) = told(trace)
    assert (call.outcome, call.ret, call.restarts, call.start_ns) == (Outcome.RETURNED, 3, 1, started)


def test_a_handler_without_sa_restart_shows_as_eintr_and_never_as_512() -> None:
    trace = Trace()
    trace.raw_enter(7, 257)
    trace.raw_leave(7, 257, -512)
    trace.raw_enter(7, 15)
    trace.raw_leave(7, -1, -4)
    (call, sigreturn) = sorted(told(trace), key=lambda call: call.name)
    assert (call.name, call.ret, call.errname) == ("openat", -4, "EINTR")
    assert sigreturn.name == "rt_sigreturn"


def test_sa_restart_after_a_handler_is_one_call() -> None:
    trace = Trace()
    trace.raw_enter(7, 0, 3, 5)
    trace.raw_leave(7, 0, -512)
    trace.raw_enter(7, 15)
    trace.raw_leave(7, -1, 0)
    trace.raw_enter(7, 0, 3, 5)
    trace.raw_leave(7, 0, 10)
    assert ends(told(trace, "read")) == [(7, "read", Outcome.RETURNED, 10)]


def test_restart_syscall_carries_on_the_interrupted_call() -> None:
    trace = Trace()
    trace.enter(7, "nanosleep")
    trace.leave(7, "nanosleep", -516)
    trace.enter(7, "restart_syscall")
    trace.leave(7, "restart_syscall", 0)
    assert ends(told(trace)) == [(7, "nanosleep", Outcome.RETURNED, 0)]


def test_an_interrupted_call_does_not_wait_for_ever() -> None:
    trace = Trace()
    trace.enter(7, "openat")
    trace.leave(7, "openat", -512)
    trace.cut(trace.now + 2 * SECOND)
    assert ends(told(trace, ended=False)) == [(7, "openat", Outcome.RETURNED, -4)]


@pytest.mark.parametrize(
    ("handler", "flags", "then"),
    [(0x4000, 0, [(7, "openat", Outcome.RETURNED, -4)]), (0, 0, [(7, "openat", Outcome.DIED, None)])],
)
def test_a_delivered_signal_tells_interruption_from_death(handler: int, flags: int, then: list[object]) -> None:
    trace = Trace()
    trace.enter(7, "openat")
    trace.leave(7, "openat", -512)
    trace.event(7, "signal", "signal_deliver", sig=10, errno=0, code=0, sa_handler=handler, sa_flags=flags)
    trace.exit(7)
    assert ends(told(trace)) == then


def test_a_handler_with_sa_restart_lets_the_call_go_on() -> None:
    trace = Trace()
    trace.enter(7, "openat")
    trace.leave(7, "openat", -512)
    trace.event(7, "signal", "signal_deliver", sig=10, errno=0, code=0, sa_handler=0x4000, sa_flags=0x14000000)
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    assert ends(told(trace)) == [(7, "openat", Outcome.RETURNED, 3)]


def test_a_denied_call_shows_what_its_caller_passed() -> None:
    trace = Trace(probes={"path_site": ("nr", "path")})
    trace.newtask(1, 7)
    trace.probe(7, "path_site", nr=257, path=as_words(b"/denied\0", 32))
    trace.leave(7, "openat", -1)
    assert [call.text("filename").value for call in told(trace)] == ["/denied"]


def test_the_kernels_own_restart_ends_as_restarted_if_nothing_follows() -> None:
    trace = Trace()
    trace.enter(7, "clone")
    trace.leave(7, "clone", -513)
    assert ends(told(trace)) == [(7, "clone", Outcome.RESTARTED, None)]


def test_losses_make_pairings_forget() -> None:
    """A stale entry matched with a later return would invent an open that never happened."""
    trace = Trace()
    trace.enter(7, "openat", filename=1)
    trace.lose(12)
    trace.leave(7, "openat", 3)
    trace.enter(7, "openat", filename=2)
    trace.leave(7, "openat", 4)
    found = told(trace)
    assert [(call.ret, call.args["filename"]) for call in found] == [(4, 2)]
    assert trace.losses == [(0, 12)]


def test_losses_of_unknown_count_at_the_end_of_a_batch() -> None:
    trace = Trace()
    trace.enter(7, "openat")
    trace.lose()
    trace.cut()
    trace.leave(7, "openat", 3)
    assert told(trace) == []
    assert trace.losses == [(0, None)]


def test_raw_and_named_events_of_one_call_are_one_call() -> None:
    trace = Trace()
    for _ in range(2):
        trace.raw_enter(7, 257, 1, 2)
        trace.enter(7, "openat", filename=2)
        trace.leave(7, "openat", 3)
        trace.raw_leave(7, 257, 3)
        trace.enter(7, "openat", filename=2)
        trace.raw_enter(7, 257, 1, 2)
        trace.raw_leave(7, 257, -2)
        trace.leave(7, "openat", -2)
    assert [call.ret for call in told(trace)] == [3, -2, 3, -2]


def test_raw_arguments_get_the_names_of_the_kernels_own_events() -> None:
    trace = Trace()
    trace.raw_enter(7, 257, 100, 0x1000, 0o2000000)
    trace.raw_leave(7, 257, 3)
    (call,) = told(trace)
    assert call.args == {"dfd": 100, "filename": 0x1000, "flags": 0o2000000, "mode": 0}


def test_calls_are_called_what_people_call_them() -> None:
    trace = Trace()
    trace.enter(7, "newfstat")
    trace.leave(7, "newfstat", 0)
    assert [call.name for call in told(trace)] == ["fstat"]


def test_ftracepys_own_calls_are_not_shown() -> None:
    trace = Trace()
    trace.header(own=[7])
    trace.enter(7, "openat")
    trace.leave(7, "openat", 3)
    assert told(trace) == []


def test_the_string_in_the_entry_event() -> None:
    trace = Trace()
    trace.enter(7, "openat", filename=0x1000)
    trace.leave(7, "openat", -2)
    trace._events[0].values["__filename_val"] = "/etc/nologin"
    entered = trace.schema.event("syscalls", "sys_enter_openat")
    assert entered is not None
    trace.schema.add([_with_field(entered, "__filename_val")])
    (call,) = told(trace)
    assert call.text("filename") == Text("/etc/nologin", "user@enter")


def _with_field(fmt: EventFormat, name: str) -> EventFormat:
    return replace(fmt, fields=(*fmt.fields, replace(fmt.fields[0], name=name)))


def test_the_kernels_copy_is_believed_before_what_the_caller_showed() -> None:
    trace = Trace(probes={"path_kernel": ("path",), "path_entry": ("path", "dfd"), "path_site": ("nr", "path")})
    trace.probe(7, "path_site", nr=257, path=as_words(b"/tmp/AAAA\0junk", 32))
    trace.enter(7, "openat")
    trace.probe(7, "path_entry", path="/tmp/CCCC", dfd=-100)
    trace.probe(7, "path_kernel", path="/tmp/BBBB")
    trace.probe(7, "path_kernel", path="/tmp/link-target")
    trace.leave(7, "openat", 3)
    (call,) = told(trace)
    assert call.text("filename") == Text("/tmp/BBBB", "kernel-copy")


def test_the_kernels_copy_is_believed_before_the_text_in_the_event_which_may_be_cut() -> None:
    trace = Trace(probes={"path_kernel": ("path",)})
    trace.enter(7, "openat", filename=0x1000)
    trace._events[0].values["__filename_val"] = "/a/very/lo..."
    entered = trace.schema.event("syscalls", "sys_enter_openat")
    assert entered is not None
    trace.schema.add([_with_field(entered, "__filename_val")])
    trace.probe(7, "path_kernel", path="/a/very/long/name")
    trace.leave(7, "openat", 3)
    (call,) = told(trace)
    assert call.text("filename") == Text("/a/very/long/name", "kernel-copy")


def test_a_site_hit_for_another_call_is_ignored() -> None:
    trace = Trace(probes={"path_site": ("nr", "path")})
    trace.probe(7, "path_site", nr=2, path=as_words(b"/old\0", 32))
    trace.enter(7, "openat")
    trace.leave(7, "openat", -2)
    trace.probe(7, "path_site", nr=257, path=as_words(b"/right\0", 32))
    trace.enter(7, "openat")
    trace.leave(7, "openat", -2)
    assert [call.text("filename") for call in told(trace)] == [Text(None), Text("/right", "user@enter")]


def test_an_entry_probe_may_be_recorded_just_before_the_entry() -> None:
    trace = Trace(probes={"path_entry": ("path", "dfd")})
    trace.probe(7, "path_entry", path="/a", dfd=-100)
    trace.enter(7, "openat")
    trace.leave(7, "openat", -2)
    trace.probe(7, "path_entry", path="(fault)", dfd=-100)
    trace.enter(7, "openat")
    trace.leave(7, "openat", -2)
    assert [call.text("filename").value for call in told(trace)] == ["/a", None]


def test_events_within_a_call_are_noted() -> None:
    trace = Trace()
    trace.enter(7, "kill", pid=9, sig=15)
    trace.event(7, "signal", "signal_generate", sig=15, errno=0, code=0, comm="victim", pid=9, group=1, result=0)
    trace.leave(7, "kill", 0)
    trace.event(7, "signal", "signal_generate", sig=17, errno=0, code=1, comm="other", pid=1, group=1, result=0)
    (call,) = calls(trace.feed(), {"kill"}, within={("signal", "signal_generate")})
    assert [(name, fields["comm"]) for name, fields in call.notes] == [("signal_generate", "victim")]


def test_notices_and_headers_reach_the_feed() -> None:
    trace = Trace()
    trace.header(tool="opensnoop")
    trace.fact(Kind.NOTICE, 0, b"a mount was made")
    assert told(trace) == []
    assert trace.notices == ["a mount was made"]
    assert trace.headers[0]["tool"] == "opensnoop"


def test_flags_of_openat2_come_with_the_kernels_copy_of_the_name() -> None:
    trace = Trace(probes={"path_kernel": ("path", "flags")})
    for name in ("openat2", "openat"):
        trace.enter(7, name)
        trace.probe(7, "path_kernel", path="/x", flags=0o2002)
        trace.leave(7, name, 3)
    assert [call.args.get("flags") for call in told(trace)] == [0o2002, 0]


@pytest.mark.parametrize("absolute", [False, True])
def test_the_file_really_opened_where_it_is_asked_for(absolute: bool) -> None:
    trace = Trace(probes={"path_kernel": ("path",)})
    trace.header(ways=[{"how": "kprobe on do_filp_open"}, {"how": "fanotify"}])
    for ret in (3, -2):
        trace.enter(7, "openat")
        trace.probe(7, "path_kernel", path="../link")
        trace.leave(7, "openat", ret)
    trace.fact(Kind.PATH, 7, b"/etc/file")
    trace.fact(Kind.CAUGHT_UP, 0, b"opens")
    found = list(calls(trace.feed(), OPENS, absolute=absolute))
    assert [call.text("filename").value for call in found] == ["/etc/file" if absolute else "../link", "../link"]
