"""convert: turn recordings into another form."""

from __future__ import annotations

import click

from ftracepy.cli.outputs import say
from ftracepy.cli.report import CpuList
from ftracepy.cli.signals import exit_code, stop_on_signals


@click.command("convert")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "-o", "--output", required=True, metavar="FILE.dat", type=click.Path(), help="the recording to write; - is standard output"
)
@click.option("--version", type=click.Choice(["6", "7"]), default="7", show_default=True, help="of the file format")
@click.option(
    "--compression", type=click.Choice(["none", "zlib", "zstd"]), default="none", show_default=True, help="how pages are stored"
)
@click.option("--cpu", "cpus", multiple=True, type=CpuList(), metavar="LIST", help="only these CPUs (0,2-3)")
@click.option(
    "--event", "-e", "events", multiple=True, metavar="SYSTEM:EVENT", help="only this event (* and ? match); repeatable"
)
@click.option("--since", type=float, metavar="SECONDS", help="only events from this time on, as report shows it")
@click.option("--until", type=float, metavar="SECONDS", help="only events before this time, as report shows it")
@click.option("--split", type=click.IntRange(1, 1000), default=1, metavar="N", help="N files FILE.1.dat, ... of equal time")
def command(
    inputs: tuple[str, ...], output: str, version: str, compression: str, cpus: tuple[frozenset[int], ...],
    events: tuple[str, ...], since: float | None, until: float | None, split: int,
) -> int:  # fmt: skip
    """Turn the recordings FILE... into one of another form, which trace-cmd reads too.

    Several become the instances of one, by the files' names: types of events that have one number in different
    kernels get another, and clocks that are shown with different scales become the times as shown.
    Without --event, --since, --until and --split, pages are copied as the kernel gave them; with them,
    pages are made anew of exactly the chosen events, losses in their place, and the kernel's counts
    become the numbers of events kept. For a pipe (convert x.dat -o - | ssh board 'cat > y.dat') a file without a name,
    in $TMPDIR, is made first. What a killed recorder left becomes a whole file.
    """
    from ftracepy.pipeline.convert import ConvertRequest, convert

    request = ConvertRequest(
        inputs=inputs,
        output=output,
        version=int(version),
        compression=compression,
        cpus=frozenset().union(*cpus),
        events=events,
        since_s=since,
        until_s=until,
        split=split,
    )
    with stop_on_signals() as stop:
        code = convert(request, say, stop)
    return exit_code(code, stop, live=False)
