"""Which tool a recording was made with, as its HEADER fact tells: its command line, to show the same rows again."""

from __future__ import annotations

import os
import shlex
from itertools import islice

from ftracepy import recording
from ftracepy.analysis.feed import Feed
from ftracepy.analysis.walk import Route
from ftracepy.errors import FtracepyError
from ftracepy.stream import Stream

_LOOK_BATCHES = 16  # the header is the first thing that a run writes


def tool_words(path: str) -> tuple[str, ...]:
    """The tool and its options; () for a recording of no tool, and for what can be read once only.

    What is wrong with the file is for whoever reads it to tell.
    """
    if not (os.path.isfile(path) or os.path.isdir(path)):
        return ()
    headers: list[dict[str, object]] = []
    try:
        source = recording.open(path)
        route = Route(Feed((), source.schema, header=headers.append), ())
        for batch in islice(Stream(source), _LOOK_BATCHES):
            for event in batch.select(ids=frozenset(route.handlers)):
                for handler in route.handlers[event.id]:
                    handler(event)
            if headers:
                return _words(headers[0])
    except FtracepyError:
        return ()
    return ()


def _words(header: dict[str, object]) -> tuple[str, ...]:
    """The tool stands in the command line by itself, or as one word with its options (record --tool)."""
    tool, argv = header.get("tool"), header.get("argv")
    if not isinstance(tool, str) or not tool:
        return ()
    given = [word for word in argv if isinstance(word, str)] if isinstance(argv, list) else []
    for at, word in enumerate(given):
        if word == tool and given[at - 1 : at] != ["--tool"]:
            rest = given[at + 1 :]
            return (tool, *rest[: rest.index("--") if "--" in rest else None])
        if word.startswith(f"{tool} "):
            return tuple(_split(word))
    return (tool,)


def _split(word: str) -> list[str]:
    try:
        return shlex.split(word)
    except ValueError:
        return word.split()[:1]
