/* Bytes of a record as text: in hex, as what can be printed, in lines as lib/hexdump.c makes them. */
#include "text_show.h"

void
fp_show_bytes(fp_text_out *out, const uint8_t *data, uint64_t length, const char *between, size_t wide)
{
    if (length == 0 || !fp_out_room(out, (size_t)length * (2 + wide)))
        return;
    uint8_t *to = out->data + out->used;
    for (uint64_t at = 0; at < length; at++) {
        for (size_t i = 0; at && i < wide; i++)
            *to++ = (uint8_t)between[i];
        *to++ = (uint8_t)"0123456789abcdef"[data[at] >> 4];
        *to++ = (uint8_t)"0123456789abcdef"[data[at] & 15];
    }
    out->used = (size_t)(to - out->data);
}

/* In quotes, with dots for what cannot be shown; nothing where that is all of it. */
static void
show_printable(fp_text_out *out, const uint8_t *data, uint64_t length, bool is_cut)
{
    size_t start = out->used;
    bool any = false;
    FP_OUT_LITERAL(out, " \"");
    for (uint64_t at = 0; at < length; at++) {
        bool printable = data[at] >= 32 && data[at] < 127;
        any = any || printable;
        fp_out_byte(out, printable ? data[at] : '.');
    }
    fp_out_byte(out, '"');
    if (is_cut)
        FP_OUT_LITERAL(out, "...");
    if (!any)
        out->used = start;
}

/* A text up to its NUL, or where that is not all ASCII, what of all its bytes can be shown, and the bytes. */
static void
show_ascii(fp_text_run_state *run, fp_reference from)
{
    const uint8_t *data = run->record->data + from.at;
    uint64_t end = 0;
    while (end < from.length && data[end] >= 32 && data[end] < 127)
        end++;
    if (end == from.length || data[end] == 0) {
        fp_show_string(run, from);
        return;
    }
    for (uint64_t at = 0; at < from.length; at++)
        fp_out_byte(run->out, data[at] >= 32 && data[at] < 127 ? data[at] : '.');
    FP_OUT_LITERAL(run->out, " (");
    fp_show_bytes(run->out, data, from.length, ":", 1);
    fp_out_byte(run->out, ')');
}

void
fp_show_raw_field(fp_text_run_state *run, const fp_instruction *one, fp_reference from)
{
    const uint8_t *data = run->record->data + from.at;
    bool printable = one->b;
    if (one->b == 2 || one->b == 4) {
        show_printable(run->out, data, from.length, one->b == 4);
        return;
    }
    if (one->b == 5) {
        show_ascii(run, from);
        return;
    }
    uint64_t end = 0;
    for (; printable && end < from.length && data[end]; end++)
        printable = (data[end] >= 32 && data[end] < 127) || (data[end] >= 9 && data[end] <= 13);
    if (!printable && one->b)
        run->program->code[one - run->program->code].b = 0;
    for (; printable && one->b == 3 && end < from.length; end++)
        printable = data[end] == 0;
    if (printable) {
        fp_show_string(run, from);
        return;
    }
    FP_OUT_LITERAL(run->out, "ARRAY[");
    fp_show_bytes(run->out, data, from.length, ", ", 2);
    fp_out_byte(run->out, ']');
}

static void
show_hex_line(fp_text_run_state *run, const fp_instruction *one, uint64_t at, uint64_t length)
{
    fp_text_out *out = run->out;
    const uint8_t *data = run->record->data + at;
    bool big = run->machine->settings.big_endian;
    unsigned group = length % one->a ? 1 : one->a;
    size_t start = out->used, wide = 2U * one->size + one->size / group + 1;
    for (uint64_t i = 0; i < length; i += group) {
        if (i)
            fp_out_byte(out, ' ');
        fp_out_hex_padded(out, fp_record_load(run->record, at + i, group, false, big), 2 * group);
    }
    if (one->b & 1) {
        if (out->used - start < wide)
            fp_out_fill(out, ' ', wide - (out->used - start));
        for (uint64_t i = 0; i < length; i++)
            fp_out_byte(out, data[i] >= 32 && data[i] < 127 ? data[i] : '.');
    }
    fp_out_byte(out, '\n');
}

void
fp_show_hex_dump(fp_text_run_state *run, const fp_instruction *one, fp_reference from)
{
    fp_text_out *out = run->out;
    fp_out_byte(out, '\n');
    for (uint64_t at = 0; at < from.length; at += one->size) {
        fp_out_bytes(out, run->program->literals + (one->v >> 32), (size_t)(one->v & 0xffffffff));
        if (one->b & 2) {
            fp_out_hex_padded(out, at, 8);
            FP_OUT_LITERAL(out, ": ");
        }
        show_hex_line(run, one, from.at + at, from.length - at < one->size ? from.length - at : one->size);
    }
}
