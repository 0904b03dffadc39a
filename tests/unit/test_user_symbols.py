"""Symbols, offsets, USDT notes and libraries: held to what readelf, objdump, addr2line and ldconfig say of the same files."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ftracepy.errors import FtracepyError, KernelCannot, UsageFault
from ftracepy.live.aides.maps import MapsAide
from ftracepy.symbols import boundaries, demangle, ldcache, lines, providers, targets, usdt, usdtargs
from ftracepy.symbols.definition import Place, parse
from ftracepy.symbols.elf import EM_AARCH64, Elf
from ftracepy.symbols.image import Image
from ftracepy.symbols.usercode import Maps, Names, identity
from ftracepy.symbols.userprobes import ready
from ftracepy.tracefs import Tracefs
from tests.support.programs import SHAPES, compiled

LIBC = next((one.path for one in ldcache.matching("libc") if one.arch in ("", "x86_64", "aarch64")), "")
needs_libc = pytest.mark.skipif(not LIBC, reason="no libc in the loader's cache")


def output(*command: str | Path) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"no {command[0]}")
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module", params=SHAPES)
def program(request: pytest.FixtureRequest, folder: Path) -> Path:
    return compiled(folder, request.param, *SHAPES[request.param])


def function_offsets(path: Path) -> dict[str, int]:
    """Name -> file offset, by objdump's own reckoning."""
    found = re.findall(r"^[0-9a-f]+ <([^>]+)> \(File Offset: (0x[0-9a-f]+)\):", output("objdump", "-d", "-F", path), re.MULTILINE)
    return {name: int(offset, 16) for name, offset in found}


def test_offsets_of_functions_are_objdumps(program: Path) -> None:
    """Stripping takes what names the code, and leaves the code where it is."""
    whole = compiled(program.parent, "whole", "-rdynamic") if program.name == "stripped" else program
    image, theirs = Image(str(program)), function_offsets(whole)
    for name in ("work", "outer", "main"):
        [symbol] = image.named(name)
        assert image.file_offset(symbol.address) == theirs[name]
        assert image.address_of(theirs[name]) == symbol.address


def test_every_instruction_boundary_is_objdumps(folder: Path) -> None:
    path = compiled(folder, "bounds")
    image = Image(str(path))
    listing = output("objdump", "-d", "--no-show-raw-insn", "-j", ".text", path)
    starts = {int(line.partition(":")[0], 16) for line in listing.splitlines() if re.match(r"\s+[0-9a-f]+:\s", line)}
    [work], [main] = image.named("work"), image.named("main")
    for symbol in (work, main):
        for address in range(symbol.address, symbol.address + symbol.size):
            assert boundaries.check(image, address).ok is (address in starts)


@needs_libc
def test_a_syscall_instruction_is_refused() -> None:
    image = Image(LIBC)
    [getppid] = image.named("getppid")
    at = image.elf.data.find(b"\x0f\x05", image.file_offset(getppid.address))
    if os.uname().machine != "x86_64":
        pytest.skip("x86_64 only")
    verdict = boundaries.check(image, image.address_of(at) or 0)
    assert verdict.ok is False
    assert "syscall" in verdict.why


@needs_libc
def test_names_versions_and_kinds_are_readelfs() -> None:
    theirs = set()
    for line in output("readelf", "-W", "--dyn-syms", LIBC).splitlines():
        words = line.split()
        if len(words) > 7 and words[3] in ("FUNC", "IFUNC") and words[6] != "UND":
            theirs.add((words[7], int(words[1], 16), words[3]))
    versioned = [one for one in Image(LIBC).symbols if one.version]
    ours = {(one.full_name, one.address, "IFUNC" if one.kind == "resolver" else "FUNC") for one in versioned}
    assert sorted(theirs ^ ours)[:5] == []


def without_symbols(path: Path, *more: str) -> Path:
    stripped = path.with_name(path.name + "-bare")
    subprocess.run(["objcopy", "-S", *more, path, stripped], check=True)
    return stripped


def test_symbols_packed_into_the_file(folder: Path) -> None:
    """As Fedora ships them: the table without debug information, by xz, in .gnu_debugdata."""
    path = compiled(folder, "packed", "-fPIE", "-pie")
    table = folder / "packed.table"
    subprocess.run(["objcopy", "-S", "--keep-symbol=twice", "--strip-debug", path, table], check=True)
    (folder / "packed.xz").write_bytes(lzma.compress(table.read_bytes(), format=lzma.FORMAT_XZ))
    bare = without_symbols(path, f"--add-section=.gnu_debugdata={folder / 'packed.xz'}")
    assert Image(str(without_symbols(compiled(folder, "packed2")))).named("twice") == []
    [found] = Image(str(bare)).named("twice")
    assert found.address == Image(str(path)).named("twice")[0].address


def test_symbols_in_a_file_of_their_own_by_build_id_and_by_link(folder: Path, tmp_path: Path) -> None:
    path = compiled(folder, "split", "-Wl,--build-id")
    whole = Image(str(path))
    debug = tmp_path / "usr/lib/debug/.build-id" / whole.build_id[:2] / f"{whole.build_id[2:]}.debug"
    debug.parent.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", path, debug], check=True)
    by_id = Image(str(without_symbols(path)), str(tmp_path))
    assert by_id.named("twice")[0].address == whole.named("twice")[0].address
    linked_debug = folder / "split.debug"
    shutil.copy(debug, linked_debug)
    by_link = Image(str(without_symbols(path, f"--add-gnu-debuglink={linked_debug}")))
    assert by_link.named("twice")[0].address == whole.named("twice")[0].address
    linked_debug.write_bytes(linked_debug.read_bytes() + b"changed")
    assert Image(by_link.path).named("twice") == []


def test_prelinking_moves_symbols_of_a_debug_file(folder: Path, tmp_path: Path) -> None:
    """The debug file keeps the addresses from before."""
    path = compiled(folder, "moved", "-Wl,--build-id", "-shared", "-fPIC")
    debug = tmp_path / "usr/lib/debug/.build-id"
    identity_ = Image(str(path)).build_id
    (debug / identity_[:2]).mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", path, debug / identity_[:2] / f"{identity_[2:]}.debug"], check=True)
    bare = without_symbols(path)
    before = Image(str(bare), str(tmp_path)).named("twice")[0].address
    data = bytearray(bare.read_bytes())
    at, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
    for header in range(at, at + 56 * count, 56):
        address = int.from_bytes(data[header + 16 : header + 24], "little") + 0x30000000
        data[header + 16 : header + 24] = address.to_bytes(8, "little")
    bare.write_bytes(data)
    moved = Image(str(bare), str(tmp_path))
    assert moved.named("twice")[0].address == before + 0x30000000
    assert moved.file_offset(before + 0x30000000) == function_offsets(path)["twice"]


def test_the_loaders_cache_is_ldconfigs() -> None:
    listed = re.findall(r"^\t(\S+) \(.*\) => (\S+)$", output("ldconfig", "-p"), re.MULTILINE)
    assert listed
    known = {(one.name, one.path) for one in ldcache.libraries()}
    assert [pair for pair in listed if pair not in known][:5] == []


@pytest.mark.parametrize("name", ["libc", "libc.so", "libc.so.6"])
@needs_libc
def test_short_names_of_libraries(name: str) -> None:
    assert targets.resolve(name).path == os.path.realpath(LIBC)


def test_a_missing_cache_and_an_old_format_in_front(tmp_path: Path) -> None:
    assert ldcache.libraries(str(tmp_path)) == []
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libmusl.so.1").write_bytes(b"")
    assert [one.path for one in ldcache.matching("libmusl", str(tmp_path))] == ["/lib/libmusl.so.1"]
    (tmp_path / "lib/riscv64-linux-gnu").mkdir()
    (tmp_path / "lib/riscv64-linux-gnu/libc.so.6").write_bytes(b"")
    assert [one.path for one in ldcache.matching("libc", str(tmp_path))] == ["/lib/riscv64-linux-gnu/libc.so.6"]
    (tmp_path / "etc").mkdir()
    cache = Path("/etc/ld.so.cache").read_bytes() if os.path.exists("/etc/ld.so.cache") else b""
    if cache.startswith(b"glibc"):
        (tmp_path / "etc/ld.so.cache").write_bytes(b"ld.so-1.7.0\0\0\0\0\0" + b"\0" * 48 + cache)
        mine = [one for one in ldcache.libraries(str(tmp_path)) if one.name != "libmusl.so.1"]
        assert mine == [one for one in ldcache.libraries() if one.arch]


def stapsdt(path: str) -> list[tuple[str, str, int, int, int, str]]:
    """(provider, name, location, base, semaphore, arguments) by readelf -n."""
    note = r"Provider: (\S+)\s+Name: (\S+)\s+Location: (\S+), Base: (\S+), Semaphore: (\S+)\s+Arguments: ?(.*)"
    found = re.findall(note, output("readelf", "-n", path))
    return [(one[0], one[1], int(one[2], 16), int(one[3], 16), int(one[4], 16), one[5].strip()) for one in found]


USDT_FILES = [path for path in ("/usr/bin/python3.11", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6") if os.path.exists(path)]


@pytest.mark.parametrize("path", USDT_FILES)
def test_usdt_notes_are_readelfs(path: str) -> None:
    ours = [(one.provider, one.name, one.address, one.semaphore, one.arguments) for one in usdt.probes(Image(path).elf)]
    assert ours == [(*one[:3], one[4], one[5]) for one in stapsdt(path)]
    assert providers.has_probes(path)


def test_usdt_addresses_move_with_the_base_section() -> None:
    """Prelinking moves .stapsdt.base, whose old address the note keeps."""
    if not USDT_FILES:
        pytest.skip("no file with USDT probes")
    path = USDT_FILES[0]
    image = Image(path)
    [first, *_] = usdt.probes(image.elf)
    base = stapsdt(path)[0][3]
    data = bytearray(image.elf.data)
    at = data.find(base.to_bytes(8, "little"), data.find(b"stapsdt\0"))
    data[at : at + 8] = (base - 0x1000).to_bytes(8, "little")
    [moved, *_] = usdt.probes(Elf(bytes(data)))
    assert (moved.address, moved.semaphore) == (first.address + 0x1000, first.semaphore + 0x1000)


OPERANDS = {
    "-4@%eax": ("%ax", "s32"), "8@%rdi": ("%di", "u64"), "4@$5": ("\\5", "u32"), "-4@$-5": ("\\-5", "s32"),
    "-4@-20(%rbp)": ("-20(%bp)", "s32"), "8@112(%rsp)": ("+112(%sp)", "u64"), "8@(%rax)": ("+0(%ax)", "u64"),
    "1@%al": ("%ax", "u8"), "1@%ah": ("%ax", "b8@8/64"), "-1@%sil": ("%si", "s8"), "2@%r8w": ("%r8", "u16"),
    "4@%r15d": ("%r15", "u32"), "1@%r9b": ("%r9", "u8"), "%rcx": ("%cx", "s64"), "8@(%rax,%rbx,8)": ("", "u64"),
    "8f@%xmm0": ("", "u64"), "8@%xmm1": ("", "u64"), "8@nosuch(%rip)": ("", "u64"), "-8@%fs:40": ("", "s64"),
}  # fmt: skip


@pytest.mark.parametrize(("operand", "wanted"), OPERANDS.items(), ids=OPERANDS)
def test_usdt_operands_on_x86(operand: str, wanted: tuple[str, str]) -> None:
    [found] = usdtargs.parse(operand, x86_elf(), lambda _name: None, 0x1000)
    assert (found.fetch, found.kind) == wanted
    assert bool(found.why) is not bool(found.fetch)


ARM_OPERANDS = {
    "-4@x0": ("%x0", "s32"), "8@[sp, 16]": ("+16(%sp)", "u64"), "8@[x1]": ("+0(%x1)", "u64"), "8@[sp]": ("+0(%sp)", "u64"),
    "-4@[x29, -20]": ("-20(%x29)", "s32"),
    "4@wzr": ("\\0", "u32"), "-4@5": ("\\5", "s32"), "4@w19": ("%x19", "u32"), "8@[x0, x1]": ("", "u64"),
}  # fmt: skip


@pytest.mark.parametrize(("operand", "wanted"), ARM_OPERANDS.items(), ids=ARM_OPERANDS)
def test_usdt_operands_on_arm(operand: str, wanted: tuple[str, str]) -> None:
    elf = x86_elf()
    elf.machine = EM_AARCH64
    [found] = usdtargs.parse(operand, elf, lambda _name: None, 0x1000)
    assert (found.fetch, found.kind) == wanted


def x86_elf() -> Elf:
    """A header with one segment: 0x2000 bytes at address 0x1000 from offset 0x400 on."""
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + (2).to_bytes(2, "little") + (62).to_bytes(2, "little")
    head = head.ljust(32, b"\0") + (64).to_bytes(8, "little")
    head = head.ljust(54, b"\0") + (56).to_bytes(2, "little") + (1).to_bytes(2, "little")
    segment = (1).to_bytes(4, "little") + (5).to_bytes(4, "little")
    for value in (0x400, 0x1000, 0x1000, 0x2000, 0x2000, 0x1000):
        segment += value.to_bytes(8, "little")
    return Elf(head.ljust(64, b"\0") + segment)


def test_a_usdt_argument_in_a_variable_counts_from_the_mapping() -> None:
    """@+OFFSET is added to where the file's byte 0 would lie, were it mapped as the probe's segment is."""
    found = usdtargs.parse(
        "4@16+counter(%rip) -4@counter(%rip)", x86_elf(), lambda name: 0x5000 if name == "counter" else None, 0x1200
    )
    assert [(one.fetch, one.kind) for one in found] == [("@+0x4410", "u32"), ("@+0x4400", "s32")]


def test_damaged_notes_and_tables_are_no_traceback() -> None:
    if not USDT_FILES:
        pytest.skip("no file with USDT probes")
    data = Path(USDT_FILES[-1]).read_bytes()
    for cut in (52, 64, 500, len(data) // 2, len(data) - 100):
        usable = Elf(data[:cut]) if cut > 1000 else None
        if usable is not None:
            usdt.probes(usable)


# Definitions


def test_forms_of_definitions() -> None:
    def place(text: str) -> Place:
        return parse(text).place

    assert (place("bash:readline").target, place("bash:readline").name) == ("bash", "readline")
    assert (parse("p:mine libc:sleep %di").event, parse("p:mine libc:sleep %di").arguments) == ("mine", ((18, "%di"),))
    assert parse("p:grp/mine libc:sleep").event == "mine"
    assert parse("r:libc:fopen file=$retval").kind == "r"
    assert parse("libc:fopen%return").kind == "r"
    assert (place("libc:0xbf130").form, place("libc:0xbf130").number) == ("offset", 0xBF130)
    assert (place("libc:*0xbf130").form, place("libc:*0xbf130").number) == ("address", 0xBF130)
    assert place("libc:0x10(0x20)").semaphore == 0x20
    assert (place("x:main.c:42").form, place("x:main.c:42").name, place("x:main.c:42").number) == ("line", "main.c", 42)
    assert (place("x:f+0x1b").name, place("x:f+0x1b").number) == ("f", 0x1B)
    assert (place("usdt:python:gc__start").provider, place("python3:usdt:python:gc__start").target) == ("python", "python3")
    assert place("x:ns::f").name == "ns::f"


@pytest.mark.parametrize("text", ["", "  ", "p", "r:", "libc", "libc:", ":x", "p:1x libc:f", "r:usdt:a:b", "usdt:a", "p:x"])
def test_what_can_be_no_definition(text: str) -> None:
    with pytest.raises(UsageFault):
        parse(text)


def test_a_path_with_a_colon(tmp_path: Path) -> None:
    (tmp_path / "a:b").write_bytes(b"")
    assert parse(f"{tmp_path}/a:b:f").place.target == f"{tmp_path}/a:b"


def caret(error: FtracepyError, text: str) -> str:
    """The rest of what was typed, from the caret on."""
    lines_ = error.why.splitlines()
    [at] = [number for number, line in enumerate(lines_) if line.strip() == "^"]
    assert lines_[at - 1].strip() == text
    return lines_[at - 1][lines_[at].index("^") :]


def fault_of(text: str, **more: object) -> FtracepyError:
    with pytest.raises(FtracepyError) as caught:
        ready(text, **more)  # type: ignore[arg-type]
    return caught.value


def test_faults_point_into_what_was_typed(folder: Path) -> None:
    path = compiled(folder, "faults")
    near = fault_of(f"p:{path}:wrok")
    assert caret(near, f"p:{path}:wrok") == "wrok"
    assert "work" in near.hint
    inside = fault_of(f"{path}:work+1")
    assert "inside an instruction" in inside.why
    assert re.search(r"work \(\*0x\w+\) and work\+0x", inside.why)
    assert ready(f"{path}:work+1", force=True).probes
    assert "not code" in fault_of(f"{path}:0x10").what
    assert "first instruction" in fault_of(f"r:{path}:work+4").what
    assert caret(fault_of(f"{path}:work x=$arg9"), f"{path}:work x=$arg9") == "$arg9"
    assert caret(fault_of("/no/such/file:f"), "/no/such/file:f") == "/no/such/file:f"
    assert "no program" in fault_of("/etc/passwd:f").what
    (folder / "script").write_text("#!/bin/sh\n")
    assert "/bin/sh" in fault_of(f"{folder}/script:f").hint


def test_a_path_with_a_blank_has_no_words_for_the_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a blank").mkdir()
    shutil.copy(compiled(folder, "blank"), folder / "a blank")
    monkeypatch.chdir(folder / "a blank")
    assert "ln -s" in fault_of("./blank:work").hint


@needs_libc
def test_a_resolver_is_not_the_function() -> None:
    resolvers = [one.name for one in Image(LIBC).symbols if one.kind == "resolver" and not one.local]
    if "memcpy" not in resolvers:
        pytest.skip("this libc has no resolvers")
    error = fault_of("libc:memcpy")
    assert "STT_GNU_IFUNC" in error.why
    found = ready("libc:mem*")
    assert not {"memcpy", "memset"} & {one.spot.label for one in found.probes}
    assert any("memcpy" in note for note in found.notes)


@needs_libc
def test_a_pattern_gives_each_function_once_and_names_are_event_names() -> None:
    found = ready("libc:getp*")
    addresses = [one.spot.address for one in found.probes]
    assert len(addresses) == len(set(addresses)) == len({one.event.name for one in found.probes})
    assert all(re.fullmatch(r"[A-Za-z_]\w{0,62}", one.event.name) for one in found.probes)


ONE = """\
static __attribute__((noinline)) int same(int n) { __asm__ volatile(""); return n; }
int one(int n) { return same(n); }
"""
TWO = """\
static __attribute__((noinline)) int same(int n) { __asm__ volatile(""); return n + 1; }
int one(int n);
int main(int argc, char **argv) { (void)argv; return same(argc) + one(argc); }
"""


def test_local_functions_of_one_name_are_all_probed(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    for name, text in {"one.c": ONE, "two.c": TWO}.items():
        (tmp_path / name).write_text(text)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "same", tmp_path / "one.c", tmp_path / "two.c"], check=True)
    found = ready(f"{tmp_path}/same:same")
    assert len(found.probes) == 2
    assert {one.event.name for one in found.probes} == {"same"}
    assert "2 functions are called same" in " ".join(found.notes)


# Lines


def test_lines_are_addr2lines(folder: Path) -> None:
    pytest.importorskip("elftools")
    path = compiled(folder, "lines")
    image = Image(str(path))
    number = next(at for at, line in enumerate((folder / "lines.c").read_text().splitlines(), 1) if "text[0]" in line)
    found = lines.addresses(image, "lines.c", number)
    assert found
    for address in found:
        assert output("addr2line", "-e", path, hex(address)).strip().endswith(f"lines.c:{number}")
    with pytest.raises(UsageFault) as caught:
        lines.addresses(image, "lines.c", number - 3)
    assert str(number - 2) in caught.value.hint or str(number) in caught.value.hint
    with pytest.raises(UsageFault) as caught:
        lines.addresses(image, "line.c", number)
    assert "lines.c" in caught.value.hint


def test_a_file_without_lines(folder: Path) -> None:
    pytest.importorskip("elftools")
    bare = without_symbols(compiled(folder, "nolines"))
    with pytest.raises(KernelCannot, match="no source lines"):
        lines.addresses(Image(str(bare)), "nolines.c", 3)


def test_lines_without_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = without_symbols(compiled(folder, "withoutextra"))
    monkeypatch.setitem(__import__("sys").modules, "elftools.elf.elffile", None)
    with pytest.raises(KernelCannot) as caught:
        lines.addresses(Image(str(bare)), "withoutextra.c", 3)
    assert "ftracepy[symbols]" in caught.value.hint


# What is fetched


def words_of(text: str, filter_: str = "", **more: bool) -> tuple[str, ...]:
    [probe] = ready(text, filter_, **more).probes
    return probe.words


def test_arguments_and_strings(folder: Path) -> None:
    path = compiled(folder, "args")
    if os.uname().machine != "x86_64":
        pytest.skip("registers of x86_64")
    assert words_of(f"{path}:work n=$arg1:s64 %si") == ("n=%di:s64", "arg2=%si")
    assert words_of(f"{path}:work t=+0($arg2):string") == ("t=+0(%si):x64[64]", "t__at=%si:x64")
    assert words_of(f"{path}:work t=+0(+u8($arg2)):ustring") == ("t=+0(+8(%si)):x64[64]", "t__at=+8(%si):x64")
    assert words_of(f"{path}:work t=+0($arg2):string", force=True) == ("t=+0(%si):string",)
    assert words_of(f"{path}:work t=+0($arg2):string", 't == "odd"') == ("t=+0(%si):string",)
    assert words_of(f"{path}:work", "n=%di") == ("n=%di",)
    many = " ".join(f"s{at}=+0(%si):string" for at in range(12))
    assert words_of(f"{path}:work {many}")[0] == "s0=+0(%si):x64[32]"
    assert words_of(f"{path}:work", stacks=True) == ("caller__at=+0(%sp):x64",)
    assert words_of(f"r:{path}:work $retval", stacks=True) == ("arg1=$retval",)


@pytest.mark.skipif("/usr/bin/python3.11" not in USDT_FILES, reason="no python with USDT probes")
def test_usdt_arguments_come_by_themselves_and_by_number() -> None:
    [probe] = ready("/usr/bin/python3.11:usdt:python:gc__done").probes
    [(_, _, location, _, semaphore, arguments)] = [one for one in stapsdt("/usr/bin/python3.11") if one[1] == "gc__done"]
    image = Image("/usr/bin/python3.11")
    assert probe.place == f"/usr/bin/python3.11:{image.file_offset(location):#x}({image.file_offset(semaphore):#x})"
    register = arguments.removeprefix("-8@%").removeprefix("r") if "%r1" not in arguments else arguments.removeprefix("-8@%")
    assert probe.words == (f"arg1=%{register}:s64",)
    assert words_of("/usr/bin/python3.11:usdt:python:gc__done n=$arg1") == (f"n=%{register}:s64",)
    assert "the probe has 1 arguments" in fault_of("/usr/bin/python3.11:usdt:python:gc__done n=$arg2").what


# Names of addresses


def test_a_file_whose_process_has_ended_is_known_by_its_path_and_the_next_ones_by_itself(folder: Path) -> None:
    """The maps were read, and then it was gone: what could not be found then is not taken for known."""
    path = compiled(folder, "ended", "-Wl,--build-id")
    status = path.stat()
    device, inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}", str(status.st_ino)
    aide, gone = MapsAide(Tracefs(Path("/nowhere")), ()), 1 << 30
    assert aide._identity(gone, "1000-2000", device, inode, f"{path}.moved") == ""
    assert aide._identity(gone, "1000-2000", device, str(status.st_ino + 1), str(path)) == ""
    assert aide._identity(gone, "1000-2000", device, inode, str(path)) == identity(str(path)) != ""
    assert aide._identity(gone, "1000-2000", device, inode, "/another/name") == identity(str(path))


def test_frames_by_maps_and_only_of_the_same_file(folder: Path) -> None:
    path = compiled(folder, "frames", "-Wl,--build-id")
    image = Image(str(path))
    [work] = image.named("work")
    segment = next(one for one in image.elf.code if one.address <= work.address < one.address + one.size)
    first = segment.offset & ~0xFFF
    start = 0x7F0000000000
    line = f"{start:x} {start + 0x10000:x} {first:x} {identity(str(path))} {path}"
    maps = Maps(f"broken\n{line}\nff ee\n".encode())
    address = start + image.file_offset(work.address) - first + 5
    mapped = maps.at(address)
    assert mapped is not None
    assert maps.at(start + 0x10000) is None
    assert Names().frame(mapped, address, 1, is_return=False) == f"work+0x5 ({path})"
    other = Maps(line.replace(identity(str(path)), "00" * 20).encode()).at(address)
    assert other is not None
    assert Names().frame(other, address, 1, is_return=False) == f"{path}+{image.file_offset(work.address) + 5:#x}"


def test_a_return_address_belongs_to_the_call_before_it(folder: Path) -> None:
    path = compiled(folder, "ends")
    image = Image(str(path))
    [work] = image.named("work")
    offset = image.file_offset(work.address)
    line = f"1000000 2000000 0 {identity(str(path))} {path}"
    mapped = Maps(line.encode()).at(0x1000000 + offset + work.size)
    assert mapped is not None
    found = Names().frame(mapped, 0x1000000 + offset + work.size, 1, is_return=True)
    assert found == f"work+{work.size:#x} ({path})"


def test_demangled_names() -> None:
    pytest.importorskip("pydemumble")
    assert demangle.demangled("_ZNSt8ios_base4InitC1Ev") == "std::ios_base::Init::Init()"
    assert demangle.plain("_ZN3foo3barEi") == "foo::bar"
    assert demangle.demangled("work") == "work"


def test_a_process_is_resolved_by_its_own_maps() -> None:
    found = targets.resolve("libc", os.getpid()) if LIBC else None
    if found is not None:
        assert os.path.samefile(found.path, LIBC) or found.path.startswith("/")
    with pytest.raises(UsageFault, match="no 'libnosuch' mapped"):
        targets.resolve("libnosuch", os.getpid())
    with pytest.raises(UsageFault, match="no process"):
        targets.resolve("libc", 4194304)
