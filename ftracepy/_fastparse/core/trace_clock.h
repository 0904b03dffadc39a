/* Reading the trace clock from user space. */
#ifndef FP_TRACE_CLOCK_H
#define FP_TRACE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { FP_CLOCK_SAMPLES = 16 };

/* `stats_fds` NULL: `clock_id` is the trace clock. Else per_cpu/cpuN/stats of each CPU, whose `now ts` lines tell it. */
typedef struct {
    clockid_t clock_id;
    const int *stats_fds;
    size_t cpus;
    uint64_t margin_ns;
    struct {
        uint64_t wall_ns, now;
    } samples[FP_CLOCK_SAMPLES];
    size_t count;
} fp_trace_clock;

uint64_t fp_monotonic_ns(void);

/* A time on the trace clock, in the unit of its stamps, that has passed on every CPU; `earlier` is the same
 * margin_ns ago. Clocks that only the kernel reads may not count nanoseconds: their margin is kept by the wall. */
void fp_trace_clock_read(fp_trace_clock *clock, uint64_t *now, uint64_t *earlier);

#endif
