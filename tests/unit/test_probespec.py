"""Definitions as people type them, and the lines that every kernel takes; faults that point at the right character."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.probespec import filters, listing, script
from ftracepy.probespec.definition import definitions
from ftracepy.probespec.pointing import same_token
from ftracepy.probespec.probes import Probe, made
from ftracepy.symbols.btf import Btf, Kind
from ftracepy.symbols.btf_find import Kernel
from ftracepy.values import replace
from tests.support.btf import BtfWriter


def _kernel() -> Btf:
    """Types whose offsets and widths tell each other apart."""
    b = BtfWriter()
    int_, uint = b.integer("int", 4, signed=True), b.integer("unsigned int", 4)
    char, uchar, ulong = b.integer("char", 1, signed=True), b.integer("unsigned char", 1), b.integer("long unsigned int", 8)
    bool_, wide = b.integer("_Bool", 1), b.integer("__int128", 16, signed=True)
    void_p, text = b.ptr(0), b.ptr(b.to(Kind.CONST, char))
    pid_t = b.to(Kind.TYPEDEF, int_, "pid_t")
    name = b.record("name", 16, ("hash", uint, 0), ("len", uint, 32), ("name", b.ptr(b.to(Kind.CONST, uchar)), 64))
    dentry = b.record("dentry", 192, ("d_flags", uint, 0), ("d_name", name, 256), ("d_iname", b.array(char, 32), 512))
    path = b.record("path", 16, ("mnt", void_p, 0), ("dentry", b.ptr(dentry), 64))
    mode = b.enum("mode", {"OFF": 0, "ON": 1, "BOTH": 3})
    callback = b.function("", 0, ("", int_))
    bits = b.record(
        "bits", 24, ("low", uint, 0, 3), ("high", int_, 29, 3), ("mode", mode, 40, 2), ("on", bool_, 56, 1),
        ("call", b.ptr(callback), 64, 0), ("numbers", b.array(uint, 4), 64, 0),
    )  # fmt: skip
    sock = b.record("sock", 800, ("family", b.integer("short unsigned int", 2), 128), ("next", void_p, 192))
    b.record("inet_sock", 900, ("sk", sock, 0), ("sport", b.integer("__be16", 2), 6496), ("raw", b.array(uchar, 6), 6512))
    small = b.record("small", 16, ("a", int_, 0), ("b", int_, 32), ("c", ulong, 64))
    large = b.record("large", 24, ("x", ulong, 0), ("y", ulong, 64), ("z", int_, 128))
    tag = b.to(Kind.TYPE_TAG, char, "user")
    declared = b.to(Kind.FWD, 0, "secret")
    b.function("vfs_open", int_, ("path", b.ptr(b.to(Kind.CONST, path))), ("flags", ulong), ("who", pid_t), ("yes", bool_))
    b.function("bits", 0, ("it", b.ptr(bits)), ("mode", mode), ("list", b.ptr(b.ptr(bits))), ("wide", wide))
    b.function("send", b.ptr(sock), ("sk", b.ptr(sock)), ("data", void_p), ("from", b.ptr(tag)), ("secret", b.ptr(declared)))
    b.function("by_value", small, ("s", small), ("n", int_), ("l", large), ("m", uint))
    b.function("many", 0, *((f"p{number}", ulong) for number in range(1, 10)))
    b.function("gets", 0, ("s1", small), ("s2", small), ("p", ulong), ("s3", small), ("last", uint))
    b.function("__traceiter_tick", int_, ("__data", void_p), ("sk", b.ptr(sock)), ("n", int_))
    b.variable("plain", uint)
    b.section(".data..percpu", b.variable("of_cpu", ulong))
    b.function("named", text, ("name", text), ("argv", b.ptr(text)))
    return Btf(b.blob())


KERNEL = _kernel()


def probes(typed: str, arch: str = "x86_64") -> list[Probe]:
    return made(definitions(typed, lambda name: KERNEL.find(name, Kind.FUNC) is not None), lambda _module: KERNEL, arch)


def line(typed: str, arch: str = "x86_64") -> str:
    """What was asked for, without the pointers it is read through."""
    (probe,) = probes(typed, arch)
    return replace(probe, pointers=()).line("g")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("vfs_open", "p:g/vfs_open vfs_open"),
        ("p vfs_open", "p:g/vfs_open vfs_open"),
        ("p:opens vfs_open", "p:g/opens vfs_open"),
        ("p:mine/opens vfs_open", "p:g/opens vfs_open"),
        ("p:vfs_open flags", "p:g/vfs_open vfs_open flags=%si:u64"),
        ("p:vfs_open f=%si:u8", "p:g/vfs_open vfs_open f=%si:u8"),
        ("r:vfs_open $retval", "r512:g/vfs_open vfs_open retval=$retval:s32"),
        ("r16:slow vfs_open ret=$retval:x64", "r16:g/slow vfs_open ret=$retval:x64"),
        ("p:x", "p:g/x x"),
        ("vfs_open+0x10 %ax $stack2 $comm", "p:g/vfs_open vfs_open+0x10 %ax $stack2 $comm"),
        ("p:at 0xffffffff81000000 %di", "p:g/at 0xffffffff81000000 %di"),
        ("ext4:ext4_sync %di", "p:g/ext4_sync ext4:ext4_sync %di"),
        ("nobody.part.0 +8(%di):string", "p:g/nobody_part_0 nobody.part.0 +8(%di):string"),
        ("f:vfs_open flags", "f:g/vfs_open vfs_open flags=$arg2:u64"),
        ("f:back vfs_open%return ret=$retval", "f:g/back vfs_open%return ret=$retval:s32"),
        ("t:tick sk->family n", "t:g/tick tick family=+16($arg1):u16 n=$arg2:s32"),
        (r"vfs_open a=@jiffies:u64 b=+u8(%si):u8 c=\42 d=\"a", r"p:g/vfs_open vfs_open a=@jiffies:u64 b=+u8(%si):u8 c=\42 d=\"a"),
    ],
)
def test_the_kernels_own_words(typed: str, written: str) -> None:
    assert line(typed) == written


@pytest.mark.parametrize(
    ("typed", "args"),
    [
        ("vfs_open path->dentry->d_name.name:string", "name=+0(+40(+8(%di))):string"),
        ("vfs_open path->dentry->d_name.name", "name=+40(+8(%di)):x64"),
        ("vfs_open path->dentry->d_iname", "d_iname=+64(+8(%di)):string"),
        ("vfs_open path->dentry->d_iname:u8[8]", "d_iname=+64(+8(%di)):u8[8]"),
        ("vfs_open len=(*path).dentry->d_name.len", "len=+36(+8(%di)):u32"),
        ("vfs_open *", "path=%di:x64 flags=%si:u64 who=%dx:s32 yes=%cx:u8"),
        ("vfs_open flags:x who:x8 (int)flags", "flags=%si:x64 who=%dx:x8 flags_2=%si:s32"),
        (
            "bits it->low it->high it->mode it->on",
            "low=+0(%di):b3@0/32 high=+0(%di):b3@29/32 mode=+4(%di):b2@8/32 on=+7(%di):b1@0/8",
        ),
        ("bits it->call", "call=+8(%di):symbol"),
        ("bits it->numbers it->numbers[2]", "numbers=+8(%di):u32[4] numbers_2=+16(%di):u32"),
        ("bits list[2]->low *list", "low=+0(+16(%dx)):b3@0/32 list=+0(%dx):x64"),
        ("send ((struct inet_sock *)sk)->sport", "sport=+812(%di):u16"),
        (
            "send ((struct inet_sock*)sk)->raw ((struct inet_sock *)sk->next)->sk.family",
            "raw=+814(%di):u8[6] family=+16(+24(%di)):u16",
        ),
        ("send ((char *)data)[3] data:string", "data=+3(%si):s8 data_2=+0(%si):string"),
        ("send from:ustring *from", "from=+u0(%dx):ustring from_2=+u0(%dx):s8"),
        ("r:send $retval->family $retval", "family=+16($retval):u16 retval=$retval:x64"),
        ("vfs_open @plain @unknown ((struct sock)@thing).family", "plain=@plain:u32 unknown=@unknown:u64 family=@thing+16:u16"),
        ("named name:string argv[1]:string", "name=+0(%di):string argv=+0(+8(%si)):string"),
        ("vfs_open $arg3 $arg1->dentry->d_flags", "arg3=%dx:s32 d_flags=+0(+8(%di)):u32"),
        ("r:vfs_open who path->mnt", "who=$arg3:s32 mnt=+0($arg1):x64"),
    ],
)
def test_names_and_types(typed: str, args: str) -> None:
    assert line(typed).split(" ", 2)[2] == args


@pytest.mark.parametrize(
    ("typed", "x86", "arm"),
    [
        ("many p6 p7 p9", "p6=%r9:u64 p7=$stack1:u64 p9=$stack3:u64", "p6=%x5:u64 p7=%x6:u64 p9=$stack0:u64"),
        ("by_value s.a s.b", "a=%di:s32 b=%di:b32@32/64", "a=%x0:s32 b=%x0:b32@32/64"),
        ("by_value s.c n", "c=%si:u64 n=%dx:s32", "c=%x1:u64 n=%x2:s32"),
        ("by_value l.y l.z m", "y=+16($stack):u64 z=+24($stack):s32 m=%cx:u32", "y=+8(%x3):u64 z=+16(%x3):s32 m=%x4:u32"),
        ("gets s2.c s3.a last", "c=%cx:u64 a=+8($stack):s32 last=%r9:u32", "c=%x3:u64 a=%x5:s32 last=%x7:u32"),
    ],
)  # fmt: skip
def test_where_parameters_are(typed: str, x86: str, arm: str) -> None:
    assert line(typed).split(" ", 2)[2] == x86
    assert line(typed, "aarch64").split(" ", 2)[2] == arm


@pytest.mark.parametrize(
    ("typed", "at", "message", "hint"),
    [
        ("vfs_open pth->mnt", "pth", "no parameter is called 'pth'", "vfs_open(const struct path *path"),
        ("vfs_open flags path->dentri->x", "dentri", "struct path has no member 'dentri'", "dentry"),
        ("vfs_open path.dentry", "dentry", "members are behind ->", ""),
        ("vfs_open flags->x", "x", "is no pointer", ""),
        ("vfs_open path->dentry->d_flags->x", "x", "is no pointer", ""),
        ("vfs_open path->dentry->d_name", "path", "no single number", "hash"),
        ("vfs_open path->", "", "a name is missing here", ""),
        ("vfs_open path->dentry)", ")", "does not belong here", ""),
        ("vfs_open ((struct pth *)path)->mnt", "struct pth", "there is no type 'struct pth *'", "struct path"),
        ("vfs_open flags:string", "flags", "points at no string", ""),
        ("vfs_open+4 flags", "flags", "only where a function begins", "%register"),
        ("vfs_opn flags", "vfs_opn", "no prototype of 'vfs_opn'", "vfs_open"),
        ("vfs_open $retval", "$retval", "only a return probe", ""),
        ("r:bits $retval", "$retval", "returns nothing", "void bits("),
        ("r:by_value $retval", "$retval", "returns a struct", ""),
        ("vfs_open $arg9->x", "$arg9", "it has 4 parameters", ""),
        ("bits it->numbers[4]", "4]", "ends at 3", ""),
        ("bits wide", "wide", "no single number", ""),
        ("send secret->x", "x", "struct secret is only declared", ""),
        ("vfs_open @of_cpu", "@of_cpu", "each CPU has its own", ""),
        ("vfs_open x=", "", "what to fetch is missing", ""),
        ("bits &it->low", "&", "only the address of a first member", ""),
        ("bits it->low:u8", "it", "follows from its width", ""),
        ("vfs_open a b; 5ome", "5ome", "is no function", ""),
    ],
)  # fmt: skip
def test_faults_point_at_what_was_typed(typed: str, at: str, message: str, hint: str) -> None:
    with pytest.raises(UsageFault) as caught:
        probes(typed)
    said, shown, caret = caught.value.kernel.split("\n")
    assert message in said
    assert hint in caught.value.hint
    where = typed.rindex(at) if at else len(typed)
    assert (shown, caret) == (f"  {typed}", f"  {' ' * where}^")


def test_an_argument_the_kernel_cannot_take_whole() -> None:
    chain = "sk"
    for _ in range(9):
        chain = f"((struct sock *){chain}->next)"
    assert line(f"send {chain}->family").endswith("(+24(%di)))))))))):u16")
    for _ in range(3):
        chain = f"((struct sock *){chain}->next)"
    with pytest.raises(UsageFault, match="cannot be made") as caught:
        line(f"send {chain}->family")
    assert "the kernel takes 63 characters" in caught.value.why


def test_several_probes_and_names_that_are_taken() -> None:
    found = probes("vfs_open flags; r:vfs_open $retval;p:vfs_open vfs_open %di\n r vfs_open")
    assert [one.event for one in found] == ["vfs_open", "vfs_open_return", "vfs_open_2", "vfs_open_3"]
    assert [one.starts for one in found] == [(0, 9), (18, 27), (46, 55), (62,)]


def test_enums_have_names_and_bit_fields_signs() -> None:
    (probe,) = probes("bits it->mode it->high mode it->low")
    names = {"0": "OFF", "1": "ON", "3": "BOTH"}
    enum, via = {"c": "enum mode", "names": names}, {"via": ["via__"]}
    low = {"c": "unsigned int", **via}
    assert probe.fields == {"mode": enum | via, "high": {"c": "int", "signed_bits": 3, **via}, "mode_2": enum, "low": low}
    assert (
        filters.in_numbers('mode_2 == ON || name == "mode_2 == ON" || n > 1', probe.fields)
        == 'mode_2 == 1 || name == "mode_2 == ON" || n > 1'
    )
    with pytest.raises(UsageFault) as caught:
        filters.in_numbers("mode_2 != OFFF", probe.fields)
    assert caught.value.kernel.split("\n")[1:] == ["  mode_2 != OFFF", "            ^"]
    assert caught.value.hint == "OFF"


def test_what_could_not_be_read_is_compared_with_nothing() -> None:
    """The kernel compares what lies in the field; that its pointers lead somewhere is asked of it, too."""
    (probe,) = probes("bits it->mode mode it->low")
    can = "via__ >= 0x8000000000000000 && via__ <= 0xfffffffffffff000"
    typed = "!(mode == ON) && mode_2 == ON || low & 3 && low != -1"
    assert (
        filters.in_numbers(typed, probe.fields)
        == f"!((mode == 1 && {can})) && mode_2 == 1 || (low & 3 && {can}) && (low != -1 && {can})"
    )


@pytest.mark.parametrize(
    ("typed", "pointers", "via"),
    [
        ("vfs_open path->dentry->d_name.len flags", ("via__=%di:x64", "via___2=+8(%di):x64"), ["via__", "via___2"]),
        ("r:send $retval->family", ("via__=$retval:x64",), ["via__"]),
        ("vfs_open path->dentry->d_name.name:string", (), None),
        ("vfs_open path=+8(%di):x64 @plain", (), None),
        ("by_value l.y", (), None),
        ("send *from", (), None),
    ],
)
def test_numbers_come_with_the_kernels_pointers_to_them(typed: str, pointers: tuple[str, ...], via: list[str] | None) -> None:
    (probe,) = probes(typed)
    assert probe.pointers == pointers
    assert probe.words == probe.args + pointers
    assert next(iter(probe.fields.values()), {}).get("via") == via
    assert not any(name.startswith("via") for name in probe.names())


def test_without_types_only_names_are_refused() -> None:
    def none(_module: str) -> Btf:
        raise KernelCannot("no types")

    (probe,) = made(definitions("r:vfs_open $retval %di @jiffies"), none, "x86_64")
    assert probe.line("g") == "r512:g/vfs_open vfs_open $retval %di @jiffies"
    with pytest.raises(KernelCannot):
        made(definitions("vfs_open flags"), none, "x86_64")


def test_a_function_of_a_module_has_that_modules_types() -> None:
    base = BtfWriter()
    int_ = base.integer("int", 4, signed=True)
    module = BtfWriter(base)
    own = module.record("own", 8, ("a", int_, 0), ("b", int_, 32))
    module.function("of_module", int_, ("it", module.ptr(own)))
    kernel = Btf(base.blob())
    blobs = {"": kernel, "mod": Btf(module.blob(), kernel)}
    for typed in ("of_module it->b", "mod:of_module it->b"):
        (probe,) = made(definitions(typed), blobs.__getitem__, "x86_64", lambda name: ["mod"] if name == "of_module" else [])
        assert probe.args == ("b=+4(%di):s32",)
    with pytest.raises(UsageFault):
        made(definitions("of_module it->b"), blobs.__getitem__, "x86_64")


def test_a_processor_whose_convention_is_not_known() -> None:
    assert line("vfs_open %a0 $arg1:x64", "riscv64") == "p:g/vfs_open vfs_open %a0 $arg1:x64"
    with pytest.raises(FtracepyError, match="cannot be made"):
        line("vfs_open flags", "riscv64")


def test_the_kernels_caret_is_found_again() -> None:
    typed = "mode==ON  &&(high > 1)"
    written = filters.in_numbers(typed, {"mode": {"names": {"1": "ON"}}})
    assert typed[same_token(written, typed, written.index("high")) :].startswith("high")


def test_a_script_is_what_a_shell_takes(tmp_path: object) -> None:
    asked = script.Asked(probes(r"bits it->mode it->low; r:x vfs_open a=\"it's"), "mode == ON", True, 1, None, 2.5)
    text = "\n".join(script.lines(asked)) + "\n"
    assert subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True).stderr == b""
    assert "mode == 1" in text
    assert [("filter" in file) for file, _ in script.writes(asked)].count(True) == 1, "x has no field mode"
    written = list(script.writes(asked))
    assert written[0] == ("kprobe_events", "p:ftracepy/bits bits mode=+4(%di):b2@8/32 low=+0(%di):b3@0/32 via__=%di:x64")
    assert written[-1] == ("instances/ftracepy/events/ftracepy/x/enable", "1")


def test_functions_of_modules_are_listed_by_their_own_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = BtfWriter()
    int_ = base.integer("int", 4, signed=True)
    base.function("of_kernel", int_, ("n", int_))
    module = BtfWriter(base)
    module.function("of_module", int_, ("it", module.ptr(module.record("own", 4, ("a", int_, 0)))))
    (tmp_path / "vmlinux").write_bytes(base.blob())
    (tmp_path / "mod").write_bytes(module.blob())
    monkeypatch.setattr(listing, "Kernel", partial(Kernel, folder=tmp_path))
    both = ["int of_kernel(int n)", "int of_module(struct own *it)  /* mod */"]
    assert list(listing.functions("of_*")) == both
    assert list(listing.functions("mod:*")) == both[1:]
    assert list(listing.functions("nosuch:*")) == []
