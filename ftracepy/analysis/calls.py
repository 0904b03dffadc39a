"""System calls: entry and exit as one value, with the texts their pointers stood for.

Texts come, best first, from the kernel's own copy (our probe `path_kernel`, or a PATH side fact: the file really
opened), from the syscall's entry event (`__ARG_val` fields, our `path_entry`), or from the caller's memory just
before the call (our `path_site`). The events of our own probes are described in live/plan.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ftracepy.analysis.pairing import EXECS, Entry, Outcome, Pairing
from ftracepy.analysis.pathfacts import PathFacts
from ftracepy.analysis.paths import Paths
from ftracepy.analysis.plaincalls import plain_calls
from ftracepy.analysis.storedpaths import StoredPaths
from ftracepy.analysis.tasks import Tasks
from ftracepy.analysis.walk import Handler, Machine, number, own_probes, text, to_ns, walk
from ftracepy.schema import EventFormat, Schema
from ftracepy.sidefacts import SideFact
from ftracepy.symbols import words
from ftracepy.system import errnos, syscalls
from ftracepy.values import dataclass

if TYPE_CHECKING:
    from ftracepy._fastparse import Event, RowMaker
    from ftracepy.analysis.feed import Feed
    from ftracepy.analysis.plainrows import Plain

OPENS = frozenset({"open", "openat", "openat2", "creat", "open_by_handle_at"})
_PATH_ARGS = ("filename", "pathname", "path", "name", "oldname")
_ALWAYS = ("rt_sigreturn", "restart_syscall")


@dataclass(frozen=True, slots=True)
class Text:
    """A string argument. `value` None: nobody could read it. `provenance`: kernel-copy, user@enter or none."""

    value: str | None
    provenance: str = "none"


@dataclass(slots=True)
class Call:
    """One system call: a value that nobody changes, though nothing keeps one from it, which would take as long as all
    the rest of its making. `pid` is the process (tgid), `comm` the task's name when it entered, times in nanoseconds.

    `args` are the numbers of the entry event by the kernel's argument names (pointers as numbers). `ret` is what the
    program saw, None where it saw nothing. `notes` are events asked for that the task hit while in the call.
    """

    tid: int
    pid: int
    comm: str
    name: str
    args: Mapping[str, Any]
    start_ns: int
    end_ns: int
    ret: int | None
    outcome: Outcome
    texts: Mapping[str, Text]
    notes: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    restarts: int = 0

    @property
    def failed(self) -> bool:
        """Whether it returned an error."""
        return self.ret is not None and errnos.failed(self.ret)

    @property
    def errname(self) -> str | None:
        """The error by name; None where it did not fail."""
        return errnos.name(-self.ret) if self.ret is not None and self.failed else None

    @property
    def ret_if_ok(self) -> int | None:
        """The return value of a call that worked."""
        return None if self.failed else self.ret

    def text(self, argname: str) -> Text:
        """The string that argument `argname` pointed to."""
        known = self.texts.get(argname) or (self.texts.get("path") if argname in _PATH_ARGS else None)
        return known or Text(None)


def calls(
    feed: Feed, names: Collection[str], *, tasks: Tasks | None = None, within: Collection[tuple[str, str]] = (),
    absolute: bool = False, plain: Plain | None = None,
) -> Iterator[Call]:  # fmt: skip
    """The calls of `names` in the order they ended, each once. `within`: events (system, name) to keep as notes of a call.

    `plain`: rows that may be made of calls without showing them here, where whoever takes the rows takes lines too.
    `absolute`: of opens that worked, the file as fanotify tells it even where the name passed is known for certain.

    A call whose text is still on its way holds back those that ended later, at most a second of trace time.
    """
    out: deque[Call] = deque()
    tasks = tasks or Tasks(feed.schema)
    machine = Calls(feed.schema, names, tasks, out.append, within, absolute=absolute)
    return walk(feed, (tasks, machine), out, plain_calls(feed, names, tasks, machine, plain))


class Calls(Machine):
    """Turns events into calls; `emit` gets each when it is complete, in the order they ended."""

    def __init__(
        self, schema: Schema, names: Collection[str], tasks: Tasks, emit: Callable[[Call], None],
        within: Collection[tuple[str, str]] = (), *, absolute: bool = False,
    ) -> None:  # fmt: skip
        self._absolute = absolute
        self._names = frozenset(names)
        self._tasks = tasks
        self._within = within
        self._ns = to_ns(schema.time)
        self._abi = syscalls.native_abi(schema.arch)
        self._order = words_order(schema)
        self._raw_args: dict[str, tuple[str, ...]] = {}
        self._site: dict[int, tuple[int, Text]] = {}
        self._early: dict[int, Text] = {}
        self.pairing = Pairing(tasks, self._ended)
        self._emit = emit
        self._paths: Paths[Call] = PathFacts(emit, self._in_open)

    def handlers(self, schema: Schema) -> Mapping[int, Handler]:
        found: dict[int, Handler] = {}
        for one in schema.formats.values():
            if one.system == "syscalls" and (handler := self._syscall_handler(one)):
                found[one.id] = handler
            elif one.system == "sched" and one.name in _LIFE:
                found[one.id] = partial(_LIFE[one.name], self.pairing)
            elif one.system == "task" and one.name == "task_newtask":
                found[one.id] = lambda event: self.pairing.born(number(event, "pid"))
            elif (one.system, one.name) == ("signal", "signal_deliver"):
                found[one.id] = self._delivered
            elif (one.system, one.name) in self._within:
                found[one.id] = self._note
        if (enter := schema.event("raw_syscalls", "sys_enter")) and (leave := schema.event("raw_syscalls", "sys_exit")):
            found |= {enter.id: self._raw_enter, leave.id: self._raw_exit}
        probes = {"path_kernel": self._path_kernel, "path_entry": self._path_entry, "path_site": self._path_site}
        return found | {ident: handler for name, handler in probes.items() for ident in own_probes(schema, name)}

    def _syscall_handler(self, one: EventFormat) -> Handler | None:
        way, _, event_name = one.name.removeprefix("sys_").partition("_")
        name = syscalls.known_as(event_name)
        fields = tuple(field.name for field in one.fields if field.name != "__syscall_nr")
        if way == "enter" and name in self._names:
            self._raw_args[name] = tuple(field for field in fields if not field.startswith("__"))
        if name not in self._names and name not in _ALWAYS:
            return None
        texts = tuple((field, field[2:-4]) for field in fields if field.startswith("__") and field.endswith("_val"))
        return partial(self._enter, name, fields, texts) if way == "enter" else partial(self._exit, name)

    def _enter(self, name: str, fields: tuple[str, ...], texts: tuple[tuple[str, str], ...], event: Event) -> None:
        """`texts` are the fields that hold the text of an argument, each with the argument's name."""
        if event.pid in self._tasks.own:
            return
        args = {field: event[field] for field in fields}
        entry = self.pairing.enter(event.pid, number(event, "__syscall_nr"), name, event.ts, args)
        if entry is not None:
            self._texts_at_entry(entry, texts)

    def _exit(self, name: str, event: Event) -> None:
        if event.pid not in self._tasks.own:
            self.pairing.leave(event.pid, number(event, "__syscall_nr"), name, number(event, "ret"), event.ts)

    def _raw_enter(self, event: Event) -> None:
        nr = number(event, "id")
        name = syscalls.name_of(nr, self._abi)
        if (name in self._names or name in _ALWAYS) and event.pid not in self._tasks.own:
            values = event["args"]
            args = dict(zip(self._raw_args.get(name, ()), values if isinstance(values, tuple) else (), strict=False))
            if entry := self.pairing.enter(event.pid, nr, name, event.ts, args, raw=True):
                self._texts_at_entry(entry)

    def _raw_exit(self, event: Event) -> None:
        """An exec may leave under another ABI's number, rt_sigreturn as -1: only calls that are open can tell."""
        nr = number(event, "id")
        name = syscalls.name_of(nr, self._abi)
        if (name in self._names or event.pid in self.pairing.open) and event.pid not in self._tasks.own:
            self.pairing.leave(event.pid, nr, name, number(event, "ret"), event.ts)

    def _texts_at_entry(self, entry: Entry, texts: tuple[tuple[str, str], ...] = ()) -> None:
        for field, arg in texts:
            if isinstance(value := entry.args.get(field), str):
                key = "path" if arg in _PATH_ARGS and (entry.name in OPENS or entry.name in EXECS) else arg
                entry.texts[key] = Text(value, "user@enter") if value or not entry.args.get(arg) else Text(None)
        self._text_at_site(entry)
        if (early := self._early.pop(entry.tid, None)) is not None:
            self._improve(entry, early)

    def _text_at_site(self, entry: Entry) -> None:
        nr, site = self._site.pop(entry.tid, (-1, None))
        if site is not None and nr == entry.nr:
            self._improve(entry, site)

    def _improve(self, entry: Entry, found: Text) -> None:
        """Keep the text nearest to what the kernel used; of its own copies the first, for later ones are links followed."""
        if (known := entry.texts.get("path")) is None or known.provenance != "kernel-copy":
            entry.texts["path"] = found

    def _path_kernel(self, event: Event) -> None:
        """openat2 passes its flags in memory: the kernel's own reading of them is in the probe."""
        if (entry := self.pairing.open.get(event.pid)) is not None:
            self._improve(entry, _readable(text(event, "path"), "kernel-copy"))
            if entry.name == "openat2" and isinstance(flags := event.get("flags"), int):
                entry.args = {**entry.args, "flags": flags}

    def _path_entry(self, event: Event) -> None:
        """Hit with the entry event, before or after it is recorded."""
        found = _readable(text(event, "path"), "user@enter")
        if (entry := self.pairing.open.get(event.pid)) is not None:
            self._improve(entry, found)
        else:
            self._early[event.pid] = found

    def _path_site(self, event: Event) -> None:
        found, whole = words.text_in(event.memory("path"))
        self._site[event.pid] = number(event, "nr", -1), Text(found if whole else found + "...", "user@enter")

    def _delivered(self, event: Event) -> None:
        self.pairing.delivered(event.pid, number(event, "sa_handler"), number(event, "sa_flags"))

    def _note(self, event: Event) -> None:
        if (entry := self.pairing.open.get(event.pid)) is not None:
            entry.notes.append((event.name, {name: event[name] for name in event.keys()}))  # noqa: SIM118

    def fact(self, fact: SideFact, ts: int) -> None:
        self._paths.fact(fact, ts)

    def lost(self) -> None:
        self.pairing.lost()
        self._site.clear()
        self._early.clear()
        self._paths.lost()

    def holds(self, tid: int) -> bool:
        """Whether anything is known of a call that the thread has not ended."""
        return tid in self._site or tid in self._early or self.pairing.holds(tid)

    def settled(self, tid: int, nr: int, ret: int) -> None:
        """The thread's latest call, which was plain, has returned."""
        self.pairing.settled(tid, nr, ret)

    def paths_in(self, maker: RowMaker, tail: Callable[[bytes | None, int], bytes]) -> Callable[[], None]:
        """Before the first event: have opens and their paths lie in the core. Returns what emits those that wait no more."""
        lines = cast("Callable[[bytes], Call]", lambda made: made)  # the walk knows them again
        self._paths = stored = StoredPaths(self._emit, self._in_open, maker, lines, tail)
        return stored.flush

    def told_later(self) -> tuple[bool, int]:
        """Whether the paths of opens that worked are still to come, and of those that began from when on."""
        return self._paths.expected, self._paths.told_from

    def advance(self, now: int) -> None:
        self.pairing.advance(now)
        self._paths.advance(now)

    def _ended(self, entry: Entry, outcome: Outcome, ret: int | None, end: int) -> None:
        if entry.name not in self._names:
            return
        self._early.pop(entry.tid, None)
        if outcome is Outcome.DENIED:
            self._text_at_site(entry)
        if entry.name in OPENS and ret is not None and ret >= 0:
            known = entry.texts.get("filename") or entry.texts.get("path")
            if known is None or known.provenance != "kernel-copy" or self._absolute:
                passed = known.value if known else None
                span = entry.start, end
                self._paths.wait(
                    entry.tid, span, entry.args, passed, lambda path, sure: self._call(entry, outcome, ret, end, path, sure)
                )
                return
        self._paths.passes(self._call(entry, outcome, ret, end, None))

    def made_elsewhere(self, entry: Entry, ret: int, end: int) -> None:
        """A call that no system call made (io_uring), in its place among the others."""
        self._ended(entry, Outcome.RETURNED, ret, end)

    def _in_open(self, tid: int) -> bool:
        entry = self.pairing.open.get(tid)
        return entry is not None and entry.name in OPENS

    def _call(
        self, entry: Entry, outcome: Outcome, ret: int | None, end: int, opened: str | None, sure: bool = False
    ) -> Call:  # fmt: skip
        """`opened` is the file really opened; where only its last component is known, the text passed says more."""
        texts: dict[str, Text] = entry.texts
        if opened is not None and (opened.startswith("/") or not texts):
            texts = {"path": Text(opened, "kernel-copy" if sure else "user@enter")}
        return Call(
            entry.tid, entry.tgid, entry.comm, entry.name, entry.args, self._ns(entry.start), self._ns(end), ret, outcome,
            texts, tuple(entry.notes), entry.restarts,
        )  # fmt: skip


def words_order(schema: Schema) -> words.Order:
    """The byte order of memory captured as words."""
    return "big" if schema.page.big_endian else "little"


def _readable(value: str, provenance: str) -> Text:
    """What a probe's `string` fetch gave; the kernel writes (fault) where it could not read."""
    return Text(None) if value in {"", "(fault)"} else Text(value, provenance)


def _execed(pairing: Pairing, event: Event) -> None:
    pairing.execed(number(event, "pid"), number(event, "old_pid"), event.ts)


def _exited(pairing: Pairing, event: Event) -> None:
    pairing.died(event.pid, event.ts)


def _forked(pairing: Pairing, event: Event) -> None:
    pairing.born(number(event, "child_pid"))


_LIFE: dict[str, Callable[[Pairing, Event], None]] = {
    "sched_process_exec": _execed,
    "sched_process_exit": _exited,
    "sched_process_fork": _forked,
}
