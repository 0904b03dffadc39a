"""reset: remove what dead runs of ftracepy left in the kernel."""

from __future__ import annotations

import click

from ftracepy.cli.outputs import say, show


@click.command("reset")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
def command(tracefs: str | None) -> None:
    """Remove the instances and probes that dead runs of ftracepy left, and put back the settings they changed.

    What a living run or another program owns is never touched.
    """
    from ftracepy.live.reset import reset
    from ftracepy.tracefs import find

    removed = reset(find(tracefs, say=say))
    for one in removed:
        show(f"removed {one}" if not one.startswith("setting") else f"put {one}")
    if not removed:
        show("nothing was left behind")
