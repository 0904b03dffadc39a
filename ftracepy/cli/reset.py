"""reset: remove what dead runs of ftracepy left in the kernel; asked for by name, everybody's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ftracepy.cli.outputs import say, show
from ftracepy.errors import ExitCode, FtracepyError, UsageFault

if TYPE_CHECKING:
    from ftracepy.tracefs import Tracefs


@click.command("reset")
@click.option("--everything", "--all", "everything", is_flag=True, help="put all of tracefs back to how it is after boot")
@click.option("--instances", is_flag=True, help="with --everything: remove every instance, too")
@click.option("-f", "--force", is_flag=True, help="with --everything: even while somebody is tracing")
@click.option("-n", "--dry-run", is_flag=True, help="with --everything: show what would change, and change nothing")
@click.option("-q", "--quiet", is_flag=True, help="say nothing of what was done")
@click.option("--tracefs", metavar="ROOT", type=click.Path(), help="another tracefs root ($FTRACEPY_TRACEFS)")
def command(everything: bool, instances: bool, force: bool, dry_run: bool, quiet: bool, tracefs: str | None) -> int:
    """Remove the instances and probes that dead runs of ftracepy left, and put back the settings they changed.

    What a living run or another program owns is never touched, unless --everything asks for it: tracer, events, their
    filters and triggers, probes, synthetic events, lists of functions and pids, options, clock and buffer size of the
    top level go back to how they are after boot, each shown before and after. That is refused while somebody is seen
    to trace, unless forced.
    """
    from ftracepy.tracefs import find

    if not everything and (instances or force or dry_run):
        raise UsageFault("-f, -n and --instances are about everybody's settings", hint="ftracepy reset --everything")
    found = find(tracefs, say=say)
    if everything:
        return _everything(found, instances, force, dry_run, quiet)
    from ftracepy.live.reset import reset

    removed = reset(found)
    for one in removed if not quiet else ():
        show(f"removed {one}" if not one.startswith("setting") else f"put {one}")
    if not removed and not quiet:
        show("nothing was left behind")
    return ExitCode.DONE


def _everything(found: Tracefs, others: bool, force: bool, dry_run: bool, quiet: bool) -> int:
    from ftracepy.live import everything

    if not force and not dry_run and (busy := everything.busy(found)):
        hint = "end them, or: ftracepy reset --everything -f"
        raise FtracepyError("tracing is in use", why=f"by {', '.join(busy)}", hint=hint)
    code, any_ = ExitCode.DONE, False
    for one in everything.everything(found, others=others, dry_run=dry_run):
        any_ = True
        if not quiet:
            show(f"{one.file}: {one.before or '(empty)'} -> {one.after or '(empty)'}")
        if one.fault is not None:
            code = ExitCode.FAILED
            for line in one.fault.lines():
                say(line)
    if not any_ and not quiet:
        show("everything is as after boot")
    return code
