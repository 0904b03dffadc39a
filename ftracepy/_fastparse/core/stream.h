/* One CPU: its queue of fed buffers, where reading stands in them, and the next record. */
#ifndef FP_STREAM_H
#define FP_STREAM_H

#include "output.h"
#include "page.h"

/* A run of whole sub-buffers. Whoever feeds it keeps it and its bytes until the stream has passed it. */
typedef struct fp_chunk {
    struct fp_chunk *next;
    const uint8_t *data;
    size_t bytes;
    uint64_t offset; /* where data starts in its recording, for messages about faults */
} fp_chunk;

typedef struct {
    fp_chunk *first; /* oldest chunk not yet given back; those before `now` are finished */
    fp_chunk *now, *last;
    const uint8_t *page, *page_end; /* the sub-buffer being read, within `now` */
    fp_cursor data;  /* what is left of it */
    uint64_t ts;     /* running stamp */
    int64_t missed;  /* lost before the next record, not yet reported */
    fp_record head;
    uint64_t due; /* of the next record in this sub-buffer, where that is known and it is no head yet; or 0 */
    bool has_head;
    bool used; /* handed something out in this merge: the output points into chunks first..now */
    uint16_t cpu;
} fp_stream;

void fp_stream_feed(fp_stream *stream, fp_chunk *chunk);

/* Take the chunks that the stream has passed off its queue: a list linked by `next`. */
fp_chunk *fp_stream_finished(fp_stream *stream);

/* Decode the next record into `head`, over as many sub-buffers as it takes; false when the queue is empty. */
bool fp_stream_peek(fp_stream *stream, const fp_layout *layout, fp_output *out);

/* When the next record is, decoded or not; false when the queue is empty. */
static inline bool
fp_stream_is_due(fp_stream *stream, const fp_layout *layout, fp_output *out, uint64_t *ts)
{
    bool is_there = stream->due || fp_stream_peek(stream, layout, out);
    *ts = stream->due ? stream->due : stream->head.ts;
    return is_there;
}

/* Hand out the head and everything after it up to the first stamp above `last_ts`, or until `out` is full. */
void fp_stream_run(fp_stream *stream, const fp_layout *layout, uint64_t last_ts, fp_output *out);

#endif
