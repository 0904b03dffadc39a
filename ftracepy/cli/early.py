"""What a command line that will trace can have the kernel begin while the rest of the program is still being loaded."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.py makes enums of its names, which takes 5 ms

from ftracepy.tools import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from ftracepy.live.first import First

# With these no instance is wanted, or another one; a guess that is wrong costs time and nothing else.
_NOT_LIVE = ("-h", "--help", "--replay", "-l", "--list", "-v", "--dry-run", "--script", "-b", "--buffer-kb", "--tracefs")
_ENDING = (_signal.SIGTERM, _signal.SIGHUP)


class Begun:
    """Has an instance made for a tool that traces; undone if nobody took it.

    SIGTERM and SIGHUP raise KeyboardInterrupt meanwhile; `signum` is the one that ended the program before the command
    could take it (0: none).
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.signum = 0
        self._tool = _traced(argv)
        self._before: dict[int, object] = {}
        self._first: First | None = None
        self._loaded = False

    def __enter__(self) -> Begun:
        if self._tool:
            try:
                self._begin()
            except BaseException:
                self._undo()
                raise
        return self

    def _begin(self) -> None:
        for one in _ENDING:
            if _signal.getsignal(one) == _signal.SIG_DFL:
                self._before[one] = _signal.signal(one, self._ended)
        from ftracepy.live import first

        if first.is_usual():
            self._first = first.First(self._tool)
        begun = self._first if self._first and self._first.start() else None
        self._loaded = True
        from ftracepy.live import ahead

        ahead.begin(self._tool, begun)

    def _ended(self, signum: int, _frame: FrameType | None) -> None:
        self.signum = signum
        raise KeyboardInterrupt

    def __exit__(self, *exc: object) -> None:
        self._undo()

    def _undo(self) -> None:
        try:
            if self._loaded:
                self._drop()
            if self._first:
                self._first.drop()
        finally:
            for one, handler in self._before.items():
                _signal.signal(one, handler)

    def _drop(self) -> None:
        from ftracepy.errors import FtracepyError
        from ftracepy.live import ahead

        try:
            ahead.drop()
        except FtracepyError:  # the journal stays, for `reset`
            return


def _traced(argv: Sequence[str]) -> str:
    """The tool that this command line most likely traces with; ""."""
    unfit = any(word == "--" or word.startswith(_NOT_LIVE) for word in argv)
    return argv[0] if argv and not unfit and argv[0] in listed.names() else ""
