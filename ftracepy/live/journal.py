"""The journal of one run: what it is about to do to the kernel, on disk before it is done, for `reset` to undo after kill -9.

One JSON object a line, one write a line. A line cut short by death is about a deed that was not begun.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ftracepy.live.owner import Owner, boot_id, myself, owner_of
from ftracepy.values import dataclass, field

ENV_STATE = "FTRACEPY_STATE"
_SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Deed:
    """One change: an `instance`, a `probe` (in `file`); at the top level a `setting` (was, then made), a `list` that was
    empty (made: what was put on it, a line each), the `buffer`."""

    kind: str
    name: str
    file: str = ""
    was: str = ""
    made: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A journal as found: whose it is, for which boot and tracefs, and its deeds in order."""

    path: Path
    owner: Owner
    boot: str
    root: Path
    deeds: tuple[Deed, ...]


@dataclass(slots=True)
class Journal:
    """The open journal of this run. `path` is None where no folder can be written: then names alone tell whose things are."""

    path: Path | None
    _fd: int = field(default=-1, repr=False)

    @classmethod
    def begin(cls, run: str, root: Path) -> Journal:
        for folder in _folders():
            path = folder / (run + _SUFFIX)
            try:
                _make_private(folder)
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except OSError:
                continue
            owner = myself()
            journal = cls(path, fd)
            journal._line({"pid": owner.pid, "start": owner.start, "pid_ns": owner.pid_ns, "boot": boot_id(), "root": str(root)})
            return journal
        return cls(None)

    def note(self, kind: str, name: str, **more: str) -> None:
        """Say what is about to be done."""
        self._line({"do": kind, "name": name, **more})

    def _line(self, value: dict[str, object]) -> None:
        if self._fd >= 0:
            try:
                os.write(self._fd, json.dumps(value).encode() + b"\n")
            except OSError:  # a full disk must not stop a run whose names tell the same
                return

    def close(self, *, undone: bool) -> None:
        """End it: nothing is left to do if all is `undone`, else it stays for `reset`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if undone and self.path is not None:
            self.path.unlink(missing_ok=True)


def records() -> Iterator[Record]:
    """Every journal that can be trusted: in folders that are this user's own and nobody else may write."""
    for folder in _folders():
        if not _is_private(folder):
            continue
        for path in sorted(folder.glob("*" + _SUFFIX)):
            if (record := _read(path)) is not None:
                yield record


def _read(path: Path) -> Record | None:
    try:
        lines = path.read_text(errors="replace").split("\n")
        if lines == [""] and (named := owner_of(path.stem)) is not None:
            return Record(path, named, boot_id(), Path(), ())  # its run was killed before the first line
        head = json.loads(lines[0])
        owner = Owner(int(head["pid"]), int(head["start"]), int(head["pid_ns"]))
        return Record(path, owner, str(head["boot"]), Path(head["root"]), tuple(_deeds(lines[1:])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _deeds(lines: list[str]) -> Iterator[Deed]:
    for line in lines:
        try:
            value = json.loads(line)
            texts = {key: str(value.get(key, "")) for key in ("file", "was", "made")}
            yield Deed(str(value["do"]), str(value["name"]), **texts)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _folders() -> list[Path]:
    """Where journals may lie, the first that can be written being used."""
    given = os.environ.get(ENV_STATE)
    return [Path(given)] if given else [Path("/run/ftracepy"), Path(f"/tmp/ftracepy-{os.geteuid()}")]


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        raise PermissionError(f"{folder} may be written by others")


def _is_private(folder: Path) -> bool:
    """Root acts on what journals say, so a folder that others may write, or a link to one, is not believed."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
