"""report: show a recording's events as text, JSON or CSV."""

from __future__ import annotations

import click

from ftracepy.cli.outputs import output as open_output
from ftracepy.cli.outputs import say
from ftracepy.cli.signals import exit_code, stop_on_signals
from ftracepy.errors import UsageFault


class CpuList(click.ParamType[frozenset[int]]):
    """CPUs as the kernel writes them: 0,2-3."""

    name = "cpus"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[int]:
        try:
            return frozenset(cpu for part in str(value).split(",") for cpu in _span(part))
        except ValueError:
            self.fail(f"{value!r} is no list of CPUs such as 0,2-3", param, ctx)


def _span(part: str) -> range:
    first, dash, last = part.partition("-")
    span = range(int(first), int(last if dash else first) + 1)
    if not span or len(span) > 1 << 16:
        raise ValueError(part)
    return span


@click.command("report")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--cpu", "cpus", multiple=True, type=CpuList(), metavar="LIST", help="only these CPUs (0,2-3)")
@click.option(
    "--event", "-e", "events", multiple=True, metavar="SYSTEM:EVENT", help="only this event (* and ? match); repeatable"
)
@click.option("--pid", "-p", "pids", multiple=True, type=int, help="only this thread, as the events name it; repeatable")
@click.option("--since", type=float, metavar="SECONDS", help="only events from this time on, as shown")
@click.option("--until", type=float, metavar="SECONDS", help="only events before this time, as shown")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="text by each event's own print fmt, or every field",
)
@click.option(
    "--style",
    type=click.Choice(["kernel", "trace-cmd"]),
    default="kernel",
    show_default=True,
    help="text as the kernel's `trace` file has it, or as `trace-cmd report -N`",
)
@click.option("-R", "--raw", is_flag=True, help="each field by its name; with --style trace-cmd as `trace-cmd report -R` (3.4)")
@click.option("-l", "--latency", is_flag=True, help="with --style trace-cmd: as `trace-cmd report -l` (3.4)")
@click.option("--ns", is_flag=True, help="times to the nanosecond")
@click.option("--user-files", is_flag=True, help="user stacks by file and offset, where the recording tells what was mapped")
@click.option(
    "--btf", metavar="FILE", type=click.Path(), help="name functions' arguments by the types in this vmlinux or .btf file"
)
@click.option("--instance", metavar="NAME", help="the buffer of this instance, where the recording holds several")
@click.option(
    "--follow", is_flag=True, help="go on while `ftracepy record` or trace-cmd still writes FILE; wait while it is being copied"
)
@click.option("--check", is_flag=True, help="show no events: tell whether FILE is sound, and where it is not (exit code 1)")
@click.option("--strict", is_flag=True, help="end with exit code 5 if any event was lost")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="write to FILE")
def command(
    files: tuple[str, ...], cpus: tuple[frozenset[int], ...], events: tuple[str, ...], pids: tuple[int, ...], since: float | None,
    until: float | None, format: str, style: str, raw: bool, latency: bool, ns: bool, user_files: bool, btf: str | None,
    instance: str | None,
    follow: bool, check: bool, strict: bool, output: str | None,
) -> int:  # fmt: skip
    """Show the events of the recordings FILE... (trace.dat 6 or 7; - is standard input), losses in their place.

    Several recordings, a host's and its guests', are shown in one time order, each line marked with its file.
    """
    if check:
        from ftracepy.pipeline.check import check as run_check

        if format == "csv":
            raise UsageFault("--check writes text or JSON", hint="--format json")
        with stop_on_signals() as stop, open_output(output) as out:
            return exit_code(
                max(run_check(file, out, stop, "json" if format == "json" else "text") for file in files), stop, live=False
            )
    if raw and latency:
        raise UsageFault("--raw and --latency are two forms of one line", hint="one of the two")
    if latency and style != "trace-cmd":
        raise UsageFault("the kernel's own style has these columns already", hint="--style trace-cmd -l")
    from ftracepy.pipeline.report import report
    from ftracepy.pipeline.requests import ReportRequest

    request = ReportRequest(
        path=files[0],
        cpus=frozenset().union(*cpus),
        events=events,
        pids=frozenset(pids),
        since_s=since,
        until_s=until,
        format=format,  # type: ignore[arg-type]
        style=style,  # type: ignore[arg-type]
        form="raw" if raw else "latency" if latency else "text",
        ns=ns,
        instance=instance,
        strict=strict,
        follow=follow,
        others=files[1:],
        btf=btf,
        user_files=user_files,
    )
    with stop_on_signals() as stop, open_output(output) as out:
        code = report(request, out, say, stop)
    return exit_code(code, stop, live=follow)
