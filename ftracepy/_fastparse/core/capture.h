/* The capture thread: reads every CPU's trace_pipe_raw, round after round, with no interpreter in the way.
 *
 * Each round reads the trace clock first, then each pipe until it is empty, or a page begins at that time, or
 * the budget is spent. A pipe that a writer still fills is so read at most once or twice a round: reading on at
 * once would fight the writer for its page (measured: its events cost it 45 % more).
 */
#ifndef FP_CAPTURE_H
#define FP_CAPTURE_H

#include "round.h"
#include "trace_clock.h"

typedef struct {
    const int *pipes;          /* opened O_NONBLOCK; the caller closes them after fp_capture_free */
    size_t count;
    size_t page_bytes;         /* one sub-buffer */
    size_t budget_bytes;       /* of one pipe in one round */
    size_t queue_bytes;        /* no reading while this much waits to be taken */
    uint64_t pace_min_ns;      /* between rounds while events come */
    uint64_t pace_max_ns;
    fp_trace_clock clock;
} fp_capture_setup;

typedef struct fp_capture fp_capture;

fp_capture *fp_capture_new(const fp_capture_setup *setup); /* NULL: errno says why; copies what it needs */
int fp_capture_start(fp_capture *capture);                 /* 0, or an errno */
int fp_capture_ready_fd(const fp_capture *capture);        /* readable while rounds wait */
fp_round *fp_capture_take(fp_capture *capture);            /* the next round, or NULL */
/* Drain, then end; from any thread or signal handler. `bounded`: recording goes on, so drain what is there now. */
void fp_capture_finish(fp_capture *capture, bool bounded);
void fp_capture_free(fp_capture *capture);                 /* ends the thread at once */

#endif
