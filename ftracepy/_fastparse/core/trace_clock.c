/* Clocks that user space has too are read there; of the others the kernel tells each CPU's in its stats. */
#define _GNU_SOURCE
#include "trace_clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t
clock_ns(clockid_t id)
{
    struct timespec ts = {0};
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
fp_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* "now ts: 1534.082257" (clocks that count ns) or "now ts: 123456789"; 0 where it cannot be read. */
static uint64_t
stats_now(int fd)
{
    char text[1024];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char *at = strstr(text, "now ts:");
    if (at == NULL)
        return 0;
    char *end;
    uint64_t whole = strtoull(at + strlen("now ts:"), &end, 10);
    if (*end != '.')
        return whole;
    return (whole * 1000000u + strtoull(end + 1, NULL, 10)) * 1000u;
}

static uint64_t
slowest_cpu(const fp_trace_clock *clock)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < clock->cpus; i++) {
        uint64_t now = stats_now(clock->stats_fds[i]);
        if (now < least)
            least = now;
    }
    return least;
}

/* Keep the newest sample that is older than the margin, and those after it. */
static uint64_t
sample_before(fp_trace_clock *clock, uint64_t wall_ns, uint64_t now)
{
    size_t keep = 0;
    for (size_t i = 0; i < clock->count; i++)
        if (clock->samples[i].wall_ns + clock->margin_ns <= wall_ns)
            keep = i;
    memmove(clock->samples, clock->samples + keep, (clock->count - keep) * sizeof clock->samples[0]);
    clock->count -= keep;
    if (clock->count < FP_CLOCK_SAMPLES) {
        clock->samples[clock->count].wall_ns = wall_ns;
        clock->samples[clock->count++].now = now;
    }
    return clock->samples[0].wall_ns + clock->margin_ns <= wall_ns ? clock->samples[0].now : 0;
}

void
fp_trace_clock_read(fp_trace_clock *clock, uint64_t *now, uint64_t *earlier)
{
    if (clock->stats_fds == NULL) {
        *now = clock_ns(clock->clock_id);
        *earlier = *now > clock->margin_ns ? *now - clock->margin_ns : 0;
        return;
    }
    *now = slowest_cpu(clock);
    *earlier = sample_before(clock, fp_monotonic_ns(), *now);
}
