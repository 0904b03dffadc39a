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

/* The rest of this sub-buffer as rows, up to what is no record of the usual lengths or lacks a field: fp_stream_peek's. */
static inline __attribute__((always_inline)) void
run_rows(fp_stream *stream, bool bounded, uint64_t last_ts, fp_output *out)
{
    fp_columns *columns = out->columns;
    const uint8_t *at = stream->data.at, *const end = stream->data.end;
    uint64_t *const stamps = columns->ts, ts = stream->ts;
    fp_common *const commons = columns->common;
    size_t row = out->n, free = out->room - row, left = (size_t)(end - at);
    if (left < LEAST_RECORD)
        return;
    const uint8_t *const stop = at + (free < left / LEAST_RECORD ? free * LEAST_RECORD : left - LEAST_RECORD + 1);
    while (at < stop) {
        fp_common common;
        uint32_t word = fp_load_u32(at, false), bytes = (word & 31) * 4;
        const uint8_t *next = at + 4 + bytes;
        memcpy(&common, at + 4, sizeof common);
        fp_type_rows *type = &columns->types[columns->slots[common.id]];
        ts += word >> 5;
        if (bytes > 4 * FP_DATA_MOST || bytes < type->need || next > end || (bounded && ts > last_ts)) {
            ts -= word >> 5;
            break;
        }
        __builtin_prefetch(at + AHEAD);
        stamps[row] = ts;
        commons[row] = common;
        size_t n = type->n;
        type->n = n + type->step;
        type->index[n] = (uint32_t)row;
        uint64_t value = fp_load_u64(at + 4 + type->at_once, false);
        type->addresses[n] = type->at_once ? value : (uintptr_t)(at + 4);
        row += type->keep;
        at = next;
    }
    stream->data.at = at;
    stream->ts = ts;
    out->n = row;
    if (row - columns->settled >= NEAR)
        fp_columns_settle(columns, row);
}

/* The head and all after it, over as many sub-buffers as it takes. */
static void
rows_of_page(fp_stream *stream, uint64_t last_ts, fp_output *out)
{
    size_t first = out->n;
    out->n = fp_columns_add(out->columns, first, &stream->head);
    if (out->columns->usual && last_ts == UINT64_MAX)
        run_rows(stream, false, last_ts, out);
    else if (out->columns->usual)
        run_rows(stream, true, last_ts, out);
    fp_columns_fill_cpu(out->columns, first, out->n, stream->cpu);
}

void
fp_stream_run(fp_stream *stream, const fp_layout *layout, uint64_t last_ts, fp_output *out)
{
    while (fp_stream_peek(stream, layout, out) && stream->head.ts <= last_ts && fp_output_grow(out)) {
        if (stream->missed != 0) {
            fp_output_loss(out, stream->cpu, stream->missed);
            stream->missed = 0;
        }
        stream->has_head = false;
        stream->used = true;
        if (out->columns != NULL) {
            rows_of_page(stream, last_ts, out);
            continue;
        }
        out->records[out->n++] = stream->head;
        if (layout->big_endian)
            run_page(stream, layout, true, last_ts, out);
        else
            run_page(stream, layout, false, last_ts, out);
    }
}
