/* The machine: expressions on a small stack, text appended. Programs were checked; the record's bytes were not. */
#include "cursor.h"
#include "text_out.h"
#include "text_quick.h"
#include "text_show.h"

static inline uint64_t
binary(const fp_instruction *one, uint64_t left, uint64_t right)
{
    bool is_signed = one->flags & FP_SIGNED;
    int64_t a = (int64_t)left, b = (int64_t)right;
    switch (one->op) {
    case FP_ADD: return left + right;
    case FP_SUB: return left - right;
    case FP_MUL: return left * right;
    case FP_DIV:
        if (right == 0)
            return 0;
        return !is_signed ? left / right : b == -1 ? 0 - left : (uint64_t)(a / b);
    case FP_MOD:
        if (right == 0)
            return 0;
        return !is_signed ? left % right : b == -1 ? 0 : (uint64_t)(a % b);
    case FP_AND: return left & right;
    case FP_OR: return left | right;
    case FP_XOR: return left ^ right;
    case FP_SHL: return right < 64 ? left << right : 0;
    case FP_SHR: return right >= 64 ? 0 : is_signed ? (uint64_t)(a >> right) : left >> right;
    case FP_LT: return is_signed ? a < b : left < right;
    case FP_LE: return is_signed ? a <= b : left <= right;
    case FP_GT: return is_signed ? a > b : left > right;
    case FP_GE: return is_signed ? a >= b : left >= right;
    case FP_EQ: return left == right;
    case FP_NE: return left != right;
    case FP_BOTH: return left && right;
    default: return left || right;
    }
}

static uint64_t
convert(uint64_t value, unsigned size, bool is_signed)
{
    unsigned shift = 64 - size * 8;
    if (shift == 0)
        return value;
    return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
}

static uint64_t
next_argument(fp_text_run_state *run, const fp_instruction *one)
{
    uint64_t step = one->size < 4 ? one->size : 4;
    run->cursor = (run->cursor + step - 1) / step * step;
    uint64_t value = fp_record_load(run->record, run->cursor, one->size, one->flags & FP_SIGNED, run->machine->settings.big_endian);
    run->cursor += one->size;
    return value;
}

static void
operate(fp_text_run_state *run, const fp_instruction *one)
{
    uint64_t *top = run->stack + run->depth;
    const fp_record *record = run->record;
    bool is_signed = one->flags & FP_SIGNED, big = run->machine->settings.big_endian;
    switch (one->op) {
    case FP_CONST: *top = (uint64_t)one->v; run->depth++; break;
    case FP_LOAD: *top = fp_record_load(record, one->a, one->size, is_signed, big); run->depth++; break;
    case FP_DYN_LEN: *top = fp_record_load(record, one->a, 4, false, big) >> 16; run->depth++; break;
    case FP_INDEX:
        top[-1] = top[-1] < one->b / one->size ? fp_record_load(record, one->a + top[-1] * one->size, one->size, is_signed, big) : 0;
        break;
    case FP_DYN_INDEX: {
        fp_reference at = fp_record_located(record, one->a, one->flags & FP_REL, big);
        top[-1] = top[-1] < at.length / one->size ? fp_record_load(record, at.at + top[-1] * one->size, one->size, is_signed, big) : 0;
        break;
    }
    case FP_TO: top[-1] = convert(top[-1], one->size, is_signed); break;
    case FP_NEG: top[-1] = 0 - top[-1]; break;
    case FP_INVERT: top[-1] = ~top[-1]; break;
    case FP_NOT: top[-1] = !top[-1]; break;
    case FP_REF: fp_push(run, fp_record_reference(record, one->a, one->b)); break;
    case FP_REF_REST: fp_push(run, fp_record_reference(record, one->a, record->length)); break;
    case FP_REF_LOC: fp_push(run, fp_record_located(record, one->a, one->flags & FP_REL, big)); break;
    case FP_LIMIT: {
        int64_t most = (int64_t)top[-1] > 0 ? (int64_t)top[-1] : 0;
        run->depth--;
        if (top[-2] > (uint64_t)most)
            top[-2] = (uint64_t)most;
        break;
    }
    case FP_NEXT: *top = next_argument(run, one); run->depth++; break;
    case FP_WIDTH: case FP_PRECISION: {
        int64_t value = (int64_t)top[-1];
        int clamped = (int)(value < -FP_WIDEST ? -FP_WIDEST : value > FP_WIDEST ? FP_WIDEST : value);
        *(one->op == FP_WIDTH ? &run->width : &run->precision) = clamped;
        run->depth--;
        break;
    }
    default:
        top[-2] = binary(one, top[-2], top[-1]);
        run->depth--;
    }
}

static void run_format(fp_text_run_state *run, const fp_instruction *one);
static void show_next_string(fp_text_run_state *run);

/* Up to 16 bytes of the record. */
static inline uint8_t *
put_string(uint8_t *to, const fp_record *record, uint32_t at)
{
    const uint8_t *from = record->data + at;
    if ((uint64_t)at + 16 <= record->length) {
        memcpy(to, from, 16);
        return to + fp_text16_length(from);
    }
    for (uint32_t end = at + 16; at < record->length && at < end && *from; at++)
        *to++ = *from++;
    return to;
}

/* What is not written at a pointer. */
static void
append(fp_text_run_state *run, const fp_instruction *one)
{
    const fp_record *record = run->record;
    bool big = run->machine->settings.big_endian;
    switch (one->op) {
    case FP_FIELD_NUMBER: fp_show_number(run, one, fp_record_load(record, one->a, one->size, one->flags & FP_SIGNED, big)); break;
    case FP_NUMBER: fp_show_number(run, one, run->stack[--run->depth]); break;
    case FP_STRING: fp_show_string(run, fp_record_reference(record, one->a, one->b)); break;
    case FP_STRING_LOC: fp_show_string(run, fp_record_located(record, one->a, one->flags & FP_REL, big)); break;
    case FP_NEXT_STRING: show_next_string(run); break;
    case FP_BPRINT: run_format(run, one); break;
    default: fp_show(run, one);
    }
}

/* A number of the host's byte order; 0 where the record ends before it. */
#define QUICK_LOAD(type) \
    ({ \
        type value = 0; \
        if ((uint64_t)one->a + sizeof value <= length) \
            memcpy(&value, data + one->a, sizeof value); \
        value; \
    })

#define PUT_HEX(to, value) fp_put_hex(to, value, (unsigned)one->width)

#define QUICK_NUMBER(number, put, type) \
    case FP_QUICK + FP_QUICK_WITH_TEXT + (number): \
        memcpy(to, literals + one->a, FP_SHORT); \
        to += one->b; \
        one++; \
        to = put(to, QUICK_LOAD(type)); \
        break; \
    case FP_QUICK + (number): \
        to = put(to, QUICK_LOAD(type)); \
        break;

#define QUICK_NUMBERS(kind, put, sign) \
    QUICK_NUMBER(kind, put, sign##8_t) \
    QUICK_NUMBER((kind) + 1, put, sign##16_t) \
    QUICK_NUMBER((kind) + 2, put, sign##32_t) \
    QUICK_NUMBER((kind) + 3, put, sign##64_t)

static void
run_state(fp_text_run_state *run)
{
    const fp_program *program = run->program;
    const fp_record *record = run->record;
    fp_text_out *out = run->out;
    /* In locals, since the compiler must think that text written could change what lies in memory. */
    const uint8_t *const literals = program->literals, *const data = record->data;
    const uint64_t length = record->length;
    if (!fp_out_room(out, program->most))
        return;
    uint8_t *to = out->data + out->used;
    for (const fp_instruction *one = program->code, *end = one + program->code_total; one < end; one++) {
        switch (one->op) {
        QUICK_NUMBERS(FP_QUICK_HEX, PUT_HEX, uint)
        QUICK_NUMBERS(FP_QUICK_UNSIGNED, fp_put_decimal, uint)
        QUICK_NUMBERS(FP_QUICK_SIGNED, fp_put_signed, int)
        case FP_TEXT:
            to = fp_put_slack(to, literals + one->a, one->b);
            break;
        case FP_QUICK_STRING16:
            to = put_string(to, record, one->a);
            break;
        case FP_QUICK_TEST:
            one += fp_record_load(record, one->a, one->size, one->flags & FP_SIGNED, FP_HOST_BIG) & (uint64_t)one[1].v ? 3 : 3 + one[3].a;
            break;
        case FP_JUMP:
            one += one->a;
            break;
        case FP_JUMP_ZERO:
            if (run->stack[--run->depth] == 0)
                one += one->a;
            break;
        default:
            if (one->op < FP_TEXT || one->op == FP_NEXT) {
                operate(run, one);
                break;
            }
            out->used = (size_t)(to - out->data);
            append(run, one);
            if (!fp_out_room(out, program->most))
                return;
            to = out->data + out->used;
        }
    }
    out->used = (size_t)(to - out->data);
}

static void
show_next_string(fp_text_run_state *run)
{
    fp_reference rest = fp_record_reference(run->record, run->cursor, run->record->length);
    const uint8_t *from = run->record->data + rest.at;
    const uint8_t *nul = rest.length ? memchr(from, 0, rest.length) : NULL;
    uint64_t length = nul ? (uint64_t)(nul - from) : rest.length;
    fp_out_bytes(run->out, from, length);
    run->cursor = rest.at + length + 1 < run->record->length ? rest.at + length + 1 : run->record->length;
}

/* Binary printk: the format's own program, its arguments taken one after the other. */
static void
run_format(fp_text_run_state *run, const fp_instruction *one)
{
    const fp_text_machine *machine = run->machine;
    uint64_t address = fp_record_load(run->record, one->a, one->size, false, machine->settings.big_endian);
    for (size_t at = 0; at < machine->formats_total; at++) {
        if (machine->format_addresses[at] != address)
            continue;
        fp_text_run_state inner = {.machine = run->machine, .program = machine->formats[at], .record = run->record, .out = run->out,
                                   .width = -1, .precision = -1, .cursor = one->b};
        run_state(&inner);
        return;
    }
    FP_OUT_LITERAL(run->out, "[UNKNOWN FORMAT 0x");
    fp_out_hex(run->out, address);
    fp_out_byte(run->out, ']');
}

/* The stack and the marks begin empty and are not cleared: they are 600 bytes. */
static inline __attribute__((always_inline)) void
run_program(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    fp_text_run_state run;
    run.machine = machine;
    run.program = program;
    run.record = record;
    run.out = out;
    run.depth = run.open = 0;
    run.width = run.precision = -1;
    run.cursor = 0;
    run_state(&run);
}

void
fp_text_run(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    run_program(machine, program, record, out);
}

void
fp_text_line(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    fp_text_head(machine, program, record, out);
    run_program(machine, program, record, out);
    /* The kernel ends every event's line, also where the print fmt ends it already; its own events end theirs. */
    bool ends = machine->settings.kernel && program->name_length;
    if (!out->failed && out->used && (ends || out->data[out->used - 1] != '\n'))
        fp_out_byte(out, '\n');
}
