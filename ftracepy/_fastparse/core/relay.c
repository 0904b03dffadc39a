/* The loop of the relay; see relay.h. Where there is no C, live/aides/opens.py reads the groups itself. */
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
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
       IDLE_MS = 100, LONG_IDLE_MS = 250, DOZE_MS = 20, LONG_DOZE_MS = 50, PATIENCE = 10, MOST_READS = 64, KNOWN = 4096, FEW = 20,
       FEW_DOZING = 2, OUT_BYTES = 1 << 14 };
enum { PATHS_BYTES = FDS_BYTES / FAN_EVENT_METADATA_LEN * (sizeof(fp_relay_path) + PATH_BYTES) };

/* When a group has reports and gives none (no descriptor is left): this thread runs ahead of others, and must let them run. */
static const struct timespec NAP = {.tv_nsec = 1000000};

/* Numbers of threads are given again: what is known of one holds for a second. */
typedef struct {
    int32_t tid;
    uint32_t second; /* its lowest bits and the answer in one */
} relay_known;

typedef struct {
    const fp_relay *setup;
    char *reports, *paths;
    relay_known *known;
    uint64_t before, left_out, fenced; /* `fenced`: when a fence was written last */
    uint64_t others, looked;           /* others' reports since `looked` */
    unsigned idle;                     /* fences in a row that nothing was handed on before */
    bool dozes;
    fp_relay_head skipped;             /* a round without a piece that nobody was told of, where its `before` is not 0 */
    int error;
    size_t unwritten;
    char out[OUT_BYTES]; /* a round goes into the pipe at once, where it is a short one */
} relay_state;

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
write_out(relay_state *r, const void *data, size_t size)
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
put_out(relay_state *r)
{
    write_out(r, r->out, r->unwritten);
    r->unwritten = 0;
}

static void
put(relay_state *r, const void *data, size_t size)
{
    if (size > OUT_BYTES - r->unwritten)
        put_out(r);
    if (size > OUT_BYTES) {
        write_out(r, data, size);
        return;
    }
    memcpy(r->out + r->unwritten, data, size);
    r->unwritten += size;
}

static void
put_piece(relay_state *r, uint32_t kind, const char *data, size_t size)
{
    fp_relay_head head = {kind, (uint32_t)size, r->before, now_ns()};
    put(r, &head, sizeof head);
    put(r, data, size);
}

static void
put_fence(relay_state *r, uint64_t before, uint64_t after)
{
    fp_relay_head head = {FP_RELAY_FENCE, sizeof r->left_out, before, after};
    put(r, &head, sizeof head);
    put(r, &r->left_out, sizeof r->left_out);
    r->left_out = r->skipped.before = 0;
    r->fenced = before;
}

/* A piece of the round; rounds before it that were kept back are told first, for their times are what it lies behind. */
static bool
put_kept(relay_state *r, uint32_t kind, const char *data, size_t size)
{
    if (size == 0)
        return false;
    if (r->skipped.before != 0)
        put_fence(r, r->skipped.before, r->skipped.after);
    put_piece(r, kind, data, size);
    return true;
}

static bool
is_there(int folder, int32_t tid)
{
    char name[16];
    snprintf(name, sizeof name, "%d", (int)tid);
    return faccessat(folder, name, F_OK, 0) == 0;
}

/* A thread that has ended may have been the process's. */
static bool
wanted(relay_state *r, int32_t tid)
{
    if (r->setup->tid > 0)
        return tid == r->setup->tid;
    if (r->setup->tasks < 0)
        return true;
    relay_known *known = &r->known[(uint32_t)tid % KNOWN];
    uint32_t second = (uint32_t)(r->before / 1000000000u + 1) << 1;
    if (known->tid != tid || (known->second & ~1u) != second) {
        bool here = is_there(r->setup->tasks, tid) || !is_there(r->setup->proc, tid);
        *known = (relay_known){tid, second | here};
    }
    return known->second & 1;
}

/* Whether a report is to be handed on; of others' those that say more than that a file was opened. */
static bool
kept(relay_state *r, const struct fanotify_event_metadata *report)
{
    bool is_kept = (report->mask & (FAN_MOVED_FROM | FAN_Q_OVERFLOW)) != 0 || wanted(r, report->pid);
    r->left_out += !is_kept;
    r->others += !is_kept;
    return is_kept;
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

/* Move the reports that are handed on to the front; how long they are. */
static size_t
sift(relay_state *r, size_t got)
{
    size_t size = 0;
    struct fanotify_event_metadata report;
    for (size_t at = 0; at + FAN_EVENT_METADATA_LEN <= got; at += report.event_len) {
        memcpy(&report, r->reports + at, sizeof report);
        if (report.event_len < FAN_EVENT_METADATA_LEN || report.event_len > got - at)
            break;
        if (kept(r, &report)) {
            memmove(r->reports + size, r->reports + at, report.event_len);
            size += report.event_len;
        }
    }
    return size;
}

/* `kept_any`: whether any was handed on; the answer is whether there was any. */
static bool
drain_handles(relay_state *r, bool *kept_any)
{
    bool any = false;
    for (size_t got = HANDLES_BYTES; got > HANDLES_BYTES - NEARLY_FULL;) {
        got = take(r->setup->by_handle, r->reports, HANDLES_BYTES);
        *kept_any |= put_kept(r, FP_RELAY_HANDLES, r->reports, sift(r, got));
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
drain_fds(relay_state *r, bool *kept_any)
{
    int reads = 0;
    for (size_t got; reads < MOST_READS && (got = take(r->setup->by_fd, r->reports, FDS_BYTES)) > 0; reads++) {
        size_t size = 0;
        for (size_t at = 0; at + FAN_EVENT_METADATA_LEN <= got;) {
            struct fanotify_event_metadata report;
            memcpy(&report, r->reports + at, sizeof report);
            if (report.event_len < FAN_EVENT_METADATA_LEN)
                break;
            if (kept(r, &report))
                size += path_of(&report, r->paths + size);
            else if (report.fd >= 0)
                close(report.fd);
            at += report.event_len;
        }
        *kept_any |= put_kept(r, FP_RELAY_PATHS, r->paths, size);
    }
    return reads > 0;
}

/* Each fence wakes three threads more: where nothing has come for a second, it is to be a rare one. */
static int
idle_ms(const relay_state *r)
{
    return r->idle < PATIENCE ? IDLE_MS : LONG_IDLE_MS;
}

static int
doze_ms(const relay_state *r)
{
    return r->idle < PATIENCE ? DOZE_MS : LONG_DOZE_MS;
}

/* Where all that wakes us is others' (waking costs us and them ten times what reading does), look every doze_ms only, until
 * there is something to hand on: of what was opened within one such time the order is known, but not more. */
static void
notice_others(relay_state *r, bool kept_any)
{
    bool is_crowd = r->others > (r->dozes ? FEW_DOZING : FEW); /* who dozes finds equal reports merged into one */
    if (!kept_any && !is_crowd && r->before - r->looked < (uint64_t)idle_ms(r) * 1000000u)
        return;
    r->dozes = !kept_any && is_crowd;
    r->others = 0;
    r->looked = r->before;
}

/* The first group is read again after the second: what it then holds may be older than what the second gave. */
static bool
take_round(relay_state *r, bool asked)
{
    bool kept_any = false;
    r->before = now_ns();
    bool first = drain_handles(r, &kept_any), second = drain_fds(r, &kept_any);
    if (second)
        drain_handles(r, &kept_any);
    bool is_due = r->before - r->fenced >= (uint64_t)idle_ms(r) * 1000000u || r->left_out >= FP_RELAY_MANY;
    r->idle = kept_any || asked ? 0 : r->idle + is_due;
    if (kept_any || asked || is_due)
        put_fence(r, r->before, now_ns());
    else
        r->skipped = (fp_relay_head){.before = r->before, .after = now_ns()};
    put_out(r);
    notice_others(r, kept_any);
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
        bool is_asked = false;
        if (r->dozes)
            polled[0].revents = polled[1].revents = 0;
        int ready = r->dozes ? poll(&polled[2], 1, doze_ms(r))
                             : poll(polled, sizeof polled / sizeof *polled, any ? BUSY_MS : idle_ms(r));
        bool told = ready > 0 && (polled[0].revents | polled[1].revents) != 0;
        char asked[64];
        if (ready > 0 && polled[2].revents) {
            is_asked = true;
            ended = read(r->setup->control, asked, sizeof asked) <= 0;
        }
        any = take_round(r, is_asked);
        if (told && !any)
            nanosleep(&NAP, NULL);
    }
}

int
fp_relay_run(const fp_relay *relay)
{
    relay_state r = {.setup = relay, .reports = malloc(HANDLES_BYTES), .paths = malloc(PATHS_BYTES),
                     .known = calloc(KNOWN, sizeof(relay_known))};
    sigset_t all, before;
    sigfillset(&all);
    if (r.reports == NULL || r.paths == NULL || r.known == NULL) {
        r.error = ENOMEM;
    } else {
        pthread_sigmask(SIG_SETMASK, &all, &before);
        loop(&r);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    free(r.reports);
    free(r.paths);
    free(r.known);
    return r.error;
}
