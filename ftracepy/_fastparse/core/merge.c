/* A k-way merge that hands out runs: the earliest CPU goes on until the second earliest is due. */
#include "merge.h"

static bool
before(const fp_waiting *a, const fp_waiting *b)
{
    return a->ts < b->ts || (a->ts == b->ts && a->stream->cpu < b->stream->cpu);
}

static void
sift_down(fp_waiting *heap, size_t n, size_t at)
{
    const fp_waiting moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moving))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* The last stamp the top of the heap may hand out before the next CPU is due. */
static uint64_t
run_until(const fp_waiting *heap, size_t n, uint64_t last_ts)
{
    if (n < 2)
        return last_ts;
    const fp_waiting *second = n > 2 && before(&heap[2], &heap[1]) ? &heap[2] : &heap[1];
    uint64_t until = second->ts - (second->stream->cpu < heap[0].stream->cpu);
    return until < last_ts ? until : last_ts;
}

static size_t
gather(fp_stream *streams, size_t n, const fp_layout *layout, fp_waiting *heap, fp_output *out)
{
    size_t waiting = 0;
    for (size_t i = 0; i < n; i++) {
        streams[i].used = false;
        if (fp_stream_peek(&streams[i], layout, out))
            heap[waiting++] = (fp_waiting){streams[i].head.ts, &streams[i]};
    }
    for (size_t at = waiting / 2; at-- > 0;)
        sift_down(heap, waiting, at);
    return waiting;
}

/* A loss with no record after it is told at once: the next record may be far off. */
static void
report_last_losses(fp_stream *streams, size_t n, fp_output *out)
{
    for (size_t i = 0; i < n; i++) {
        if (streams[i].missed == 0 || streams[i].has_head || streams[i].now != NULL)
            continue;
        fp_output_loss(out, streams[i].cpu, streams[i].missed);
        streams[i].missed = 0;
    }
}

bool
fp_merge(fp_stream *streams, size_t n, const fp_layout *layout, uint64_t last_ts, fp_waiting *heap, fp_output *out)
{
    size_t waiting = gather(streams, n, layout, heap, out);
    while (waiting > 0 && heap[0].ts <= last_ts && out->n < out->most && !out->no_memory) {
        fp_stream *stream = heap[0].stream;
        fp_stream_run(stream, layout, run_until(heap, waiting, last_ts), out);
        if (!fp_stream_is_due(stream, layout, out, &heap[0].ts))
            heap[0] = heap[--waiting];
        if (waiting > 1)
            sift_down(heap, waiting, 0);
    }
    report_last_losses(streams, n, out);
    return waiting == 0 || heap[0].ts > last_ts;
}
