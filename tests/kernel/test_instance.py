"""An own instance against the real kernel: what it sets, what it refuses, and that nothing of it remains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ftracepy.errors import FtracepyError, KernelCannot
from ftracepy.live.instance import Instance
from ftracepy.live.plan import ProbeDef
from ftracepy.probes import Tracepoint
from ftracepy.tracefs import Tracefs, clock, events, instances, options, pids, probes
from tests.support.machines import FIRST_ARGUMENT

GETPPID = Tracepoint("syscalls", "sys_enter_getppid")
LIBC_PROBE = ProbeDef("p", "here", "/bin/true:0x2000", (f"a={FIRST_ARGUMENT}:u64",))


def entries(instance: Instance) -> int:
    return sum(one.entries for one in instance.stats())


def test_settings_of_a_new_instance(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel, buffer_kb=1000) as instance:
        assert clock.chosen(instance.path) == "mono"
        assert options.get(instance.path, "overwrite") is True
        assert options.get(instance.path, "event-fork") is False
        assert options.is_tracing(instance.path) is True
        assert (instance.path / "buffer_percent").read_text().strip() == "0"
        assert 1000 <= int((instance.path / "buffer_size_kb").read_text()) < 1010
        assert instance.notices == []
    assert instance.name not in instances.names(clean_kernel.root)


def test_only_what_is_enabled_and_passes_its_filter_is_recorded(clean_kernel: Tracefs) -> None:
    me = os.getpid()
    with Instance(clean_kernel) as instance:
        instance.enable(Tracepoint(GETPPID.system, GETPPID.name, f"common_pid == {me}"))
        for _ in range(31):
            os.getppid()
        assert entries(instance) == 31


def test_own_threads_are_left_out_and_children_are_not(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        instance.leave_out_own()
        instance.enable(GETPPID)
        before = os.getppid() and entries(instance)
        subprocess.run(["sh", "-c", "exit 0"], check=True)  # a shell asks for its parent at start
        child = subprocess.run([sys.executable, "-S", "-c", "import os\nfor _ in range(37): os.getppid()"], check=True)
        assert child.returncode == 0
        assert before == 0
        assert entries(instance) >= 37


def test_only_a_process_and_its_children(clean_kernel: Tracefs) -> None:
    with (
        subprocess.Popen(
            ["sh", "-c", f"read _; exec {sys.executable} -S -c 'import os; [os.getppid() for _ in range(41)]'"],
            stdin=subprocess.PIPE,
        ) as shell,
        Instance(clean_kernel) as instance,
    ):
        instance.only([shell.pid])
        instance.enable(GETPPID)
        for _ in range(43):
            os.getppid()
        shell.communicate(b"go\n")
        assert 41 <= entries(instance) < 43


def test_a_refused_filter_gives_the_kernels_words_and_no_filter(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance, pytest.raises(FtracepyError) as caught:
        instance.enable(Tracepoint("sched", "sched_switch", "prev_pidd == 1"))
    message, expression, caret = caught.value.kernel.split("\n")
    assert (message, expression) == ("Field not found", "  prev_pidd == 1")
    assert 2 <= caret.index("^") < len(expression)
    assert "sched_switch/filter (EINVAL)" in caught.value.wrote
    assert "sched:sched_switch" in caught.value.hint


def test_an_unknown_event_and_an_unknown_clock(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance, pytest.raises(KernelCannot, match="sched:sched_swich"):
        instance.enable(Tracepoint("sched", "sched_swich"))
    with pytest.raises(FtracepyError, match=r"mono_row.*mono_raw"), Instance(clean_kernel, clock="mono_row"):
        pass


def test_more_memory_than_there_is(clean_kernel: Tracefs) -> None:
    with pytest.raises(FtracepyError, match="a buffer of 900000000000 KB"), Instance(clean_kernel, buffer_kb=900_000_000_000):
        pass


def test_probes_are_in_the_runs_own_group_and_go_with_it(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        instance.add_probe(LIBC_PROBE)
        instance.add_probe(ProbeDef("p", "here", "/bin/true:0x2004", (f"a={FIRST_ARGUMENT}:u64",)))
        instance.enable(Tracepoint(instance.group, "here"))
        assert [probe.name for probe in probes.in_group(clean_kernel.root, instance.group)] == ["here"]
        assert events.is_enabled(instance.path, instance.group, "here")
    assert probes.in_group(clean_kernel.root, instance.group) == []


def test_a_refused_probe_gives_the_kernels_caret(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance, pytest.raises(FtracepyError) as caught:
        instance.add_probe(ProbeDef("p", "here", "/bin/true:0x2000", (f"a={FIRST_ARGUMENT}:u64", "b=%nosuch:u64")))
    message, command, caret = caught.value.kernel.split("\n")
    assert message == "Invalid register name"
    assert command[caret.index("^") :].startswith("%nosuch") or command[caret.index("^") :].startswith("nosuch")


def test_somebody_elses_old_error_is_not_taken_for_ours(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        with pytest.raises(FtracepyError):
            instance.add_probe(ProbeDef("p", "here", "/bin/true:0x2000", ("b=%nosuch:u64",)))
        with pytest.raises(FtracepyError) as caught:
            instance.add_probe(ProbeDef("p", "here", "/no/such/file:0x10"))
    assert "nosuch:u64" not in caught.value.kernel


def test_exceptions_leave_nothing(clean_kernel: Tracefs) -> None:
    instance = Instance(clean_kernel)

    def fail() -> None:
        with instance:
            instance.add_probe(LIBC_PROBE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert instance.name not in instances.names(clean_kernel.root)
    assert probes.in_group(clean_kernel.root, instance.group) == []


def test_a_busy_instance_says_who_keeps_it(clean_kernel: Tracefs) -> None:
    code = "import sys,time; f=open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    instance = Instance(clean_kernel).__enter__()
    pipe = str(instance.path / "per_cpu/cpu0/trace_pipe_raw")
    with subprocess.Popen(["python3", "-S", "-c", code, pipe], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(FtracepyError) as caught:
            instance.__exit__(None, None, None)
        holder.kill()
    instances.remove(clean_kernel.root, instance.name)
    assert f"python3 ({holder.pid})" in caught.value.why
    assert "EBUSY" in caught.value.wrote


def test_a_file_that_an_interrupt_left_open_keeps_nothing_busy(clean_kernel: Tracefs) -> None:
    """As one does that comes when the file has been opened and its descriptor is kept nowhere yet."""
    instance = Instance(clean_kernel).__enter__()
    stray = os.open(instance.path / "events/sched/enable", os.O_WRONLY)
    instance.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert instance.name not in instances.names(clean_kernel.root)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(stray)


def test_texts_hold_what_was_enabled_and_no_more(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        instance.add_probe(LIBC_PROBE)
        instance.enable(Tracepoint(instance.group, "here"))
        instance.enable(GETPPID)
        schema = instance.texts(symbols=False).schema()
        assert schema.clock == "mono"
        assert schema.event(instance.group, "here")
        assert schema.event("syscalls", "sys_enter_getppid")
        assert schema.event("ftrace", "raw_data")
        assert schema.event("syscalls", "sys_exit_getppid") is None
        assert {one.system for one in schema.formats.values()} == {"ftrace", "syscalls", instance.group}


def test_pid_lists_are_seen(clean_kernel: Tracefs) -> None:
    with Instance(clean_kernel) as instance:
        instance.leave_out_own()
        assert os.getpid() in pids.get(instance.path, pids.NOT)
        assert pids.get(instance.path, pids.ONLY) == []
