/* The loop of the relay; see relay.h. Where there is no C, live/aides/opens.py reads the groups itself. */
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <time.h>
#include <unistd.h>

/* Less than NEARLY_FULL left in a read's buffer: there may be more reports than went into it. */
enum { HANDLES_BYTES = 1 << 17, FDS_BYTES = 1 << 12, PATH_BYTES = 4096, NEARLY_FULL = 1024, RETRIES = 1000, BUSY_MS = 5,
       IDLE_MS = 100, MOST_READS = 64 };
enum { PATHS_BYTES = FDS_BYTES / FAN_EVENT_METADATA_LEN * (sizeof(fp_relay_path) + PATH_BYTES) };

/* When a group has reports and gives none (no descriptor is left): this thread runs ahead of others, and must let them run. */
static const struct timespec NAP = {.tv_nsec = 1000000};

typedef struct {
    const fp_relay *setup;
    char *reports, *paths;
    uint64_t before;
    int error;
} relay_state;

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
put(relay_state *r, const void *data, size_t size)
{
    for (const char *at = data; size > 0 && r->error == 0;) {
        ssize_t done = write(r->setup->out, at, size);
        if (done < 0 && errno != EINTR)
            r->error = errno;
        if (done > 0) {
            at += done;
            size -= (size_t)done;
        }
    }
}

static void
put_piece(relay_state *r, uint32_t kind, const char *data, size_t size)
{
    fp_relay_head head = {kind, (uint32_t)size, r->before, now_ns()};
    put(r, &head, sizeof head);
    put(r, data, size);
}

/* What a group holds now, or 0. A file that cannot be opened again makes one read fail, and its report is gone. */
static size_t
take(int fd, char *into, size_t size)
{
    for (int tries = 0; fd >= 0 && tries < RETRIES; tries++) {
        ssize_t got = read(fd, into, size);
        if (got >= 0)
            return (size_t)got;
        if (errno == EAGAIN)
            return 0;
    }
    return 0;
}

static bool
drain_handles(relay_state *r)
{
    bool any = false;
    for (size_t got = HANDLES_BYTES; got > HANDLES_BYTES - NEARLY_FULL;) {
        got = take(r->setup->by_handle, r->reports, HANDLES_BYTES);
        if (got > 0)
            put_piece(r, FP_RELAY_HANDLES, r->reports, got);
        any = any || got > 0;
    }
    return any;
}

/* One report as an fp_relay_path at `to`; its length. The descriptor is closed. */
static size_t
path_of(const struct fanotify_event_metadata *report, char *to)
{
    fp_relay_path head = {report->mask, report->pid, 0};
    if (report->fd >= 0) {
        char name[32];
        snprintf(name, sizeof name, "/proc/self/fd/%d", report->fd);
        ssize_t length = readlink(name, to + sizeof head, PATH_BYTES);
        head.length = length < 0 ? 0 : (uint32_t)length;
        close(report->fd);
    }
    memcpy(to, &head, sizeof head);
    return sizeof head + head.length;
}

static bool
drain_fds(relay_state *r)
{
    int reads = 0;
    for (size_t got; reads < MOST_READS && (got = take(r->setup->by_fd, r->reports, FDS_BYTES)) > 0; reads++) {
        size_t size = 0;
        for (size_t at = 0; at + FAN_EVENT_METADATA_LEN <= got;) {
            struct fanotify_event_metadata report;
            memcpy(&report, r->reports + at, sizeof report);
            if (report.event_len < FAN_EVENT_METADATA_LEN)
                break;
            size += path_of(&report, r->paths + size);
            at += report.event_len;
        }
        put_piece(r, FP_RELAY_PATHS, r->paths, size);
    }
    return reads > 0;
}

/* The first group is read again after the second: what it then holds may be older than what the second gave. */
static bool
take_round(relay_state *r)
{
    r->before = now_ns();
    bool first = drain_handles(r), second = drain_fds(r);
    if (second)
        drain_handles(r);
    put_piece(r, FP_RELAY_FENCE, NULL, 0);
    return first || second;
}

static void
loop(relay_state *r)
{
    struct pollfd polled[] = {
        {.fd = r->setup->by_handle, .events = POLLIN},
        {.fd = r->setup->by_fd, .events = POLLIN},
        {.fd = r->setup->control, .events = POLLIN},
    };
    for (bool ended = false, any = false; !ended && r->error == 0;) {
        int ready = poll(polled, sizeof polled / sizeof *polled, any ? BUSY_MS : IDLE_MS);
        bool told = ready > 0 && (polled[0].revents | polled[1].revents) != 0;
        char asked[64];
        if (ready > 0 && polled[2].revents)
            ended = read(r->setup->control, asked, sizeof asked) <= 0;
        any = take_round(r);
        if (told && !any)
            nanosleep(&NAP, NULL);
    }
}

int
fp_relay_run(const fp_relay *relay)
{
    relay_state r = {.setup = relay, .reports = malloc(HANDLES_BYTES), .paths = malloc(PATHS_BYTES)};
    sigset_t all, before;
    sigfillset(&all);
    if (r.reports == NULL || r.paths == NULL) {
        r.error = ENOMEM;
    } else {
        pthread_sigmask(SIG_SETMASK, &all, &before);
        loop(&r);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    free(r.reports);
    free(r.paths);
    return r.error;
}
