"""Functions of the kernel in print fmts: what a command's bytes mean, and forms of C that only old kernels left there."""

from __future__ import annotations

import pytest

from ftracepy.printfmt.target import Target
from tests.support.textmachines import event, show

_NVME = (
    '"nvme%d: %scmd=(%s %s)", REC->ctrl_id, nvme_trace_disk_name(p, REC->disk), REC->qid ? "io" : "admin", '
    "((REC->opcode) == nvme_fabrics_command ? nvme_trace_parse_fabrics_cmd(p, REC->fctype, REC->cdw10) : ((REC->qid) ? "
    "nvme_trace_parse_nvm_cmd(p, REC->opcode, REC->cdw10) : nvme_trace_parse_admin_cmd(p, REC->opcode, REC->cdw10)))"
)
_NVME_FIELDS = (
    "char disk[8]@8:8",
    "int ctrl_id@16:4s",
    "int qid@20:4s",
    "u8 opcode@24:1",
    "u8 fctype@25:1",
    "u8 cdw10[24]@26:24",
)


def nvme(opcode: int, cdw10: str, qid: int = 1, fctype: int = 0, disk: bytes = b"nvme0n1") -> str:
    """What stands in the brackets."""
    data = bytes.fromhex(cdw10).ljust(24, b"\0")
    payload = disk.ljust(8, b"\0") + (3).to_bytes(4, "little") + qid.to_bytes(4, "little") + bytes([opcode, fctype]) + data
    text = show(event(_NVME, *_NVME_FIELDS), payload)
    before = f"nvme3: {f'disk={disk.decode()}, ' if disk else ''}cmd=({'io' if qid else 'admin'} "
    assert text.startswith(before)
    return text.removeprefix(before).removesuffix(")")


def test_nvme_commands() -> None:
    """NVM Express: the layout of each command's dwords 10 to 15; drivers/nvme/host/trace.c."""
    assert nvme(2, "10000000 00000001 0f00 0080 07000000 78563412") == (
        "slba=72057594037927952, len=15, ctrl=0x8000, dsmgmt=7, reftag=305419896"
    )
    assert nvme(9, "02000000 04000000", disk=b"") == "nr=2, attributes=4"
    assert nvme(0x79, "08000000 00000000 00000000 04 01") == "slba=8, zsa=4:reset zone, all=1"
    assert nvme(0x79, "00" * 12 + "09") == "slba=0, zsa=9:reserved, all=0"
    assert nvme(0x7A, "00" * 8 + "ff000000 00 05 01") == (
        "slba=0, numd=255, zra=0, zrasf=5:list the zones in the ZSF: Full state, pr=1"
    )
    assert nvme(0, "00 01 02") == "cdw10=00 01 02" + " 00" * 21
    assert nvme(0x11, "0a 03") == "racqa=2, iekey=1, rtype=3"


def test_nvme_admin_and_fabrics_commands() -> None:
    assert nvme(1, "0100 7f00 0500 0200", qid=0) == "sqid=1, qsize=127, sq_flags=0x5, cqid=2"
    assert nvme(6, "01 00 0200", qid=0) == "cns=1, ctrlid=2"
    assert nvme(9, "07 00 00 80 11000000", qid=0) == "fid=0x7, sv=0x0, cdw11=0x11"
    assert nvme(0x80, "f1 1f", qid=0) == "lbaf=17, mset=1, pi=7, pil=1, ses=7"
    assert nvme(0x7F, "0000 0100 1f00 04 00 88130000", qid=0, fctype=1) == "recfmt=0, qid=1, sqsize=31, cattr=4, kato=5000"
    assert nvme(0x7F, "00 0a 0b 0c 10000000", qid=1, fctype=5) == "spsp0=0a, spsp1=0b, secp=0c, tl=16"


@pytest.mark.parametrize(
    ("cdb", "shown"),
    [
        ("08 1f ff fe 00 00", "lba=2097150 txlen=256"),
        ("28 20 00 00 10 00 00 00 08 00", "lba=4096 txlen=8 protect=1"),
        ("41 08 00 00 00 01 00 00 20 00", "lba=1 txlen=32 protect=0 unmap=1"),
        ("a8 00 00 00 00 02 00 00 01 00 00 00", "lba=2 txlen=256 protect=0"),
        ("8a 00 00 00 00 01 00 00 00 00 00 00 00 10 00 00", "lba=4294967296 txlen=16 protect=0"),
        ("93 28 00 00 00 00 00 00 00 07 00 00 00 01 00 00", "lba=7 txlen=1 protect=1 unmap=1"),
        ("42 00 00 00 00 00 00 00 18 00", "regions=1"),
        ("9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00", "READ_CAPACITY_16 lba=0 alloc_len=32"),
        ("9e 11 00 00 00 00 00 00 00 00 00 00 00 20 00 00", "UNKNOWN"),
        ("a3 0a 00 00 00 00 00 00 01 00 00 00", "REPORT_TARGET_PORT_GROUPS alloc_len=256"),
        ("a4 0f 00 00 00 00 00 00 00 0c 00 00", "SET_TIMESTAMP alloc_len=12"),
        ("95 00 00 00 00 00 00 00 00 08 00 00 02 00 81 00", "REPORT_ZONES zone=8 alloc_len=512 options=1 partial=1"),
        ("94 04 00 00 00 00 00 00 00 08 00 00 00 00 01 00", "RESET_WRITE_POINTER zone=8 all=1"),
        ("7f 00 00 00 00 00 00 18 00 0d 28 00" + "00" * 7 + "09 00 00 00 05 00 00 00 00 00 00 00 03",
         "WRITE_SAME_32 lba=9 txlen=3 protect=1 ei_lbrt=5 unmap=1"),
        ("7f 00 00 00 00 00 00 18 00 77", "-"),
        ("00 00 00 00 00 00", "-"),
    ],
)  # fmt: skip
def test_scsi_commands(cdb: str, shown: str) -> None:
    """SCSI block commands: big-endian numbers in the command's bytes; drivers/scsi/scsi_trace.c, and trace-cmd's plugin."""
    data = bytes.fromhex(cdb)
    fields = ("u32 cmd_len@8:4", "__data_loc unsigned char[] cmnd@12:4")
    cmnd = "__get_dynamic_array(cmnd), REC->cmd_len"
    print_fmt = f'"(%s raw=%s)", scsi_trace_parse_cdb(p, {cmnd}), __print_hex({cmnd})'
    payload = len(data).to_bytes(4, "little") + (len(data) << 16 | 16).to_bytes(4, "little") + data
    wanted = f"({shown} raw={data.hex(' ')})"
    assert show(event(print_fmt, *fields), payload) == wanted
    assert show(event(print_fmt, *fields), payload, target=Target("trace-cmd", form="latency")) == wanted
    assert show(event(print_fmt, *fields), payload, "trace-cmd").startswith("[FAILED TO PARSE]")


def test_words() -> None:
    print_fmt = '"%s %s", mc_event_error_type(REC->a), blk_op_str(REC->b)'
    fields = ("int a@8:4s", "int b@12:4s")
    rows = {(0, 0): "Corrected READ", (1, 3): "Uncorrected DISCARD", (3, 5): "Fatal SECURE_ERASE", (9, 9): "Info UNKNOWN"}
    for (a, b), text in rows.items():
        assert show(event(print_fmt, *fields), a.to_bytes(4, "little") + b.to_bytes(4, "little")) == text


def test_what_old_kernels_left() -> None:
    """ktime_t was a struct; byte orders were asked of the compiler; GNU's short ternary; one name for text and number."""
    expires = ("s64 expires@8:8s",)
    text = '"expires=%llu", (unsigned long long)(((ktime_t) { .tv64 = REC->expires }).tv64)'
    assert show(event(text, *expires), (77).to_bytes(8, "little")) == "expires=77"
    swapped = "((__u16)(((__u16)(REC->p) & 0xffU) << 8 | (REC->p) >> 8))"
    proto = f'"0x%x", (__builtin_constant_p((__u16)(REC->p)) ? {swapped} : __fswab16(REC->p))'
    assert show(event(proto, "u16 p@8:2"), b"\x88\x8e") == "0x888e"
    assert show(event('"0x%x", __fswab32(REC->p)', "u32 p@8:4"), b"\x12\x34\x56\x78") == "0x12345678"
    frame = event('"ftype:0x%.2x", __le16_to_cpup((__le16 *)__get_dynamic_array(frame))', "__data_loc u8[] frame@8:4")
    assert show(frame, (2 << 16 | 12).to_bytes(4, "little") + b"\xc0\x01") == "ftype:0x1c0"
    assert show(event('"%d", REC->a ?: 9', "int a@8:4s"), bytes(4)) == "9"
    named_twice = event('"type=%s (%d)", __get_str(type), REC->type', "__data_loc char[] type@8:4", "int type@12:4s")
    assert show(named_twice, (5 << 16 | 16).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"lzo\0\0") == "type=lzo (3)"
    assert show(event('" ",'), b"") == " "


def test_where_pages_are_was_for_the_compiler_to_know() -> None:
    """Of arm64 before 4.18: the address of a page's struct needs its size, its number stands in the record."""
    base = "((struct page *)((0xffffffffffffffffUL << 38) & ~((typeof((1UL << 27) * sizeof(struct page)))(1UL) - 1)) - 64)"
    alloc = event(f'"page=%p pfn=%lu", REC->pfn != -1UL ? ({base} + (REC->pfn)) : ((void *)0), REC->pfn', "unsigned long pfn@8:8")
    assert show(alloc, (5).to_bytes(8, "little")) == "page=(____ptrval____) pfn=5"
    freed = event(f'"page=%p pfn=%lu", REC->page, (unsigned long)((REC->page) - {base})', "struct page * page@8:8")
    assert show(freed, (5).to_bytes(8, "little")) == "page=0000000000000005 pfn=?"


def test_the_rest_of_an_array() -> None:
    print_fmt = '"%s", REC->id[0] & 1 ? __print_hex(&REC->id[1], 2) : "-"'
    assert show(event(print_fmt, "u8 id[4]@8:4"), b"\x01\xab\xcd\xef") == "ab cd"
    assert show(event(print_fmt.replace("[1], 2", "[3], 9"), "u8 id[4]@8:4"), b"\x01\xab\xcd\xef") == "ef"
    assert show(event(print_fmt.replace("[1], 2", "[5], 2"), "u8 id[4]@8:4"), b"\x01\xab\xcd\xef").startswith("id={")
