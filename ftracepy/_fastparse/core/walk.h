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

/* The next record at `cursor`, passing over time and padding. `cursor` stays at the event that is at fault. */
static inline __attribute__((always_inline)) fp_step
fp_walk(fp_cursor *cursor, uint64_t *ts, const fp_layout *layout, bool big, fp_record *record, const char **why)
{
    fp_cursor c = *cursor;
    while (c.at != c.end) {
        uint32_t word, extra = 0;
        const uint8_t *body;
        *cursor = c;
        if (!fp_take_u32(&c, big, &word)) {
            *why = "event header cut short";
            return FP_PAGE_FAULT;
        }
        uint32_t kind = big ? word >> 27 : word & 31;
        uint32_t delta = big ? word & 0x7ffffff : word >> 5;
        if (kind == FP_PADDING && delta == 0)
            break;
        if ((kind == FP_DATA_LONG || kind > FP_DATA_MOST) && !fp_take_u32(&c, big, &extra)) {
            *why = "event header cut short";
            return FP_PAGE_FAULT;
        }
        if (kind > FP_PADDING) {
            uint64_t stamp = ((uint64_t)extra << 27) + delta;
            *ts = kind == FP_TIME_EXTEND ? *ts + stamp : fp_absolute_ts(stamp, *ts);
            continue;
        }
        if (kind == FP_DATA_LONG || kind == FP_PADDING) { /* the length counts its own word */
            if (extra < 4) {
                *why = "event length below 4";
                return FP_PAGE_FAULT;
            }
            extra -= 4;
        } else {
            extra = kind * 4;
        }
        uint64_t whole = kind == FP_PADDING ? extra : ((uint64_t)extra + 3) & ~UINT64_C(3);
        if (!fp_take_bytes(&c, whole, &body)) {
            *why = "event overruns the commit";
            return FP_PAGE_FAULT;
        }
        if (kind == FP_PADDING)
            continue; /* a discarded event's delta is not time */
        if (extra < layout->common_bytes) {
            *why = "event shorter than its common fields";
            return FP_PAGE_FAULT;
        }
        *ts += delta;
        *cursor = c;
        record->data = body;
        record->ts = *ts;
        record->length = extra;
        record->id = fp_load_u16(body + layout->type_offset, big);
        record->pid = (int32_t)fp_load_u32(body + layout->pid_offset, big);
        return FP_RECORD;
    }
    cursor->at = cursor->end;
    return FP_PAGE_END;
}

#endif
