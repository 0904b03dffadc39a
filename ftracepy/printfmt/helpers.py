"""Functions of the kernel that print fmts call and that tell what the bytes of a command mean: NVMe, SCSI, and a few words.

Each is rows of a condition, a format and its arguments, the first row that holds counting; le32(4) and be16(7) stand for
numbers in the bytes, b(1) for one byte. Sources: drivers/nvme/host/trace.c, drivers/scsi/scsi_trace.c, and where a word's
function is told beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftracepy.printfmt.nodes import Call, Cast, Field, Name, Node

Row = tuple[str, str, str]
_PART = re.compile(r"\b(le|be)(16|24|32|64)\((\d+)\)|\bb\((\d+)\)")

_READ_WRITE = ('"slba=%llu, len=%u, ctrl=0x%x, dsmgmt=%u, reftag=%u"', "le64(0), le16(8), le16(10), le32(12), le32(16)")
_ZONE_SEND = '{ 1, "close zone" }, { 2, "finish zone" }, { 3, "open zone" }, { 4, "reset zone" }, { 5, "offline zone" }, \
{ 16, "set zone descriptor extension" }'
_ZONE_LIST = '{ 0, "list all zones" }, { 1, "list the zones in the ZSE: Empty state" }, \
{ 2, "list the zones in the ZSIO: Implicitly Opened state" }, { 3, "list the zones in the ZSEO: Explicitly Opened state" }, \
{ 4, "list the zones in the ZSC: Closed state" }, { 5, "list the zones in the ZSF: Full state" }, \
{ 6, "list the zones in the ZSRO: Read Only state" }, { 7, "list the zones in the ZSO: Offline state" }, \
{ 9, "list the zones that have the zone attribute" }'
_CDW10 = ("1", '"cdw10=%24ph"', "A")
_NVM = (
    ("X == 1 || X == 2 || X == 8 || X == 0x7d", *_READ_WRITE),
    ("X == 9", '"nr=%u, attributes=%u"', "le32(0), le32(4)"),
    ("X == 0x79 && (b(12) == 16 || (b(12) >= 1 && b(12) <= 5))", '"slba=%llu, zsa=%u:%s, all=%u"',
     f"le64(0), b(12), __print_symbolic(b(12), {_ZONE_SEND}), b(13)"),
    ("X == 0x79", '"slba=%llu, zsa=%u:reserved, all=%u"', "le64(0), b(12), b(13)"),
    ("X == 0x7a && b(13) < 10 && b(13) != 8", '"slba=%llu, numd=%u, zra=%u, zrasf=%u:%s, pr=%u"',
     f"le64(0), le32(8), b(12), b(13), __print_symbolic(b(13), {_ZONE_LIST}), b(14)"),
    ("X == 0x7a", '"slba=%llu, numd=%u, zra=%u, zrasf=%u:reserved, pr=%u"', "le64(0), le32(8), b(12), b(13), b(14)"),
    ("X == 0x0d", '"rrega=%u, iekey=%u, ptpl=%u"', "b(0) & 7, b(0) >> 3 & 1, b(3) >> 6 & 3"),
    ("X == 0x11", '"racqa=%u, iekey=%u, rtype=%u"', "b(0) & 7, b(0) >> 3 & 1, b(1)"),
    ("X == 0x15", '"rrela=%u, iekey=%u, rtype=%u"', "b(0) & 7, b(0) >> 3 & 1, b(1)"),
    ("X == 0x0e", '"numd=%u, eds=%u"', "le32(0), b(4) & 1"),
    _CDW10,
)  # fmt: skip
_ADMIN = (
    ("X == 0", '"sqid=%u"', "le16(0)"),
    ("X == 1", '"sqid=%u, qsize=%u, sq_flags=0x%x, cqid=%u"', "le16(0), le16(2), le16(4), le16(6)"),
    ("X == 4", '"cqid=%u"', "le16(0)"),
    ("X == 5", '"cqid=%u, qsize=%u, cq_flags=0x%x, irq_vector=%u"', "le16(0), le16(2), le16(4), le16(6)"),
    ("X == 6", '"cns=%u, ctrlid=%u"', "b(0), le16(2)"),
    ("X == 9", '"fid=0x%x, sv=0x%x, cdw11=0x%x"', "b(0), b(3) & 8, le32(4)"),
    ("X == 10", '"fid=0x%x, sel=0x%x, cdw11=0x%x"', "b(0), b(1) & 7, le32(4)"),
    ("X == 0x86", '"slba=0x%llx, mndw=0x%x, rl=0x%x, atype=%u"', "le64(0), le32(8), le16(12), b(15)"),
    ("X == 0x80", '"lbaf=%u, mset=%u, pi=%u, pil=%u, ses=%u"',
     "(b(1) & 0x30) | (b(0) & 15), b(0) >> 4 & 1, b(0) >> 5 & 7, b(1) & 1, b(1) >> 1 & 7"),
    _CDW10,
)  # fmt: skip
_FABRICS = (
    ("X == 0", '"attrib=%u, ofst=0x%x, value=0x%llx"', "b(0), le32(4), le64(8)"),
    ("X == 1", '"recfmt=%u, qid=%u, sqsize=%u, cattr=%u, kato=%u"', "le16(0), le16(2), le16(4), b(6), le32(8)"),
    ("X == 4", '"attrib=%u, ofst=0x%x"', "b(0), le32(4)"),
    ("X == 5", '"spsp0=%02x, spsp1=%02x, secp=%02x, tl=%u"', "b(1), b(2), b(3), le32(4)"),
    ("X == 6", '"spsp0=%02x, spsp1=%02x, secp=%02x, al=%u"', "b(1), b(2), b(3), le32(4)"),
    ("1", '"specific=%24ph"', "A"),
)

_IN_16 = {0x10: "READ_CAPACITY_16", 0x12: "GET_LBA_STATUS"}
_MAINTENANCE_IN = {
    5: "REPORT_IDENTIFYING_INFORMATION", 10: "REPORT_TARGET_PORT_GROUPS", 11: "REPORT_ALIASES",
    12: "REPORT_SUPPORTED_OPERATION_CODES", 13: "REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS", 14: "REPORT_PRIORITY",
    15: "REPORT_TIMESTAMP", 16: "MANAGEMENT_PROTOCOL_IN",
}  # fmt: skip
_MAINTENANCE_OUT = {
    6: "SET_IDENTIFYING_INFORMATION", 10: "SET_TARGET_PORT_GROUPS", 11: "CHANGE_ALIASES", 14: "SET_PRIORITY",
    15: "SET_TIMESTAMP", 16: "MANAGEMENT_PROTOCOL_OUT",
}  # fmt: skip
_ZBC_OUT = {1: "CLOSE_ZONE", 2: "FINISH_ZONE", 3: "OPEN_ZONE", 4: "RESET_WRITE_POINTER"}
_VARIABLE = {9: "READ", 10: "VERIFY", 11: "WRITE", 13: "WRITE_SAME"}


def _actions(opcode: int, names: dict[int, str], template: str, args: str) -> Iterator[Row]:
    """A row for each service action of an operation, and one for those without a name."""
    for action, name in names.items():
        yield f"b(0) == {opcode} && (b(1) & 31) == {action}", f'"{name} {template}"', args
    yield f"b(0) == {opcode}", '"UNKNOWN"', ""


def _either(*opcodes: int) -> str:
    return " || ".join(f"b(0) == {one}" for one in opcodes)


def _variable() -> Iterator[Row]:
    for action, name in _VARIABLE.items():
        template, args = "lba=%llu txlen=%u protect=%u ei_lbrt=%u", "be64(12), be32(28), b(10) >> 5, be32(20)"
        if name == "WRITE_SAME":
            template, args = template + " unmap=%u", args + ", b(10) >> 3 & 1"
        yield f"b(0) == 0x7f && be16(8) == {action}", f'"{name}_32 {template}"', args


_SCSI = (
    (_either(0x08, 0x0A), '"lba=%u txlen=%u"', "be24(1) & 0x1fffff, b(4) ? b(4) : 256"),
    (_either(0x28, 0x2F, 0x2A), '"lba=%u txlen=%u protect=%u"', "be32(2), be16(7), b(1) >> 5"),
    ("b(0) == 0x41", '"lba=%u txlen=%u protect=%u unmap=%u"', "be32(2), be16(7), b(1) >> 5, b(1) >> 3 & 1"),
    (_either(0xA8, 0xAF, 0xAA), '"lba=%u txlen=%u protect=%u"', "be32(2), be32(6), b(1) >> 5"),
    (_either(0x88, 0x8F, 0x8A), '"lba=%llu txlen=%u protect=%u"', "be64(2), be32(10), b(1) >> 5"),
    ("b(0) == 0x93", '"lba=%llu txlen=%u protect=%u unmap=%u"', "be64(2), be32(10), b(1) >> 5, b(1) >> 3 & 1"),
    ("b(0) == 0x42", '"regions=%u"', "((u32)be16(7) - 8) / 16"),
    *_actions(0x9E, _IN_16, "lba=%llu alloc_len=%u", "be64(2), be32(10)"),
    *_variable(),
    *_actions(0xA3, _MAINTENANCE_IN, "alloc_len=%u", "be32(6)"),
    *_actions(0xA4, _MAINTENANCE_OUT, "alloc_len=%u", "be32(6)"),
    *_actions(0x95, {0: "REPORT_ZONES"}, "zone=%llu alloc_len=%u options=%u partial=%u",
              "be64(2), be32(10), b(14) & 63, b(14) >> 7 & 1"),
    *_actions(0x94, _ZBC_OUT, "zone=%llu all=%u", "be64(2), b(14) & 1"),
    ("b(0) == 0x9c", '"lba=%llu txlen=%u boundary_size=%u"', "be64(2), be16(12), be16(10)"),
    ("1", '"-"', ""),
)  # fmt: skip

# By name: the rows, and which of the arguments is the number X and which the bytes A.
_HELPERS: dict[str, tuple[tuple[Row, ...], int, int]] = {
    "nvme_trace_parse_nvm_cmd": (_NVM, 1, 2),
    "nvme_trace_parse_admin_cmd": (_ADMIN, 1, 2),
    "nvme_trace_parse_fabrics_cmd": (_FABRICS, 1, 2),
    "nvme_trace_disk_name": ((("b(0)", '"disk=%s, "', "A"), ("1", '""', "")), -1, 1),
    "scsi_trace_parse_cdb": (_SCSI, -1, 1),
}


def _words(*words: str, otherwise: str) -> tuple[tuple[Row, ...], int, int]:
    rows = [(f"X == {at}", f'"{word}"', "") for at, word in enumerate(words) if word]
    return (*rows, ("1", f'"{otherwise}"', "")), 0, -1


_HELPERS["mc_event_error_type"] = _words("Corrected", "Uncorrected", "Deferred", "Fatal", otherwise="Info")  # linux/edac.h
# block/blk-core.c, blk_op_str
_HELPERS["blk_op_str"] = _words("READ", "WRITE", "FLUSH", "DISCARD", "", "SECURE_ERASE", otherwise="UNKNOWN")
_IN_PLUGINS = frozenset({"scsi_trace_parse_cdb"})  # that trace-cmd's plugins know as well


def helper(call: Call, exact: bool, plugins: bool) -> list[tuple[str, str]] | None:
    """Conditions, and the print fmts that hold under them; None where the function or what it is given is not known."""
    found = _HELPERS.get(call.name)
    if found is None or not (exact or (plugins and call.name in _IN_PLUGINS)):
        return None
    rows, number_at, bytes_at = found
    if max(number_at, bytes_at) >= len(call.args):
        return None
    number = _source(call.args[number_at]) if number_at >= 0 else ""
    data = _source(call.args[bytes_at]) if bytes_at >= 0 else ""
    if number is None or data is None:
        return None
    made = []
    for condition, template, args in rows:
        shown = f"{template}, {_expanded(args, number, data)}" if args else template
        made.append((_expanded(condition, number, data), shown))
    return made


def _expanded(text: str, number: str, data: str) -> str:
    text = _PART.sub(lambda part: _value(part, data), text)
    return re.sub(r"\bX\b", number, re.sub(r"\bA\b", data, text)) if number else re.sub(r"\bA\b", data, text)


def _value(part: re.Match[str], data: str) -> str:
    order, bits, at, one = part.groups()
    if one is not None:
        return f"((u8 *){data})[{one}]"
    count = int(bits) // 8
    shifts = [8 * (index if order == "le" else count - 1 - index) for index in range(count)]
    whole = " | ".join(f"(u64)((u8 *){data})[{int(at) + index}] << {shift}" for index, shift in enumerate(shifts))
    return f"({whole})"


def _source(node: Node) -> str | None:
    """A field, or a dynamic array, as a print fmt names it."""
    match node:
        case Field(name):
            return f"REC->{name}"
        case Call(("__get_dynamic_array" | "__get_rel_dynamic_array" | "__get_str") as name, (Name(field),)):
            return f"{name}({field})"
        case Cast(_, inner):
            return _source(inner)
    return None
