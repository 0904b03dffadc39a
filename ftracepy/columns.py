"""One event's fields by column, in memory: as they come out of the decoder, for Arrow, and for pandas."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftracepy.errors import FtracepyError, UsageFault
from ftracepy.schema import FieldKind

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from ftracepy._fastparse import Batch, ColumnBatch
    from ftracepy.schema import EventFormat, Field, Schema, TimeScale

_COMMON = ("ts_ns", "common_cpu", "common_pid", "common_comm")


class Columns(Mapping[str, Sequence[Any]]):
    """Columns of equal length by name, in time order: columns["next_pid"][0].

    First come ts_ns (as `ftracepy report` shows time), common_cpu, common_pid (the thread) and common_comm (its name as
    the recording has it, None where it has none); then the event's fields by their own names. Numbers are
    arrays that others read without copying (numpy.asarray), texts are str, u8 arrays bytes, other arrays tuples of int.
    """

    def __init__(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        self.name = name
        self._columns = columns

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """How many columns; `rows` says how many events."""
        return len(self._columns)

    @property
    def rows(self) -> int:
        """How many events."""
        return len(self._columns["ts_ns"])

    def __repr__(self) -> str:
        return f"<Columns of {self.rows} {self.name}: {', '.join(self)}>"

    def to_arrow(self) -> pyarrow.Table:
        """The same as an Arrow table. Raises FtracepyError where pyarrow, the extra ftracepy[arrow], is not installed."""
        try:
            import pyarrow
        except ModuleNotFoundError:
            raise _extra("pyarrow", "arrow") from None
        return pyarrow.table({name: _arrow(pyarrow, values) for name, values in self.items()})

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a DataFrame. Raises FtracepyError where pandas, the extra ftracepy[pandas], is not installed."""
        try:
            import numpy
            import pandas
        except ModuleNotFoundError:
            raise _extra("pandas", "pandas") from None
        return pandas.DataFrame(
            {name: numpy.asarray(values) if isinstance(values, array) else values for name, values in self.items()}
        )


def fields_of(kind: EventFormat, names: Sequence[str] | None) -> list[Field]:
    """The event's fields of these names, or all. Raises UsageFault for a field there is not."""
    return [_field(kind, name) for name in names] if names is not None else list(kind.fields)


def columns_of(batches: Iterable[Batch | ColumnBatch], schema: Schema, kind: EventFormat, wanted: Iterable[Field]) -> Columns:
    """The columns of all events of `kind` among `batches`, which hold no others, and are columns only where all are numbers."""
    stamps, cpus, pids = array("Q"), array("H"), array("i")
    columns = {one.name: _empty(one) for one in wanted}
    for batch in batches:
        stamps.frombytes(batch.ts.tobytes())
        cpus.frombytes(batch.cpu.tobytes())
        pids.frombytes(batch.pid.tobytes())
        for name, column in columns.items():
            _extend(column, batch, kind.id, name)
    comms = {pid: schema.comm(pid) for pid in set(pids)}
    common = (_shown(stamps, schema.time), cpus, pids, [comms[pid] for pid in pids])
    return Columns(f"{kind.system}:{kind.name}", {**dict(zip(_COMMON, common, strict=True)), **columns})


def _field(kind: EventFormat, name: str) -> Field:
    found = kind.field(name)
    if found is None:
        names = ", ".join(one.name for one in kind.fields)
        raise UsageFault(f"{kind.system}:{kind.name} has no field '{name}'", why=f"it has {names or 'none'}")
    return found


def is_number(field: Field) -> bool:
    """Whether the field is a single number, which the decoder makes columns of."""
    return field.count is None and field.kind is FieldKind.FIXED and field.size in (1, 2, 4, 8)


def _empty(field: Field) -> Any:
    return array("q" if field.signed else "Q") if is_number(field) else []


def _extend(column: Any, batch: Any, id: int, name: str) -> None:
    if isinstance(column, array):
        column.frombytes(batch.column(id, name)[1].tobytes())
    else:
        column.extend(event[name] for event in batch)


def _shown(stamps: array[int], time: TimeScale) -> array[int]:
    if (time.mult, time.shift, time.offset_ns) == (1, 0, 0):
        return stamps
    return array("q", ((ts * time.mult >> time.shift) + time.offset_ns for ts in stamps))


def _arrow(pyarrow: Any, values: Sequence[Any]) -> Any:
    """Numbers are taken where they lie."""
    if not isinstance(values, array):
        return pyarrow.array(values)
    kinds = {"q": pyarrow.int64(), "Q": pyarrow.uint64(), "H": pyarrow.uint16(), "i": pyarrow.int32()}
    return pyarrow.Array.from_buffers(kinds[values.typecode], len(values), [None, pyarrow.py_buffer(values)])


def _extra(module: str, extra: str) -> FtracepyError:
    return FtracepyError(f"{module} is not installed", hint=f"pip install 'ftracepy[{extra}]'")
