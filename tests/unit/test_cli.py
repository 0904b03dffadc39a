"""The command line: what it asks of the layers below, what it says when they refuse, and by which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ftracepy.cli.main import main
from ftracepy.cli.outputs import Progress
from ftracepy.errors import DataLost, ExitCode, FtracepyError, KernelCannot, NotPermitted, UsageFault
from ftracepy.pipeline.requests import Common, RecordRequest, ReportRequest, Stop
from ftracepy.tools import kit

COMMAND = [sys.executable, "-P", "-m", "ftracepy.cli"]
HEAVY = {
    "textual",
    "rich",
    "psutil",
    "backports.zstd",
    "ftracepy.stream",
    "ftracepy.live",
    "ftracepy.recording",
    "ftracepy.tracefs",
}
Asked = list[tuple[Any, ...]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What a command line asks of the pipeline; nothing is run."""
    calls: Asked = []

    def note(*args: Any) -> ExitCode:
        calls.append(args)
        return ExitCode.DONE

    for module, function in (("tool", "run_tool"), ("record", "record"), ("report", "report")):
        monkeypatch.setattr(import_module(f"ftracepy.pipeline.{module}"), function, note)
    return calls


def refuse(monkeypatch: pytest.MonkeyPatch, act: Callable[[Stop], Any]) -> None:
    """Make the run of any tool do `act`."""
    monkeypatch.setattr("ftracepy.pipeline.tool.run_tool", lambda tool, options, common, sink, stop: act(stop))


def raising(fault: BaseException) -> Callable[[Stop], Any]:
    def act(_stop: Stop) -> Any:
        raise fault

    return act


def run(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=60, **more)


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom ftracepy.cli.main import main\nmain(['--help'])\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "Usage: ftracepy" in done.stdout
    assert not loaded & HEAVY
    assert not {f"ftracepy.tools.{name}" for name in kit.names()} & loaded


@pytest.mark.parametrize("name", kit.names())
def test_a_tool_loads_no_other_tool_and_no_terminal_library(name: str) -> None:
    code = f"import sys\nfrom ftracepy.cli.main import main\nmain([{name!r}, '--help'])\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"textual", "rich"}
    assert not {f"ftracepy.tools.{other}" for other in kit.names() if other != name} & loaded


def test_help_names_every_tool_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in [*kit.names(), "record", "report", "doctor", "list", "reset", "completion"])
    assert "Exit codes" in shown


@pytest.mark.parametrize("command", ["record", "report", "doctor", "list", "reset", "completion", *kit.names()])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Usage: ftracepy {command}" in capsys.readouterr().out


@pytest.mark.parametrize("name", kit.names())
def test_every_tool_has_the_common_options(name: str, asked: Asked) -> None:
    line = [name, "--replay", "f.dat", "--format", "json", "--pid", "7", "--tid", "8", "--comm", "^sh$", "--duration", "1.5",
            "--limit", "3", "--timestamps", "--strict", "--buffer-kb", "64", "--tracefs", "/t", "--output", "-"]  # fmt: skip
    assert main(line) == 0
    tool, options, common, _sink, _stop = asked[0]
    assert tool.name == name
    assert (options.pid, options.tid, options.duration, options.limit, options.timestamps) == (7, 8, 1.5, 3, True)
    assert options.comm.search("sh")
    assert common == Common(replay="f.dat", strict=True, tracefs_root="/t", buffer_kb=64, command=())


def test_a_command_alone(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["syscount", "-F", "--", "true"]) == 0
    assert main(["opensnoop", "--only-command", "--", "true"]) == 0
    assert [common.only_command for _tool, _options, common, _sink, _stop in asked] == [True, True]
    assert main(["syscount", "-F"]) == 2
    assert "needs a command" in capsys.readouterr().err


def test_defaults_are_the_tools_own(asked: Asked) -> None:
    assert main(["opensnoop"]) == 0
    tool, options, common, _sink, _stop = asked[0]
    assert options == tool.options()
    assert common == Common()


def test_what_follows_the_dashes_is_a_command(asked: Asked) -> None:
    assert main(["execsnoop", "-x", "--", "ls", "-l", "--", "x"]) == 0
    _tool, options, common, _sink, _stop = asked[0]
    assert options.failed
    assert common.command == ("ls", "-l", "--", "x")


def test_record_asks_for_all_of_it(asked: Asked) -> None:
    line = ["record", "-e", "sched:*", "-e", "irq:irq_handler_entry/irq==3/", "--tool", "execsnoop -x", "-b", "512", "--clock",
            "boot", "-d", "2", "--compression", "zlib", "--strict", "-F", "-o", "x.dat", "--", "make", "-j2"]  # fmt: skip
    assert main(line) == 0
    request = asked[0][0]
    execsnoop = kit.load("execsnoop")
    assert request == RecordRequest(
        output="x.dat", events=("sched:*", "irq:irq_handler_entry/irq==3/"), tools=((execsnoop, execsnoop.options(failed=True)),),
        buffer_kb=512, clock="boot",
        command=("make", "-j2"), only_command=True, duration_s=2.0, compression="zlib", strict=True,
    )  # fmt: skip


def test_a_recorded_commands_options_are_its_own(asked: Asked) -> None:
    assert main(["record", "-e", "a:b", "-o", "x.dat", "ls", "-o", "y"]) == 0
    assert asked[0][0].command == ("ls", "-o", "y")


def test_report_asks_for_all_of_it(asked: Asked) -> None:
    assert main(["report", "x.dat", "--cpu", "0,2-3", "--cpu", "5", "-e", "sched:*", "-p", "7", "-p", "8", "--since", "1.5",
                 "--until", "2", "--format", "csv", "--style", "trace-cmd", "--instance", "i", "--strict"]) == 0  # fmt: skip
    assert asked[0][0] == ReportRequest(
        path="x.dat", cpus=frozenset({0, 2, 3, 5}), events=("sched:*",), pids=frozenset({7, 8}), since_s=1.5, until_s=2.0,
        format="csv", style="trace-cmd", instance="i", strict=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["opnsnoop"], "no command or tool 'opnsnoop'\n  try     ftracepy opensnoop"),
        (["xyzzy"], "try     ftracepy --help"),
        (["opensnoop", "--fromat", "json"], "Did you mean '--format'?\n  try     ftracepy opensnoop --help"),
        (["syscount", "--limit"], "try     ftracepy syscount --help"),
        (["opensnoop", "--pid", "x"], "--pid: 'x' is not a whole number"),
        (["opensnoop", "--comm", "("], "'(' is not a regular expression"),
        (["opensnoop", "--replay", "f", "--", "ls"], "a recording is shown without running a command"),
        (["record", "-o", "x"], "nothing to record"),
        (["record", "-e", "a:b"], "Missing option '-o'"),
        (["record", "-e", "a:b", "-o", "x", "-p", "1", "--", "ls"], "not both"),
        (["record", "-e", "a:b", "-o", "x", "-F"], "--only-command needs a command"),
        (["report", "x", "--cpu", "3-1"], "'3-1' is no list of CPUs"),
        (["report"], "Missing argument 'FILE...'"),
        (["list", "nonsense"], "'nonsense' is not one of"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_wrong_usage_says_what_and_what_to_try(
    line: list[str], says: str, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("ftracepy: ")
    assert says in shown.err
    assert not asked


@pytest.mark.parametrize(
    ("fault", "code"),
    [(FtracepyError("x"), 1), (UsageFault("x"), 2), (KernelCannot("x"), 3), (NotPermitted("x"), 4), (DataLost("x"), 5),
     (KeyboardInterrupt(), 130), (BrokenPipeError(), 141), (FileNotFoundError(2, "No such file", "/x"), 1)],
)  # fmt: skip
def test_each_fault_has_its_code(
    fault: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(monkeypatch, raising(fault))
    assert main(["opensnoop"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_laid_out_and_cannot_write_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = FtracepyError(
        "cannot probe '\x1b[2J'", kernel="Invalid address\n  p:x \x9b1m\n    ^", wrote="kprobe_events (EINVAL)", hint="list"
    )
    refuse(monkeypatch, raising(fault))
    main(["opensnoop"])
    assert capsys.readouterr().err == (
        "ftracepy: cannot probe '\\x1b[2J'\n  kernel  Invalid address\n            p:x \\x9b1m\n              ^\n"
        "  wrote   kprobe_events (EINVAL)\n  try     list\n"
    )


@pytest.mark.parametrize(
    ("signum", "replay", "code"),
    [(signal.SIGINT, False, 0), (signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGTERM, True, 143),
     (signal.SIGHUP, False, 129)],
)  # fmt: skip
def test_signals_ask_the_run_to_end_and_the_code_tells(
    signum: int, replay: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def act(stop: Stop) -> ExitCode:
        stop.on_ask(lambda: ended.append("asked"))
        os.kill(os.getpid(), signum)
        return ExitCode.DONE

    refuse(monkeypatch, act)
    before = signal.getsignal(signum)
    assert main(["opensnoop", *(["--replay", "f"] if replay else [])]) == code
    assert ended == ["asked"]
    assert signal.getsignal(signum) == before


def test_a_second_ctrl_c_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    undone: list[str] = []

    def act(_stop: Stop) -> ExitCode:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            undone.append("undone")
        return ExitCode.DONE

    refuse(monkeypatch, act)
    assert main(["opensnoop"]) == 130
    assert undone == ["undone"]


def test_an_ignored_hangup_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(_stop: Stop) -> ExitCode:
        signal.raise_signal(signal.SIGHUP)
        return ExitCode.DONE

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        refuse(monkeypatch, act)
        assert main(["opensnoop"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_output_file_keeps_its_content_when_the_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "rows"
    kept.write_text("yesterday\n")
    refuse(monkeypatch, raising(NotPermitted("no")))
    assert main(["opensnoop", "-o", str(kept)]) == ExitCode.DENIED
    assert kept.read_text() == "yesterday\n"
    refuse(monkeypatch, lambda _stop: ExitCode.DONE)
    assert main(["opensnoop", "--format", "json", "-o", str(kept)]) == 0
    assert kept.read_text() == ""


def test_an_output_that_cannot_be_written_is_told_before_the_run(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opensnoop", "-o", "/nonexistent/rows"]) == ExitCode.FAILED
    assert capsys.readouterr().err == "ftracepy: cannot write '/nonexistent/rows'\n  because No such file or directory\n"
    assert not asked


def test_a_full_disk_is_told_once() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "list", "tools"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "ftracepy: No space left on device\n"


def test_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "list", "tools"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_list_tools_is_lines_of_name_and_purpose() -> None:
    done = run("list", "tools")
    assert [line.split()[0] for line in done.stdout.splitlines()] == kit.names()
    assert run("list", "tools", "nonexistent").returncode == 1


@pytest.fixture
def tracefs(tmp_path: Path) -> Path:
    """The few files of a tracefs that listing and completion read."""
    (tmp_path / "trace_clock").write_text("[local] global boot mono\n")
    folder = tmp_path / "events/sched/sched_wakeup"
    folder.mkdir(parents=True)
    (tmp_path / "available_events").write_text("sched:sched_wakeup\nsched:sched_switch\nirq:irq_handler_entry\n")
    (tmp_path / "available_filter_functions").write_text("vfs_read\nvfs_write\next4_sync_fs [ext4]\n")
    (tmp_path / "uprobe_events").write_text("p:mine/open /bin/bash:0x0000000000001234 arg1=%di\n")
    (tmp_path / "instances/theirs").mkdir(parents=True)
    (folder / "format").write_text(
        "name: sched_wakeup\nID: 3\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
        '\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\nprint fmt: "comm=%s", REC->comm\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (["events"], ["irq:irq_handler_entry", "sched:sched_switch", "sched:sched_wakeup"]),
        (["events", "sched_*"], ["sched:sched_switch", "sched:sched_wakeup"]),
        (["events", "irq:*"], ["irq:irq_handler_entry"]),
        (["functions", "vfs"], ["vfs_read", "vfs_write"]),
        (["functions", "ext4"], ["ext4_sync_fs             [ext4]"]),
        (["probes"], ["mine:open                p /bin/bash:0x0000000000001234 arg1=%di"]),
        (["instances"], ["theirs"]),
    ],
)
def test_list_shows_one_a_line(line: list[str], shown: list[str], tracefs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *line, "--tracefs", str(tracefs)]) == 0
    assert capsys.readouterr().out.splitlines() == shown


def test_list_shows_an_events_fields(tracefs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "events", "-v", "*wakeup", "--tracefs", str(tracefs)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sched:sched_wakeup",
        "       8   16  char[16] comm",
        '    print fmt: "comm=%s", REC->comm',
    ]


def test_nothing_listed_is_said(tracefs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "events", "zzz", "--tracefs", str(tracefs)]) == 1
    assert capsys.readouterr().err == "ftracepy: no events match 'zzz'\n"


def test_json_rows_are_objects_on_the_real_stdout(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    def one_row(tool: kit.AnyTool, options: Any, common: Common, sink: Any, stop: Stop) -> ExitCode:
        sink.notice("said")
        return ExitCode.DONE

    monkeypatch.setattr("ftracepy.pipeline.tool.run_tool", one_row)
    assert main(["opensnoop", "--format", "json"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == {"notice": "said"}


def test_doctor_tells_without_a_tracefs_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--tracefs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert any(line.startswith("no  tracefs ") for line in shown)
    assert sum("cannot run here" in line for line in shown) == 1
    assert main(["doctor", "opensnoop", "--tracefs", str(tmp_path)]) in {ExitCode.UNSUPPORTED, ExitCode.FAILED, ExitCode.DENIED}


def test_doctor_in_json_is_an_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json", "--tracefs", str(tmp_path)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"name", "ok", "detail", "change"} == set(found[0])
    assert {"tool", "ways", "reason", "hint"} == set(found[-1])


def test_reset_says_what_it_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "trace_clock").write_text("[local]\n")
    done = ["instance ftracepy_1", "setting tracing_on back to '1'"]
    monkeypatch.setattr("ftracepy.live.reset.reset", lambda _tracefs: done)
    assert main(["reset", "--tracefs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "removed instance ftracepy_1\nput setting tracing_on back to '1'\n"


def test_progress_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as tell:
        for text in ("\r1000 events", "\r5 e", "done", "\rx\x1b"):
            tell(text)
    assert capsys.readouterr().err == (
        "\rftracepy: 1000 events\rftracepy: 5 e        \r" + " " * 13 + "\rftracepy: done\n\rftracepy: x\\x1b\r" + " " * 15 + "\r"
    )
