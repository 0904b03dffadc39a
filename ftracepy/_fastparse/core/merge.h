/* All CPUs in one time order. */
#ifndef FP_MERGE_H
#define FP_MERGE_H

#include "stream.h"

/* A waiting CPU in the heap: the earliest stamp first, among equal stamps the first CPU. */
typedef struct {
    uint64_t ts;
    fp_stream *stream;
} fp_waiting;

/* Hand out the records of all streams (in order of their CPU) up to and including `last_ts`, or until
 * `out` is full. A stream's own order is kept even where its clock jumps back. `heap` has room for `n`.
 * True when nothing up to `last_ts` was left behind. */
bool fp_merge(fp_stream *streams, size_t n, const fp_layout *layout, uint64_t last_ts, fp_waiting *heap, fp_output *out);

#endif
