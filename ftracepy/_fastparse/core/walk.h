/* The records of one sub-buffer (kernel: include/linux/ring_buffer.h, enum ring_buffer_type; ring_buffer.c,
 * rb_update_read_stamp). Inline: it is the inner loop of everything. */
#ifndef FP_WALK_H
#define FP_WALK_H

#include "cursor.h"
#include "layout.h"
#include "record.h"

enum { FP_DATA_LONG = 0, FP_DATA_MOST = 28, FP_PADDING = 29, FP_TIME_EXTEND = 30, FP_TIME_STAMP = 31 };

typedef enum { FP_RECORD, FP_PAGE_END, FP_PAGE_FAULT } fp_step;

/* An absolute stamp has 59 bits; the rest is that of the running one, one more if time would else
 * go backwards (kernel 6.1: rb_fix_abs_ts). Clocks below 2^59 are taken as they are. */
static inline uint64_t
fp_absolute_ts(uint64_t stamp, uint64_t running)
{
    uint64_t high = running & ~((UINT64_C(1) << 59) - 1);
    if (high == 0)
        return stamp;
    stamp |= high;
    return stamp < running ? stamp + (UINT64_C(1) << 59) : stamp;
}

/* What is no record of the usual lengths: time, padding, and long records, whose length counts its own word.
 * FP_RECORD: `body` and `length` are those of a record; FP_PAGE_END: it was something to go over. */
static inline __attribute__((always_inline)) fp_step
fp_walk_other(fp_cursor *c, uint64_t *ts, bool big, uint32_t kind, uint32_t delta, const uint8_t **body, uint32_t *length,
              const char **why)
{
    uint32_t extra;
    if (!fp_take_u32(c, big, &extra)) {
        *why = "event header cut short";
        return FP_PAGE_FAULT;
    }
    if (kind > FP_PADDING) {
        uint64_t stamp = ((uint64_t)extra << 27) + delta;
        *ts = kind == FP_TIME_EXTEND ? *ts + stamp : fp_absolute_ts(stamp, *ts);
        return FP_PAGE_END;
    }
    if (extra < 4) {
        *why = "event length below 4";
        return FP_PAGE_FAULT;
    }
    *length = extra - 4;
    uint64_t whole = kind == FP_PADDING ? *length : ((uint64_t)*length + 3) & ~UINT64_C(3);
    if (!fp_take_bytes(c, whole, body)) {
        *why = "event overruns the commit";
        return FP_PAGE_FAULT;
    }
    return kind == FP_PADDING ? FP_PAGE_END : FP_RECORD; /* a discarded event's delta is not time */
}

/* The next record at `cursor`, passing over time and padding. `cursor` stays at the event that is at fault. */
static inline __attribute__((always_inline)) fp_step
fp_walk(fp_cursor *cursor, uint64_t *ts, const fp_layout *layout, bool big, fp_record *record, const char **why)
{
    fp_cursor c = *cursor;
    for (; c.at != c.end; *cursor = c) {
        uint32_t word, length;
        const uint8_t *body;
        if (!fp_take_u32(&c, big, &word)) {
            *why = "event header cut short";
            return FP_PAGE_FAULT;
        }
        uint32_t kind = big ? word >> 27 : word & 31;
        uint32_t delta = big ? word & 0x7ffffff : word >> 5;
        if (__builtin_expect(kind - 1 < FP_DATA_MOST, 1)) {
            length = kind * 4;
            if (!fp_take_bytes(&c, length, &body)) {
                *why = "event overruns the commit";
                return FP_PAGE_FAULT;
            }
        } else {
            if (kind == FP_PADDING && delta == 0)
                break;
            fp_step step = fp_walk_other(&c, ts, big, kind, delta, &body, &length, why);
            if (step == FP_PAGE_FAULT)
                return FP_PAGE_FAULT;
            if (step != FP_RECORD)
                continue;
        }
        if (length < layout->common_bytes) {
            *why = "event shorter than its common fields";
            return FP_PAGE_FAULT;
        }
        *ts += delta;
        *cursor = c;
        record->data = body;
        record->ts = *ts;
        record->length = length;
        record->id = fp_load_u16(body + layout->type_offset, big);
        record->pid = (int32_t)fp_load_u32(body + layout->pid_offset, big);
        return FP_RECORD;
    }
    cursor->at = cursor->end;
    return FP_PAGE_END;
}

#endif
