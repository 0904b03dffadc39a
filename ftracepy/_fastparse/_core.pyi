"""The C decoder's types; twin.py has the same ones in plain Python."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, final

Buffer = bytes | bytearray | memoryview

@final
class Event:
    """One event: attributes of its header, event[field] for what the format names (common_* too).

    Values: numbers → int; text → str up to its NUL, bytes that are no UTF-8 as \\xNN; u8 arrays → bytes;
    other arrays → tuple of ints. Text or data that points outside the record is empty.
    """

    @property
    def ts(self) -> int:
        """Raw time stamp, in the trace clock's unit."""
    @property
    def cpu(self) -> int: ...
    @property
    def pid(self) -> int:
        """common_pid: the thread."""
    @property
    def id(self) -> int:
        """common_type."""
    @property
    def flags(self) -> int:
        """common_flags."""
    @property
    def preempt_count(self) -> int:
        """common_preempt_count."""
    @property
    def system(self) -> str:
        """The event's system; "" for an id without a format."""
    @property
    def name(self) -> str:
        """The event's name; "" for an id without a format."""
    @property
    def raw(self) -> bytes:
        """The whole record, from its common fields on; its length is rounded up to 4 by the kernel."""
    def __getitem__(self, field: str) -> Any:
        """The field's value; KeyError if the event has no such field."""
    def __contains__(self, field: object) -> bool: ...
    def get(self, field: str, default: Any = None, /) -> Any:
        """The field's value, or the default."""
    def memory(self, field: str, /) -> bytes:
        """The field's bytes as they lie in the record; none where the event has no such field."""
    def keys(self) -> tuple[str, ...]:
        """The names of the event's own fields."""
    def keep(self) -> Event:
        """The same event on a copy of its record: fit to be held for long; any other keeps its batch and pages in memory."""

@final
class Batch:
    """Events of all CPUs in time order, equal stamps in CPU order, with what was lost and what could not be read."""

    @property
    def ts(self) -> memoryview:
        """Raw time stamps ('Q'). The four header columns have gaps between items (`tolist`, indexing and iteration work)."""
    @property
    def cpu(self) -> memoryview:
        """'H'."""
    @property
    def id(self) -> memoryview:
        """common_type ('H')."""
    @property
    def pid(self) -> memoryview:
        """common_pid ('i')."""
    @property
    def losses(self) -> list[tuple[int, int, int]]:
        """(index, cpu, count): events lost on that CPU before batch[index]; count -1 is unknown."""
    @property
    def faults(self) -> list[tuple[int, int, str]]:
        """(cpu, offset in bytes, reason): the rest of that sub-buffer was skipped, which is also a loss of unknown count."""
    @property
    def until_ns(self) -> int:
        """All fed events older than this (raw clock) have been handed out: what was asked for, or where max_events ended it."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Event]: ...
    def __getitem__(self, at: int, /) -> Event: ...
    def column(self, id: int, field: str, /) -> tuple[memoryview, memoryview]:
        """Indices into the batch ('I') and values ('q' or 'Q') of a number field, for the events of that id.

        KeyError if there is no such event or field, TypeError if the field is no single number.
        """
    def select(
        self,
        *,
        cpus: Iterable[int] | None = None,
        ids: Iterable[int] | None = None,
        pids: Iterable[int] | None = None,
        since_ns: int = 0,
        until_ns: int = ...,
    ) -> Batch:
        """The events of these CPUs, types and threads with since_ns <= ts < until_ns (raw clock), over the same pages.

        None lets all pass. Losses of the chosen CPUs and times come along in their place; faults are those of the whole batch.
        """

@final
class ColumnBatch:
    """Columns of events of all CPUs in time order, as Batch has them, without the events."""

    @property
    def ts(self) -> memoryview:
        """Raw time stamps ('Q')."""
    @property
    def cpu(self) -> memoryview:
        """'H'."""
    @property
    def id(self) -> memoryview:
        """common_type ('H'). This column and `pid` have gaps between items."""
    @property
    def pid(self) -> memoryview:
        """common_pid ('i')."""
    @property
    def losses(self) -> list[tuple[int, int, int]]:
        """(row, cpu, count): events lost on that CPU before that row; count -1 is unknown."""
    @property
    def faults(self) -> list[tuple[int, int, str]]:
        """As Batch has them."""
    @property
    def until_ns(self) -> int:
        """As Batch has it."""
    def __len__(self) -> int:
        """How many rows."""
    def column(self, id: int, field: str, /) -> tuple[memoryview, memoryview]:
        """Rows ('I') and values ('q' or 'Q') of a field that was wanted, for the events of that id; KeyError for any other."""

@final
class Decoder:
    """Sub-buffers of one instance to batches of events; see ftracepy.batch.decoder_for. Threads may share it."""

    def __new__(cls, layout: tuple[Any, ...], events: list[tuple[Any, ...]], cpus: Sequence[int]) -> Decoder:
        """`events` are (id, system, name, fields, common fields); instead of the fields may stand a callable that gives both at
        their first use. Raises ValueError where the layout contradicts itself, an id is above 65535 or a CPU is not 0 to 65535.
        """
    def feed(self, cpu: int, data: Buffer, offset_bytes: int = 0) -> None:
        """Queue whole sub-buffers of a CPU; the buffer is kept, not copied. ValueError for an unknown CPU."""
    def batch(self, until_ns: int = ..., max_events: int = 65536) -> Batch:
        """What is queued and older than `until_ns` (raw clock; by default all), merged by time.

        A CPU's own order is kept even where its clock jumps back. Raises OverflowError where `until_ns` is no u64.
        """
    def want(self, fields: Mapping[int, Iterable[str]], only: bool = False) -> None:
        """What `columns` gives from now on: number fields by id, beside time, CPU, type and thread of all events.

        With `only`, events of other ids are passed over. Raises KeyError for an event or a field there is not, TypeError
        for a field that is no single number.
        """
    def columns(self, until_ns: int = ..., max_events: int = 65536) -> ColumnBatch:
        """As `batch`, but numbers alone, which costs a third less for a few fields, and half of it for many.

        Raises ValueError where nobody said what is wanted.
        """

class Capture:
    """A thread that reads sub-buffers from each of `pipes` without the interpreter; see core/capture.h.

    `stats_fds` (per_cpu/cpuN/stats, one per CPU) tell the trace clock where it is not `clock_id`.
    """

    def __new__(
        cls,
        pipes: Sequence[int],
        page_bytes: int,
        clock_id: int,
        stats_fds: Sequence[int],
        margin_ns: int,
        budget_bytes: int,
        queue_bytes: int,
        pace_min_ns: int,
        pace_max_ns: int,
    ) -> Capture: ...
    @property
    def ready_fd(self) -> int:
        """Readable while rounds wait to be taken."""
    def start(self) -> None:
        """Start the thread. Raises OSError."""
    def take(self) -> tuple[list[tuple[int, memoryview]], int, bool, list[tuple[int, int]]] | None:
        """What was captured: (pieces, until, last, faults), or None where nothing waits.

        A piece is (index of its pipe, pages as a read-only view); a fault is (index of a pipe that can no longer be read, errno).
        """
    def finish(self, bounded: bool, /) -> None:
        """Drain, then end; if `bounded` (recording could not be switched off), what is there now. Any thread may ask."""
    def close(self) -> None:
        """End the thread at once; pages handed out stay valid."""

def relay(by_handle: int, by_fd: int, control: int, out: int, tid: int, tasks: int, proc: int, /) -> None:
    """Write the reports of these fanotify groups (-1: none) to `out` until `control` is at its end; see core/relay.h.

    `tid` is the one thread of interest (0: all), `tasks` and `proc` are /proc/PID/task of the one process (-1: all) and /proc.

    Raises OSError.
    """

def tell_rounds(
    data: Buffer, at: int, fd: int, folders: dict[bytes, bytes], own: dict[int, bool], reached: int, /
) -> tuple[int, int, int]:
    """Write what the relay's rounds at data[at:] tell to `fd`, a fact (sidefacts.py) a write, as live/aides/opens.py does.

    It ends before a round of anything but files opened in `folders` (by file system's id and handle) by threads of which
    `own` says whether they are ours, or one that is not whole. Returns where, up to when all has been told (at first
    `reached`), and how many facts were written.
    """

@final
class TextMachine:
    """Text programs by event id, run over records; twin_text.py says what each method does."""

    def __new__(cls, settings: Mapping[str, int], /) -> TextMachine: ...
    def set_symbols(self, kallsyms: bytes, /) -> None: ...
    def set_prefix(self, prefix: bytes, /) -> None: ...
    def set_strings(self, strings: dict[int, bytes], /) -> None: ...
    def set_comms(self, comms: dict[int, bytes], /) -> None: ...
    def set_tgids(self, tgids: dict[int, bytes], /) -> None: ...
    def set_areas(self, areas: Sequence[tuple[int, int, int, bytes]], /) -> None: ...
    def add(self, id: int, name: bytes, code: bytes, entries: bytes, literals: bytes, /) -> None: ...
    def add_format(self, address: int, code: bytes, entries: bytes, literals: bytes, /) -> None: ...
    def set_arguments(self, places: dict[int, tuple[int, int]], /) -> None: ...
    def add_prototype(self, address: int, rows: bytes, /) -> None: ...
    def asked(self) -> int: ...
    def symbol(self, address: int, /) -> bytes: ...
    def text(self, id: int, raw: bytes, /) -> bytes | None: ...
    def set_graph(self, settings: Mapping[str, int], plain_ids: Sequence[int], /) -> None: ...
    def lines(
        self,
        batch: Batch,
        start: int,
        stop: int,
        losses: Sequence[tuple[int, int, int]],
        following: Batch | None = None,
        hold: bool = False,
        /,
    ) -> tuple[bytes, int, int]: ...

@final
class CallCounter:
    """System calls counted and timed by thread, entry and exit paired as they come: by the ids of raw_syscalls' events, whose
    key is the call's number, or by those of syscalls:* events, each with its key. `handled` are ids that others look at.
    """

    def __init__(
        self, raw_enter: int, raw_exit: int, enters: dict[int, int], exits: dict[int, int], handled: Iterable[int]
    ) -> None: ...
    def count(self, batch: Batch, start: int, stop: int, raw: bool, /) -> int:
        """Count batch[start:stop]; how far it came: to `stop`, or to an event that somebody else handles.

        With `raw` the events of single calls count for nothing. A batch's parts come in their order.
        """
    def leave_out(self, tids: Iterable[int], /) -> None:
        """Count these threads' calls no more."""
    def tids(self) -> list[int]:
        """The threads that have tallies."""
    def take(self, tid: int, /) -> list[tuple[int, int, int, int, int]]:
        """(key, calls, errors, total, longest) of each call of the thread's, in raw time; forgotten here."""
    def lost(self) -> None:
        """Which calls are open is not known any more."""
    def trim(self) -> None:
        """Give up the places of threads of which nothing is kept."""

_Field = tuple[str, int, int, bool, int, int, int] | None
"""name, offset, size, signed, kind, bytes of an element, shape, as batch.py tells the decoder."""

_Asked = tuple[int, int, tuple[int, ...], bytes | None]
"""An open whose path is asked for: start, end, the numbers among its arguments, the path as passed."""

@final
class RowMaker:
    """Rows of plain text made of batches: analysis/plainrows.py says by what layout, and takes what is not plain."""

    def __new__(
        cls,
        cells: list[tuple[int, bytes, bytes, int, bool, int]],
        end: bytes,
        refused: bytes,
        time: tuple[int, int, int],
        big_endian: bool,
        failed_only: bool,
        machine: TextMachine | None,
        /,
    ) -> RowMaker:
        """Cells are (kind, before, none, width, right, quote). Raises ValueError for what can be no cell."""
    def event(
        self, id: int, way: int, name: bytes, number: _Field, ret: _Field, text: _Field, args: dict[int, _Field],
        keys: list[_Field], flags_key: int, untold: int, /,
    ) -> None:  # fmt: skip
        """What an event is: an entry's `args` are by the cell they are for, its `keys` all its numbers.

        An open that has any bit of `untold` in its key `flags_key` (from 1, 0: none) is told by nobody. Raises ValueError for
        fields that can be none.
        """
    def task(self, tid: int, pid: int, comm: bytes, own: bool, shown: bool, nameless: bool, taken: bool, /) -> None:
        """Whose a thread is; `taken`: half a call of it is known elsewhere, and its events are not for here."""
    def nobody(self, tid: int, /) -> None:
        """No thread has this number, till the next give() or lost()."""
    def give(self, tid: int, /) -> tuple[int, int, int, list[int]] | None:
        """Forget a thread: whether a call has ended (number, result) and where in the batch the events of its open one lie."""
    def tids(self, all: bool, /) -> list[int]:
        """The threads in a call, or all of which anything is known."""
    def lost(self) -> None:
        """Forget every thread."""
    def name(self, cell: int, number: int, text: bytes, /) -> None:
        """What a cell's number is called."""
    def copies_only(self, only: bool, told_from: int, elsewhere: bool, /) -> None:
        """Whether other paths of opens that worked than the kernel's own copies are still to come, of opens that begin at
        `told_from` or later; `elsewhere`: pieces of a long fact wait for more, so all pieces go there.
        """
    def asked(self) -> tuple[int, int]:
        """The cell and number whose name make() stopped for, or the thread as number."""
    def make(self, batch: Batch, start: int, stop: int, /) -> tuple[bytes, int, int]:
        """Rows of batch[start:stop], where it came to, and why it stopped: fp_rows_why of core/rows.h."""
    def asks(
        self,
        in_open: Callable[[int], bool],
        settle: Callable[[list[_Asked], list[tuple[bytes, int, int, int]]], list[tuple[int, bool]]],
        tail: Callable[[bytes | None, int], bytes],
        /,
    ) -> None:
        """Who knows whether a thread is inside an open, which of the paths told (or -1) is each open's and whether that is
        sure, and what the cells about a path look like that is not plain: path and fp_row's kind of path.
        """
    def hold(self) -> None:
        """Keep a place in the order of rows for something that is made elsewhere."""
    def hold_open(self, tid: int, start: int, end: int, keys: tuple[int, ...], passed: bytes | None, /) -> None:
        """The same for an open that waits for its path. Raises ValueError for more keys than a call has arguments."""
    def tell(self, tid: int, when: int, written: int, since: int, path: bytes, /) -> None:
        """A path was told: analysis/shares.py, Told."""
    def caught_up(self, when: int, now: int, /) -> None:
        """All that happened before `when` has been told."""
    def give_up(self, before: int, /) -> None:
        """Wait no more for paths of opens that ended until `before`."""
    def forget_paths(self) -> None:
        """Wait for nothing any more."""
    def waiting(self) -> bool:
        """Whether anything is held back."""
    def flush(self) -> tuple[bytes, tuple[()] | tuple[bytes | None, int] | None, int]:
        """Rows that need not wait any more; what of elsewhere is next, taken out (an open's path and whether it is sure);
        whether there is more.
        """

def adler32(data: Buffer, /) -> int:
    """The checksum that ends a zlib stream of these bytes (RFC 1950), as zlib.adler32 has it, a fifth of the time (SSE2)."""
