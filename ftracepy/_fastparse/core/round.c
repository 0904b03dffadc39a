/* Rounds are made by the capture thread and taken by one consumer; only the queue between them is shared. */
#include "round.h"

#include <stdlib.h>

fp_round *
fp_round_new(void)
{
    return calloc(1, sizeof(fp_round));
}

void
fp_round_free(fp_round *round)
{
    if (round == NULL)
        return;
    for (size_t i = 0; i < round->count; i++)
        fp_arena_unref(round->slices[i].arena);
    free(round->slices);
    free(round->faults);
    free(round);
}

bool
fp_round_add(fp_round *round, fp_arena *arena, uint8_t *data, size_t size, uint32_t pipe)
{
    fp_slice *last = round->count ? &round->slices[round->count - 1] : NULL;
    if (last != NULL && last->arena == arena && last->pipe == pipe && last->data + last->size == data) {
        last->size += size;
        round->bytes += size;
        return true;
    }
    if (round->count == round->room) {
        size_t room = round->room ? round->room * 2 : 8;
        fp_slice *slices = realloc(round->slices, room * sizeof *slices);
        if (slices == NULL)
            return false;
        round->slices = slices;
        round->room = room;
    }
    fp_arena_ref(arena);
    round->slices[round->count++] = (fp_slice){arena, data, size, pipe};
    round->bytes += size;
    return true;
}

bool
fp_round_add_fault(fp_round *round, uint32_t pipe, int error)
{
    fp_pipe_fault *faults = realloc(round->faults, (round->fault_count + 1) * sizeof *faults);
    if (faults == NULL)
        return false;
    round->faults = faults;
    round->faults[round->fault_count++] = (fp_pipe_fault){pipe, error};
    return true;
}

void
fp_round_queue_init(fp_round_queue *queue)
{
    *queue = (fp_round_queue){0};
    pthread_mutex_init(&queue->lock, NULL);
}

void
fp_round_queue_deinit(fp_round_queue *queue)
{
    fp_round *round;
    while ((round = fp_round_queue_pop(queue, NULL)) != NULL)
        fp_round_free(round);
    pthread_mutex_destroy(&queue->lock);
}

void
fp_round_queue_push(fp_round_queue *queue, fp_round *round)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->end != NULL)
        queue->end->next = round;
    else
        queue->first = round;
    queue->end = round;
    queue->bytes += round->bytes;
    pthread_mutex_unlock(&queue->lock);
}

fp_round *
fp_round_queue_pop(fp_round_queue *queue, bool *more)
{
    pthread_mutex_lock(&queue->lock);
    fp_round *round = queue->first;
    if (round != NULL) {
        queue->first = round->next;
        if (queue->first == NULL)
            queue->end = NULL;
        queue->bytes -= round->bytes;
    }
    if (more != NULL)
        *more = queue->first != NULL;
    pthread_mutex_unlock(&queue->lock);
    return round;
}

size_t
fp_round_queue_bytes(fp_round_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t bytes = queue->bytes;
    pthread_mutex_unlock(&queue->lock);
    return bytes;
}
