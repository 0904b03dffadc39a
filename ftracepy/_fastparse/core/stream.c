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

void
fp_stream_run(fp_stream *stream, const fp_layout *layout, uint64_t last_ts, fp_output *out)
{
    while (fp_stream_peek(stream, layout, out) && stream->head.ts <= last_ts && fp_output_grow(out)) {
        if (stream->missed != 0) {
            fp_output_loss(out, stream->cpu, stream->missed);
            stream->missed = 0;
        }
        out->records[out->n++] = stream->head;
        stream->has_head = false;
        stream->used = true;
        if (layout->big_endian)
            run_page(stream, layout, true, last_ts, out);
        else
            run_page(stream, layout, false, last_ts, out);
    }
}
