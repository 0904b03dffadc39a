/* One run of a program: its state, the record's bytes behind bounds, and what the instructions that write do. */
#ifndef FP_TEXT_SHOW_H
#define FP_TEXT_SHOW_H

#include "cursor.h"
#include "text_out.h"

typedef struct {
    fp_text_machine *machine;
    const fp_program *program;
    const fp_record *record;
    fp_text_out *out;
    unsigned depth, open;
    int width, precision; /* given by an argument; -1: not */
    uint64_t cursor;      /* next argument of a binary printk */
    uint64_t stack[FP_MAX_STACK + 2];
    size_t marks[FP_MAX_OPEN];
} fp_text_run_state;

/* Bytes of the record: always inside it. */
typedef struct {
    uint64_t at, length;
} fp_reference;

/* The number at `at`, 0 where the record ends before it. */
static inline uint64_t
fp_record_load(const fp_record *record, uint64_t at, unsigned size, bool is_signed, bool big_endian)
{
    if (at > record->length || record->length - at < size)
        return 0;
    const uint8_t *from = record->data + at;
    switch (size) {
    case 1: return is_signed ? (uint64_t)(int64_t)(int8_t)*from : *from;
    case 2: return is_signed ? (uint64_t)(int64_t)(int16_t)fp_load_u16(from, big_endian) : fp_load_u16(from, big_endian);
    case 4: return is_signed ? (uint64_t)(int64_t)(int32_t)fp_load_u32(from, big_endian) : fp_load_u32(from, big_endian);
    default: return fp_load_u64(from, big_endian);
    }
}

static inline fp_reference
fp_record_reference(const fp_record *record, uint64_t at, uint64_t length)
{
    if (at > record->length)
        at = record->length;
    return (fp_reference){at, length < record->length - at ? length : record->length - at};
}

static inline fp_reference
fp_record_located(const fp_record *record, uint32_t at, bool rel, bool big_endian)
{
    uint32_t word = (uint32_t)fp_record_load(record, at, 4, false, big_endian);
    return fp_record_reference(record, (word & 0xffff) + (rel ? (uint64_t)at + 4 : 0), word >> 16);
}

static inline void
fp_push(fp_text_run_state *run, fp_reference reference)
{
    run->stack[run->depth] = reference.at;
    run->stack[run->depth + 1] = reference.length;
    run->depth += 2;
}

void fp_show_stack(fp_text_run_state *run, const fp_instruction *one);
void fp_show_call_indent(fp_text_run_state *run, uint64_t caller, uint64_t function);
void fp_show_bytes(fp_text_out *out, const uint8_t *data, uint64_t length, const char *between, size_t wide);
void fp_show_raw_field(fp_text_run_state *run, const fp_instruction *one, fp_reference from);
void fp_show_hex_dump(fp_text_run_state *run, const fp_instruction *one, fp_reference from);
void fp_show_number(fp_text_run_state *run, const fp_instruction *one, uint64_t value);
void fp_show(fp_text_run_state *run, const fp_instruction *one);

/* The bytes up to a NUL. */
static inline void
fp_show_string(fp_text_run_state *run, fp_reference text)
{
    const uint8_t *from = run->record->data + text.at;
    const uint8_t *nul = text.length ? memchr(from, 0, text.length) : NULL;
    fp_out_bytes(run->out, from, nul ? (size_t)(nul - from) : (size_t)text.length);
}

#endif
