/* The loop of the capture thread; see capture.h. live/capture_plain.py is the same in Python. */
#define _GNU_SOURCE
#include "capture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { IDLE_MS = 200, PAGES_PER_ARENA = 64, DRAIN_EMPTY_ROUNDS = 2, FINISH = 1, ABANDON = 2, BOUNDED = 4, BEYOND_MARGIN_NS = 200000, EAGER_ROUNDS = 64 };

struct fp_capture {
    fp_capture_setup setup;
    int *pipes; /* -1: can no longer be read */
    int *stats_fds;
    fp_arena **arenas; /* the block each pipe is being read into */
    struct pollfd *polled;
    fp_arena_pool *pool;
    fp_round_queue queue;
    pthread_t thread;
    bool started;
    int wanted; /* FINISH, ABANDON, BOUNDED */
    int wake_fd, ready_fd;
    uint64_t until, held, pace_ns;
    unsigned eager; /* rounds that follow each other as soon as they may: somebody waits for the first row */
    uint64_t finished_at; /* the end of what a bounded finish still wants */
};

static void *
copied(const void *from, size_t bytes)
{
    void *to = from == NULL || bytes == 0 ? NULL : malloc(bytes);
    return to == NULL ? NULL : memcpy(to, from, bytes);
}

fp_capture *
fp_capture_new(const fp_capture_setup *setup)
{
    fp_capture *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->setup = *setup;
    c->pace_ns = setup->pace_min_ns;
    c->eager = EAGER_ROUNDS;
    fp_round_queue_init(&c->queue);
    c->pipes = copied(setup->pipes, setup->count * sizeof *c->pipes);
    c->stats_fds = copied(setup->clock.stats_fds, setup->clock.cpus * sizeof *c->stats_fds);
    c->setup.clock.stats_fds = c->stats_fds;
    c->arenas = calloc(setup->count + 1, sizeof(fp_arena *));
    c->polled = calloc(setup->count + 1, sizeof *c->polled);
    c->pool = fp_arena_pool_new(setup->page_bytes * PAGES_PER_ARENA);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool copies = (c->pipes || !setup->count) && (c->stats_fds || !setup->clock.stats_fds);
    if (!copies || !c->arenas || !c->polled || !c->pool || c->wake_fd < 0 || c->ready_fd < 0) {
        int error = errno;
        fp_capture_free(c);
        errno = error;
        return NULL;
    }
    return c;
}

static void
signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t done = write(fd, &one, sizeof one);
    (void)done; /* EAGAIN: it is readable already */
}

static void
clear_fd(int fd)
{
    uint64_t count;
    ssize_t done = read(fd, &count, sizeof count);
    (void)done;
}

static bool
is_wanted(const fp_capture *c, int what)
{
    return __atomic_load_n(&c->wanted, __ATOMIC_ACQUIRE) & what;
}

static void
want(fp_capture *c, int what)
{
    __atomic_or_fetch(&c->wanted, what, __ATOMIC_RELEASE);
    signal_fd(c->wake_fd);
}

/* Room for one page in the pipe's arena, or NULL where there is no memory. */
static uint8_t *
room_for_page(fp_capture *c, size_t pipe)
{
    fp_arena *arena = c->arenas[pipe];
    if (arena != NULL && arena->used + c->setup.page_bytes <= fp_arena_bytes(arena))
        return arena->data + arena->used;
    if (arena != NULL)
        fp_arena_unref(arena);
    arena = c->arenas[pipe] = fp_arena_get(c->pool);
    return arena == NULL ? NULL : arena->data;
}

static void
drop_pipe(fp_capture *c, fp_round *round, size_t pipe, int error)
{
    fp_round_add_fault(round, (uint32_t)pipe, error);
    c->pipes[pipe] = -1;
}

/* Read one pipe; returns the time up to which it has been read (UINT64_MAX: as far as asked). */
static uint64_t
read_pipe(fp_capture *c, fp_round *round, size_t pipe, uint64_t stop)
{
    size_t taken = 0, page_bytes = c->setup.page_bytes;
    uint64_t first = 0;
    while (taken + page_bytes <= c->setup.budget_bytes) {
        uint8_t *at = room_for_page(c, pipe);
        if (at == NULL)
            break;
        ssize_t size = read(c->pipes[pipe], at, page_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno != EAGAIN)
            drop_pipe(c, round, pipe, errno);
        round->fresh |= size <= 0 && taken > 0;
        if (size <= 0)
            return UINT64_MAX;
        if ((size_t)size != page_bytes) {
            drop_pipe(c, round, pipe, EIO);
            return UINT64_MAX;
        }
        if (!fp_round_add(round, c->arenas[pipe], at, page_bytes, (uint32_t)pipe))
            break;
        c->arenas[pipe]->used += page_bytes;
        taken += page_bytes;
        memcpy(&first, at, sizeof first); /* a page begins with its first event's stamp */
        if (first >= stop)
            return UINT64_MAX;
    }
    round->behind = true;
    return first;
}

static void
read_round(fp_capture *c, fp_round *round, bool finishing)
{
    uint64_t now, until;
    fp_trace_clock_read(&c->setup.clock, &now, &until);
    if (finishing && c->finished_at == 0)
        c->finished_at = is_wanted(c, BOUNDED) ? now : UINT64_MAX;
    for (size_t i = 0; i < c->setup.count; i++) {
        if (c->pipes[i] < 0)
            continue;
        uint64_t reached = read_pipe(c, round, i, finishing ? c->finished_at : now);
        if (reached < until)
            until = reached;
    }
    if (until > c->until)
        c->until = until;
    round->until = c->until;
    if (round->bytes)
        fp_trace_clock_read(&c->setup.clock, &c->held, &until);
}

static bool
all_gone(const fp_capture *c)
{
    for (size_t i = 0; i < c->setup.count; i++)
        if (c->pipes[i] >= 0)
            return false;
    return true;
}

static void
wait_ns(fp_capture *c, uint64_t ns, nfds_t polled)
{
    struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    c->polled[0] = (struct pollfd){.fd = c->wake_fd, .events = POLLIN};
    if (ppoll(c->polled, polled, &ts, NULL) > 0 && c->polled[0].revents)
        clear_fd(c->wake_fd);
}

/* A CPU that never was online has no buffer: its pipe answers poll with an error at once, for ever. */
static nfds_t
poll_set(fp_capture *c)
{
    nfds_t count = 1;
    for (size_t i = 0; i < c->setup.count; i++)
        if (c->pipes[i] >= 0)
            c->polled[count++] = (struct pollfd){.fd = c->pipes[i], .events = POLLIN};
    struct timespec none = {0};
    c->polled[0] = (struct pollfd){.fd = c->wake_fd};
    if (ppoll(c->polled, count, &none, NULL) <= 0)
        return count;
    nfds_t kept = 1;
    for (nfds_t i = 1; i < count; i++)
        if (!(c->polled[i].revents & (POLLERR | POLLHUP | POLLNVAL)))
            c->polled[kept++] = c->polled[i];
    return kept;
}

/* While events come, rounds are paced; then the thread sleeps until something comes. A few events are held back by the margin:
   a look before that is over finds nothing to hand on. */
static void
wait_for_more(fp_capture *c, size_t bytes, bool behind, bool finishing)
{
    if (behind)
        return;
    uint64_t margin = c->setup.clock.margin_ns + BEYOND_MARGIN_NS;
    c->pace_ns = bytes > c->setup.budget_bytes / 8 ? c->setup.pace_min_ns : c->pace_ns * 2 > margin ? c->pace_ns * 2 : margin;
    if (c->pace_ns > c->setup.pace_max_ns)
        c->pace_ns = c->setup.pace_max_ns;
    if (c->eager) {
        c->eager--;
        c->pace_ns = c->setup.pace_min_ns;
    }
    if (finishing)
        wait_ns(c, c->setup.pace_min_ns, 1);
    else if (bytes || c->until <= c->held)
        wait_ns(c, c->pace_ns, 1);
    else {
        c->pace_ns = c->setup.pace_min_ns;
        wait_ns(c, IDLE_MS * 1000000u, poll_set(c));
    }
}

static void
push(fp_capture *c, fp_round *round)
{
    while (fp_round_queue_bytes(&c->queue) >= c->setup.queue_bytes && !is_wanted(c, ABANDON))
        wait_ns(c, c->setup.pace_min_ns, 1);
    fp_round_queue_push(&c->queue, round);
    signal_fd(c->ready_fd);
}

static void *
run(void *arg)
{
    fp_capture *c = arg;
    int empty = 0;
    while (!is_wanted(c, ABANDON)) {
        fp_round *round = fp_round_new();
        if (round == NULL) {
            wait_ns(c, c->setup.pace_max_ns, 1);
            continue;
        }
        bool finishing = is_wanted(c, FINISH);
        read_round(c, round, finishing);
        size_t bytes = round->bytes;
        bool behind = round->behind;
        empty = finishing && !round->fresh && !behind ? empty + 1 : 0;
        bool last = round->last = empty >= DRAIN_EMPTY_ROUNDS || all_gone(c);
        push(c, round); /* from here on the round is the consumer's */
        if (last)
            break;
        wait_for_more(c, bytes, behind, finishing);
    }
    return NULL;
}

int
fp_capture_start(fp_capture *c)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are for the threads that know what to do about them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->started = error == 0;
    return error;
}

int
fp_capture_ready_fd(const fp_capture *c)
{
    return c->ready_fd;
}

fp_round *
fp_capture_take(fp_capture *c)
{
    clear_fd(c->ready_fd); /* before the look: a round pushed after it makes the fd readable again */
    bool more;
    fp_round *round = fp_round_queue_pop(&c->queue, &more);
    if (more)
        signal_fd(c->ready_fd);
    return round;
}

void
fp_capture_finish(fp_capture *c, bool bounded)
{
    want(c, bounded ? FINISH | BOUNDED : FINISH);
}

void
fp_capture_free(fp_capture *c)
{
    if (c == NULL)
        return;
    if (c->started) {
        want(c, ABANDON);
        pthread_join(c->thread, NULL);
    }
    fp_round_queue_deinit(&c->queue);
    for (size_t i = 0; c->arenas != NULL && i < c->setup.count; i++)
        if (c->arenas[i] != NULL)
            fp_arena_unref(c->arenas[i]);
    if (c->pool != NULL)
        fp_arena_pool_release(c->pool);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    if (c->ready_fd >= 0)
        close(c->ready_fd);
    free(c->arenas);
    free(c->polled);
    free(c->pipes);
    free(c->stats_fds);
    free(c);
}
