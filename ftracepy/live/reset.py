"""reset: finish what dead runs left in tracefs (instances, probes, settings), never a living run's nor anybody else's."""

from __future__ import annotations

from pathlib import Path

from ftracepy.errors import FtracepyError
from ftracepy.live import journal
from ftracepy.live.borrowed import clear_own, put_back
from ftracepy.live.owner import boot_id, is_alive, owner_of
from ftracepy.tracefs import Tracefs, events, files, functions, instances, probes


def reset(tracefs: Tracefs) -> list[str]:
    """Remove everything dead runs left; returns what was removed, one phrase each.

    Raises FtracepyError (after all else is done) where something would not go: it says who holds it.
    """
    removed: list[str] = []
    faults: list[FtracepyError] = []
    records = [record for record in journal.records() if not is_alive(record.owner)]
    for name in _dead_runs(tracefs, records):
        try:
            removed += remove_run(tracefs, name)
        except FtracepyError as error:
            faults.append(error)
    for record in records:
        removed += _restore(tracefs, record)
        if not faults:
            record.path.unlink(missing_ok=True)
    if faults:
        raise faults[0]
    return removed


def _dead_runs(tracefs: Tracefs, records: list[journal.Record]) -> list[str]:
    """Names of runs whose owner is gone: those journals tell of, and those only their names tell of."""
    told = {deed.name for record in records for deed in record.deeds if deed.kind == "instance" and owner_of(deed.name)}
    living = {deed.name for record in journal.records() if is_alive(record.owner) for deed in record.deeds}
    seen = set(instances.names(tracefs.root)) | {
        probe.group for file in probes.FILES for probe in probes.listed(tracefs.root, file)
    }
    dead = {name for name in seen if (owner := owner_of(name)) is not None and not is_alive(owner)}
    return sorted((told | dead) - living)


def remove_run(tracefs: Tracefs, name: str) -> list[str]:
    """Remove one run's instance and probes, events switched off first; returns what was there."""
    root, removed = tracefs.root, []
    left = probes.in_group(root, name)
    if left:
        instances.disable_group(root, name)
    if instances.remove(root, name):
        removed.append(f"instance {name}")
    for probe in left:
        probes.remove(root, probe.file, name, probe.name)
        removed.append(f"probe {name}/{probe.name}")
    return removed


def _restore(tracefs: Tracefs, record: journal.Record) -> list[str]:
    """Put top-level settings back, newest first, where they still are what the dead run made them."""
    done, root = [], tracefs.root
    here = [deed for deed in reversed(record.deeds) if record.boot == boot_id() and _is_within(deed.name)]
    for deed in here:
        if deed.kind == "setting" and deed.was != deed.made and put_back(root, deed.name, deed.was.strip(), deed.made.strip()):
            done.append(f"setting {deed.name} back to {deed.was.strip()!r}")
        elif deed.kind == "list" and clear_own(root, deed.name, deed.made.split("\n")):
            done.append(f"list {deed.name} emptied")
        elif deed.kind == "buffer" and functions.tracer(root) == functions.NO_TRACER and not events.enabled(root):
            files.truncate(root / "trace")
    return done


def _is_within(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
