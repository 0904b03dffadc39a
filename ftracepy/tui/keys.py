"""The one table of keys: bindings, help and command palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to do: `keys` in Textual's names (a letter and a function key, since consoles eat one or the other)."""

    action: str
    keys: tuple[str, ...]
    shown: str
    what: str


KEYS = (
    Key("help", ("question_mark", "h", "f1"), "? h F1", "this list"),
    Key("enter", ("enter",), "Enter", "the line in full; of a count, a process, a CPU or a frame: only this"),
    Key("back", ("escape", "backspace"), "Esc", "back: out of this page, then out of the latest narrowing"),
    Key("next_page", ("tab", "f2"), "Tab F2", "the next page"),
    *(Key(f"page({number})", (str(number),), str(number), f"page {number}") for number in range(1, 8)),
    Key("filter", ("f", "backslash", "f4"), "f \\ F4", 'filter, in the kernel\'s language: pid == 4711 && comm ~ "ssh*"'),
    Key("narrow", ("w",), "w", "only what has the same process, thread, CPU, file, control group … as this line"),
    Key("only", ("o",), "o", "only lines with this value in the chosen column"),
    Key("without", ("O",), "O", "only lines without it"),
    Key("search", ("slash", "f3"), "/ F3", "search in what is shown"),
    Key("find(1)", ("n",), "n", "the next line found"),
    Key("find(-1)", ("N",), "N", "the one before"),
    Key(
        "other_end",
        ("percent_sign",),
        "%",
        "the other end of an event (return, completion, who ran after a wakeup); of a row its events",
    ),
    Key("follow", ("F", "end"), "F End", "go along with what is new"),
    Key("pause", ("p", "space"), "p Space", "hold the screen; tracing goes on and nothing is lost"),
    Key("up", ("up", "k"), "↑ k", "a line up; in flames to the caller, in the overview to another tile"),
    Key("down", ("down", "j"), "↓ j", "a line down; in flames to what is called"),
    Key("turn(-1)", ("pageup",), "PgUp", "a screen up"),
    Key("turn(1)", ("pagedown",), "PgDn", "a screen down"),
    Key("home", ("home",), "Home", "the first line"),
    Key("left", ("left",), "←", "choose the column or frame to the left; in CPUs: into the past"),
    Key("right", ("right",), "→", "choose the column or frame to the right; in CPUs: towards now"),
    Key("sort", ("s", "f6"), "s F6", "sort by the chosen column, once more turns round"),
    Key("unsort", ("S",), "S", "as they came"),
    Key("less", ("minus",), "-", "hide the chosen column; in CPUs: more time on the screen"),
    Key("more", ("plus", "equals_sign"), "+", "show all columns again; in CPUs: less time"),
    Key("resize(-2)", ("less_than_sign",), "<", "make the chosen column narrower"),
    Key("resize(2)", ("greater_than_sign",), ">", "make it wider"),
    Key(
        "count",
        ("t", "f5"),
        "t F5",
        "count lines by the chosen column; in CPUs: tasks; in processes: the quiet ones too; in flames: numbers",
    ),
    Key("count_by", ("T",), "T", "count lines by any field"),
    Key("spread", ("H",), "H", "how the chosen column's numbers are spread, and over time"),
    Key("step(-1)", ("left_square_bracket",), "[", "a second back in time"),
    Key("step(1)", ("right_square_bracket",), "]", "a second on"),
    Key("step(-10)", ("left_curly_bracket",), "{", "ten seconds back"),
    Key("step(10)", ("right_curly_bracket",), "}", "ten seconds on"),
    Key("go", ("g",), "g", "go to a time: seconds as shown, +0.5 or -0.5 from here, 50% of all"),
    Key("mark", ("m",), "m", "mark this line: the status line tells the time from it"),
    Key("play", ("P",), "P", "play from this line on, as it happened; once more stops"),
    Key("speed(0.5)", ("left_parenthesis",), "(", "play at half the speed"),
    Key("speed(2)", ("right_parenthesis",), ")", "play at twice the speed"),
    Key("build", ("b",), "b", "probe builder: choose an event or a function, and watch it"),
    Key("fetch", ("a",), "a", "in the builder: what to fetch at the function"),
    Key("into_kernel", ("K",), "K", "take the filter of an event list out of the kernel, or hand it there"),
    Key("record", ("r",), "r", "start or stop recording to a trace.dat"),
    Key("save", ("R",), "R", "save the last 30 seconds to a trace.dat"),
    Key("export", ("e",), "e", "write what is shown to a file: .json .csv .txt .svg .folded"),
    Key("copy", ("y",), "y", "copy the line to the clipboard of the terminal"),
    Key("clear", ("c",), "c", "clear what is shown; a recording goes on"),
    Key("quit", ("q", "f10", "ctrl+q"), "q F10", "quit: everything done to the kernel is undone"),
)
