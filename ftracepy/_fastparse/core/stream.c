/* Reading one CPU: sub-buffer after sub-buffer, record after record. */
#include "stream.h"

#include "walk.h"

void
fp_stream_feed(fp_stream *stream, fp_chunk *chunk)
{
    chunk->next = NULL;
    if (stream->last != NULL)
        stream->last->next = chunk;
    else
        stream->first = chunk;
    stream->last = chunk;
    if (stream->now == NULL) {
        stream->now = chunk;
        stream->page = stream->page_end = chunk->data;
    }
}

fp_chunk *
fp_stream_finished(fp_stream *stream)
{
    fp_chunk *finished = stream->first, **link = &finished;
    if (finished == stream->now)
        return NULL;
    while (*link != stream->now)
        link = &(*link)->next;
    *link = NULL;
    stream->first = stream->now;
    if (stream->first == NULL)
        stream->last = NULL;
    return finished;
}

static void
lose(fp_stream *stream, int64_t count)
{
    stream->missed = stream->missed == FP_UNKNOWN || count == FP_UNKNOWN ? FP_UNKNOWN : stream->missed + count;
}

/* What a fault skips is lost too: nobody can tell how much. */
static void
fault(fp_stream *stream, const uint8_t *at, const char *why, fp_output *out)
{
    fp_output_fault(out, stream->cpu, stream->now->offset + (uint64_t)(at - stream->now->data), why);
    lose(stream, FP_UNKNOWN);
    stream->data.at = stream->data.end;
}

/* Go to the next sub-buffer, in this chunk or a later one; false when there is none. */
static bool
next_page(fp_stream *stream, const fp_layout *layout, fp_output *out)
{
    while (stream->now != NULL) {
        size_t left = stream->now->bytes - (size_t)(stream->page_end - stream->now->data);
        if (left == 0) {
            stream->now = stream->now->next;
            stream->page_end = stream->now != NULL ? stream->now->data : NULL;
            continue;
        }
        fp_page page;
        stream->page = stream->page_end;
        stream->page_end += left < layout->page_bytes ? left : layout->page_bytes;
        const char *why = fp_page_open(layout, stream->page, (size_t)(stream->page_end - stream->page), &page);
        if (why != NULL) {
            fault(stream, stream->page, why, out);
            continue;
        }
        stream->data = page.data;
        stream->ts = page.ts;
        lose(stream, page.missed);
        return true;
    }
    return false;
}

bool
fp_stream_peek(fp_stream *stream, const fp_layout *layout, fp_output *out)
{
    while (!stream->has_head) {
        const char *why;
        fp_step step = FP_PAGE_END;
        if (stream->data.at != stream->data.end)
            step = fp_walk(&stream->data, &stream->ts, layout, layout->big_endian, &stream->head, &why);
        if (step == FP_PAGE_FAULT)
            fault(stream, stream->data.at, why, out);
        stream->has_head = step == FP_RECORD;
        stream->due = 0;
        if (step != FP_RECORD && !next_page(stream, layout, out))
            return false;
    }
    stream->head.cpu = stream->cpu;
    return true;
}

enum {
    LEAST_RECORD = 12, /* its header and the common fields */
    AHEAD = 6144,      /* most likely the next sub-buffer: without it every column costs half as much again */
    NEAR = 512,        /* rows whose bytes are still in the first-level cache, or not far behind */
};

/* The rest of this sub-buffer, in locals so that the compiler can keep them in registers. */
static inline __attribute__((always_inline)) void
run_page(fp_stream *stream, const fp_layout *given, bool big, uint64_t last_ts, fp_output *out)
{
    const fp_layout layout = *given;
    fp_cursor data = stream->data;
    uint64_t ts = stream->ts;
    const char *why;
    fp_step step = FP_RECORD;
    fp_record *record = out->records + out->n, *const end = out->records + out->room;
    for (; record != end; record++) {
        step = fp_walk(&data, &ts, &layout, big, record, &why);
        if (step != FP_RECORD)
            break;
        record->cpu = stream->cpu;
        __builtin_prefetch(record->data + AHEAD);
        if (ts > last_ts) {
            stream->head = *record;
            stream->has_head = true;
            break;
        }
    }
    out->n = (size_t)(record - out->records);
    __builtin_prefetch(data.at); /* by this stream's next turn it has come; with many CPUs that is far off */
    stream->data = data;
    stream->ts = ts;
    if (step == FP_PAGE_FAULT)
        fault(stream, data.at, why, out);
}

/* Where a walk over rows has come to. */
typedef struct {
    const uint8_t *at;
    uint64_t ts, due; /* `due`: of the record it has come to, where that is only too late */
    size_t row;
} rows_place;

typedef enum { AT_ONCE, LATER, EITHER } rows_read; /* as columns.h says of fields; EITHER holds for all */

enum { MOST_RECORD = 4 + 4 * FP_DATA_MOST };

/* Records that begin before `stop`, up to what is no record of the usual lengths, lacks a field, or is later than `last_ts`. Those
 * that are not the `last` of a sub-buffer end before `end`, whatever their length. */
static inline __attribute__((always_inline)) rows_place
run_rows_to(fp_columns *columns, rows_place here, const uint8_t *stop, bool last, const uint8_t *end, uint64_t last_ts,
            rows_read how)
{
    uint64_t *const stamps = columns->ts, ts = here.ts, due = 0;
    fp_common *const commons = columns->common;
    size_t row = here.row;
    const uint8_t *body = here.at + 4;
    stop += 4;
    while (body < stop) {
        fp_common common;
        uint32_t word = fp_load_u32(body - 4, false);
        const uint8_t *next = body + 4 * (size_t)(word & 31);
        memcpy(&common, body, sizeof common);
        fp_type_rows *type = fp_columns_type(columns, common.id);
        ts += word >> 5;
        if (!(type->lengths >> (word & 31) & 1) || (last && next > end) || ts > last_ts) {
            due = ts > last_ts && type->lengths >> (word & 31) & 1 && next <= end ? ts : 0;
            ts -= word >> 5;
            break;
        }
        __builtin_prefetch(body + AHEAD);
        stamps[row] = ts;
        commons[row] = common;
        uint32_t n = type->n;
        type->n = n + type->step;
        type->index[n] = (uint32_t)row;
        uint64_t value = how == LATER ? 0 : fp_load_u64(body + type->at_once, false);
        type->addresses[n] = how == AT_ONCE || (how == EITHER && type->at_once) ? value : (uintptr_t)body;
        row += how == EITHER ? type->keep : 1;
        body = next + 4;
    }
    return (rows_place){body - 4, ts, due, row};
}

/* `end`, or where there may be no more room for rows. */
static inline const uint8_t *
stop_at(const rows_place *here, const uint8_t *end, const fp_output *out)
{
    size_t free = (out->room - here->row) * LEAST_RECORD;
    return free < (size_t)(end - here->at) ? here->at + free : end;
}

/* The rest of this sub-buffer as rows, up to where fp_stream_peek must look. */
static inline __attribute__((always_inline)) void
run_rows(fp_stream *stream, uint64_t last_ts, rows_read how, fp_output *out)
{
    fp_columns *columns = out->columns;
    const uint8_t *const end = stream->data.end;
    rows_place here = {stream->data.at, stream->ts, 0, out->n};
    bool bounded = last_ts != UINT64_MAX;
    if (!bounded && end - here.at > MOST_RECORD)
        here = run_rows_to(columns, here, stop_at(&here, end - MOST_RECORD, out), false, end, UINT64_MAX, how);
    if (end - here.at >= LEAST_RECORD) {
        const uint8_t *stop = stop_at(&here, end - LEAST_RECORD + 1, out);
        here = bounded ? run_rows_to(columns, here, stop, true, end, last_ts, how)
                       : run_rows_to(columns, here, stop, true, end, UINT64_MAX, how);
    }
    stream->data.at = here.at;
    stream->ts = here.ts;
    stream->due = here.due;
    out->n = here.row;
    if (here.row - columns->settled >= NEAR)
        fp_columns_settle(columns, here.row);
}

/* The rest of this sub-buffer as rows, of which there is room for one at least. */
static void
rows_of_page(fp_stream *stream, uint64_t last_ts, fp_output *out)
{
    const fp_columns *columns = out->columns;
    size_t first = out->n;
    if (stream->has_head)
        out->n = fp_columns_add(out->columns, first, &stream->head);
    stream->has_head = false;
    stream->used = true;
    if (columns->usual && columns->all_later)
        run_rows(stream, last_ts, LATER, out);
    else if (columns->usual && columns->all_at_once)
        run_rows(stream, last_ts, AT_ONCE, out);
    else if (columns->usual)
        run_rows(stream, last_ts, EITHER, out);
    fp_columns_fill_cpu(out->columns, first, out->n, stream->cpu);
}

/* The head and all after it, over as many sub-buffers as it takes. */
void
fp_stream_run(fp_stream *stream, const fp_layout *layout, uint64_t last_ts, fp_output *out)
{
    if (stream->due && stream->due <= last_ts && fp_output_grow(out))
        rows_of_page(stream, last_ts, out);
    while (!stream->due && fp_stream_peek(stream, layout, out) && stream->head.ts <= last_ts && fp_output_grow(out)) {
        if (stream->missed != 0) {
            fp_output_loss(out, stream->cpu, stream->missed);
            stream->missed = 0;
        }
        if (out->columns != NULL) {
            rows_of_page(stream, last_ts, out);
            continue;
        }
        stream->has_head = false;
        stream->used = true;
        out->records[out->n++] = stream->head;
        if (layout->big_endian)
            run_page(stream, layout, true, last_ts, out);
        else
            run_page(stream, layout, false, last_ts, out);
    }
}
