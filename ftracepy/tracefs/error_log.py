"""error_log: the kernel's own words and caret for a command it refused.

The log keeps old entries, and some failures log nothing, so an entry counts only if its Command is what was
just written (kernel: trace.c, tracing_log_err). Its caret counts from the start of the command.
"""

from __future__ import annotations

import re
from pathlib import Path

from ftracepy.tracefs import files
from ftracepy.values import dataclass

_HEAD = r"^\[\s*(?P<stamp>[\d.]+)\] (?P<location>.*?): error: (?P<message>.*)$"
_COMMAND = "  Command: "


@dataclass(frozen=True, slots=True)
class Entry:
    """One refusal: `caret` is the index into `command` the kernel points at, None where it points nowhere."""

    location: str
    message: str
    command: str
    caret: int | None

    def text(self) -> str:
        """Message, command and caret as three lines, as people know them."""
        lines = [self.message, "  " + self.command]
        return "\n".join([*lines, "  " + " " * self.caret + "^"] if self.caret is not None else lines)


def entries(text: str) -> list[Entry]:
    """Every entry of an error_log, oldest first."""
    found: list[Entry] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if (head := re.match(_HEAD, line)) and number + 1 < len(lines) and lines[number + 1].startswith(_COMMAND):
            found.append(_entry(head["location"], head["message"], lines[number + 1], lines[number + 2 : number + 3]))
    return found


def _entry(location: str, message: str, command: str, after: list[str]) -> Entry:
    pointer = after[0] if after and after[0].strip() == "^" else ""
    caret = pointer.index("^") - len(_COMMAND) if pointer else None
    return Entry(location, message, command.removeprefix(_COMMAND), caret if caret is None or caret >= 0 else None)


def answer_to(root: Path, wrote: str) -> Entry | None:
    """The newest entry about the command `wrote`, its caret mapped to `wrote` as it was written; None if there is none.

    The kernel joins a command's words with single spaces before it logs it.
    """
    text = files.try_read(root / "error_log") or ""
    words = wrote.split()
    for entry in reversed(entries(text)):
        if entry.command.split() == words:
            return Entry(entry.location, entry.message, wrote.strip(), _mapped(entry, wrote.strip()))
    return None


def _mapped(entry: Entry, wrote: str) -> int | None:
    """The caret moved to the same word of `wrote`, whose spaces may differ."""
    if entry.caret is None or entry.command == wrote:
        return entry.caret
    word_number = len(entry.command[: entry.caret].split(" ")) - 1
    within = entry.caret - (entry.command.rfind(" ", 0, entry.caret) + 1)
    starts = [match.start() for match in re.finditer(r"\S+", wrote)]
    return starts[word_number] + within if word_number < len(starts) else None
