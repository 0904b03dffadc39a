/* What the instructions that write do; twin_text.py has each in plain Python. */
#include "text_show.h"

/* Flags, width and precision where an argument gave some: a negative width means left. */
static void
starred(fp_text_run_state *run, unsigned *flags, int *width, int *precision)
{
    if (run->width != -1) {
        *width = run->width < 0 ? -run->width : run->width;
        *flags |= run->width < 0 ? FP_LEFT : 0;
    }
    if (run->precision != -1)
        *precision = run->precision < -1 ? -1 : run->precision;
    run->width = run->precision = -1;
}

void
fp_show_number(fp_text_run_state *run, const fp_instruction *one, uint64_t value)
{
    unsigned flags = one->flags, bits = one->size * 8U;
    int width = one->width, precision = one->precision;
    fp_text_out *out = run->out;
    uint64_t cut = bits < 64 ? value & ((1ULL << bits) - 1) : value;
    if (one->b == 'A') {
        if (cut >= 10)
            FP_OUT_LITERAL(out, "0x");
        fp_out_hex(out, cut);
        return;
    }
    if (precision < 0 && !(flags & ~(unsigned)(FP_SIGNED | FP_ZEROS))) {
        if (one->b == 'x' && (width == 0 || flags & FP_ZEROS)) {
            fp_out_hex_padded(out, cut, (unsigned)width);
            return;
        }
        if (width == 0 && one->b == 'u') {
            fp_out_decimal(out, cut);
            return;
        }
        if (width == 0 && one->b == 'd') {
            bool negative = flags & FP_SIGNED && cut >> (bits - 1);
            if (negative) {
                fp_out_byte(out, '-');
                cut = (bits < 64 ? 1ULL << bits : 0) - cut;
            }
            fp_out_decimal(out, cut);
            return;
        }
    }
    if (flags & FP_STAR)
        starred(run, &flags, &width, &precision);
    fp_out_number(out, cut, one->size, one->b, flags, width, precision, run->machine->settings.kernel);
}

static void
show_close(fp_text_run_state *run, const fp_instruction *one)
{
    unsigned flags = one->flags;
    int width = one->width, precision = one->precision;
    if (flags & FP_STAR)
        starred(run, &flags, &width, &precision);
    fp_text_out *out = run->out;
    size_t mark = run->marks[--run->open], length = out->used - mark;
    if (precision >= 0 && length > (size_t)precision) {
        length = (size_t)precision;
        out->used = mark + length;
    }
    if ((size_t)width <= length)
        return;
    size_t pad = (size_t)width - length;
    fp_out_fill(out, ' ', pad);
    if (!(flags & FP_LEFT) && !out->failed) {
        memmove(out->data + mark + pad, out->data + mark, length);
        memset(out->data + mark, ' ', pad);
    }
}

static void
show_flags(fp_text_run_state *run, const fp_instruction *one, uint64_t value)
{
    const fp_program *program = run->program;
    const uint8_t *between = program->literals + (one->v >> 32);
    size_t length = (size_t)(one->v & 0xffffffff);
    bool first = true, kernel = one->flags & FP_ALT;
    for (const fp_entry *row = program->entries + one->a, *end = row + one->b; row < end; row++) {
        bool named = !kernel && value == 0 && (int64_t)row->value < 0;
        if (kernel && value == 0)
            break;
        if (!named && ((value & row->value) != row->value || (!kernel && (int64_t)row->value <= 0)))
            continue;
        if (!first)
            fp_out_bytes(run->out, between, length);
        first = false;
        fp_out_slack(run->out, program->literals + row->at, row->length);
        if (named)
            return;
        value &= ~row->value;
    }
    if (value == 0)
        return;
    if (!first)
        fp_out_bytes(run->out, between, length);
    FP_OUT_LITERAL(run->out, "0x");
    fp_out_hex(run->out, value);
}

static void
show_symbolic(fp_text_run_state *run, const fp_instruction *one, uint64_t value)
{
    const fp_program *program = run->program;
    for (const fp_entry *row = program->entries + one->a, *end = row + one->b; row < end; row++) {
        if (row->value == value) {
            fp_out_slack(run->out, program->literals + row->at, row->length);
            return;
        }
    }
    FP_OUT_LITERAL(run->out, "0x");
    fp_out_hex(run->out, value);
}

static void
show_array(fp_text_run_state *run, const fp_instruction *one, fp_reference from, int64_t count)
{
    int64_t most = (int64_t)(from.length / one->size);
    count = count < 0 ? 0 : count > most ? most : count;
    fp_out_byte(run->out, '{');
    for (int64_t at = 0; at < count; at++) {
        if (at)
            fp_out_byte(run->out, ',');
        FP_OUT_LITERAL(run->out, "0x");
        bool big = run->machine->settings.big_endian;
        fp_out_hex(run->out, fp_record_load(run->record, from.at + (uint64_t)at * one->size, one->size, false, big));
    }
    fp_out_byte(run->out, '}');
}

static void
show_quoted(fp_text_run_state *run, const fp_instruction *one)
{
    bool big = run->machine->settings.big_endian;
    if (fp_record_load(run->record, one->a, 4, false, big) >> 16 == 0) {
        FP_OUT_LITERAL(run->out, "(fault)");
        return;
    }
    fp_out_byte(run->out, '"');
    fp_show_string(run, fp_record_located(run->record, one->a, one->flags & FP_REL, big));
    fp_out_byte(run->out, '"');
}

static void
show_pointer(fp_text_run_state *run, const fp_instruction *one, uint64_t value)
{
    if (one->flags & FP_ALT)
        fp_out_hex_padded(run->out, value, one->size * 2U);
    else if (value == 0)
        FP_OUT_LITERAL(run->out, "(nil)");
    else {
        FP_OUT_LITERAL(run->out, "0x");
        fp_out_hex(run->out, value);
    }
}

static void
show_string_pointer(fp_text_run_state *run, const fp_instruction *one, uint64_t value)
{
    size_t length;
    const uint8_t *text = fp_text_map_find(&run->machine->strings, value, &length);
    if (text && one->b)
        fp_out_byte(run->out, ':');
    if (text)
        fp_out_bytes(run->out, text, length);
    else if (!one->b)
        fp_out_hex(run->out, value);
}

static void
show_reference(fp_text_run_state *run, const fp_instruction *one, fp_reference from)
{
    const uint8_t *data = run->record->data + from.at;
    const fp_text_settings *settings = &run->machine->settings;
    fp_text_out *out = run->out;
    size_t length = (size_t)from.length;
    char between = (char)one->b;
    switch (one->op) {
    case FP_STRING_REF: fp_show_string(run, from); break;
    case FP_HEX:
        if (one->flags & FP_ALT && length)
            fp_out_byte(out, (uint8_t)between);
        fp_show_bytes(out, data, length, &between, between != 0);
        break;
    case FP_HEX_DUMP: fp_show_hex_dump(run, one, from); break;
    case FP_MAC: fp_out_mac(out, data, length, one->b); break;
    case FP_IP4: fp_out_ip4(out, data, length, one->b); break;
    case FP_IP6: fp_out_ip6(out, data, length, one->b); break;
    case FP_SOCKADDR: fp_out_sockaddr(out, data, length, one->b, settings->big_endian); break;
    case FP_UUID: fp_out_uuid(out, data, length, one->b); break;
    default: fp_show_raw_field(run, one, from);
    }
}

static fp_reference
pop_reference(fp_text_run_state *run)
{
    run->depth -= 2;
    /* A program may push what it likes as a reference: it is cut to the record here. */
    return fp_record_reference(run->record, run->stack[run->depth], run->stack[run->depth + 1]);
}

static void
show_bitmask(fp_text_run_state *run, const fp_instruction *one)
{
    const fp_text_settings *settings = &run->machine->settings;
    uint64_t bits = 1 << 20;
    if (one->flags & FP_ALT) {
        int64_t given = (int64_t)run->stack[--run->depth];
        bits = given > 0 ? (uint64_t)given : 0;
    }
    fp_reference from = pop_reference(run);
    const uint8_t *data = run->record->data + from.at;
    fp_out_bitmask(run->out, data, (size_t)from.length, bits, one->b, settings->long_bytes, settings->big_endian);
}

static void
learn_comm(fp_text_run_state *run, const fp_instruction *one, uint32_t pid)
{
    fp_text_map *comms = &run->machine->comms;
    fp_reference at = fp_record_reference(run->record, one->a, one->b);
    const uint8_t *comm = run->record->data + at.at, *nul = at.length ? memchr(comm, 0, at.length) : NULL;
    size_t known;
    if (fp_text_map_find(comms, pid, &known))
        return;
    if (!fp_text_map_add(comms, pid, comm, nul ? (size_t)(nul - comm) : (size_t)at.length))
        run->out->failed = true;
    memset(run->machine->heads, 0, FP_HEADS * sizeof *run->machine->heads);
}

void
fp_show(fp_text_run_state *run, const fp_instruction *one)
{
    switch (one->op) {
    case FP_STRING_REST: fp_show_string(run, fp_record_reference(run->record, one->a, run->record->length)); break;
    case FP_OPEN: run->marks[run->open++] = run->out->used; break;
    case FP_CLOSE: show_close(run, one); break;
    case FP_FLAGS: show_flags(run, one, run->stack[--run->depth]); break;
    case FP_SYMBOLIC: show_symbolic(run, one, run->stack[--run->depth]); break;
    case FP_SYMBOL: fp_symbols_show(&run->machine->symbols, run->stack[--run->depth], one->b, run->out); break;
    case FP_POINTER: show_pointer(run, one, run->stack[--run->depth]); break;
    case FP_STRING_POINTER: show_string_pointer(run, one, run->stack[--run->depth]); break;
    case FP_ARRAY: {
        int64_t count = (int64_t)run->stack[--run->depth];
        show_array(run, one, pop_reference(run), count);
        break;
    }
    case FP_BITMASK: show_bitmask(run, one); break;
    case FP_CALL_INDENT:
        run->depth -= 2;
        fp_show_call_indent(run, run->stack[run->depth], run->stack[run->depth + 1]);
        break;
    case FP_LAST_TIME:
        fp_text_stamp(run->machine, run->record->ts - run->stack[--run->depth], one->flags & FP_LEFT, run->out);
        break;
    case FP_BLOCK: fp_block_show(run->machine, run->record, one->b, run->out); break;
    case FP_ARGUMENTS: {
        uint64_t function;
        if (!fp_arguments_of(run->machine, run->record, &function))
            break;
        fp_out_byte(run->out, '(');
        fp_arguments_show(run->machine, run->record, run->out);
        fp_out_byte(run->out, ')');
        break;
    }
    case FP_LEARN_COMM: learn_comm(run, one, (uint32_t)run->stack[--run->depth]); break;
    case FP_STACK: fp_show_stack(run, one); break;
    case FP_QUOTED_LOC: show_quoted(run, one); break;
    default: show_reference(run, one, pop_reference(run));
    }
}
