/* What one look at every CPU brought, and the queue in which it waits to be taken. */
#ifndef FP_ROUND_H
#define FP_ROUND_H

#include <pthread.h>
#include <stdbool.h>

#include "arena.h"

/* Whole sub-buffers of one CPU, one after the other; holds a reference to its arena. */
typedef struct {
    fp_arena *arena;
    uint8_t *data;
    size_t size;
    uint32_t pipe; /* index of the pipe they came from */
} fp_slice;

/* A pipe that can no longer be read. */
typedef struct {
    uint32_t pipe;
    int error;
} fp_pipe_fault;

/* Every event older than `until` is in this round or an earlier one; `last`: nothing comes after it. */
typedef struct fp_round {
    struct fp_round *next;
    fp_slice *slices;
    size_t count, room;
    fp_pipe_fault *faults;
    size_t fault_count;
    size_t bytes;
    uint64_t until;
    bool behind; /* some CPU has more than its budget let us read */
    bool fresh;  /* some CPU had something, and then no more: the next may come at any moment */
    bool last;
} fp_round;

typedef struct {
    pthread_mutex_t lock;
    fp_round *first, *end;
    size_t bytes;
} fp_round_queue;

fp_round *fp_round_new(void);
void fp_round_free(fp_round *round);
/* Add `size` bytes at `data`, joining them to the last slice where they follow it. False: no memory. */
bool fp_round_add(fp_round *round, fp_arena *arena, uint8_t *data, size_t size, uint32_t pipe);
bool fp_round_add_fault(fp_round *round, uint32_t pipe, int error);

void fp_round_queue_init(fp_round_queue *queue);
void fp_round_queue_deinit(fp_round_queue *queue);
void fp_round_queue_push(fp_round_queue *queue, fp_round *round);
/* NULL: empty; the caller frees the round. `more` (may be NULL): whether others wait behind it. */
fp_round *fp_round_queue_pop(fp_round_queue *queue, bool *more);
size_t fp_round_queue_bytes(fp_round_queue *queue);

#endif
