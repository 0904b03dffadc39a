/* Where opens and what is told of them lie; see rows_paths.h. Names are those of analysis/pathfacts.py, which says what is done. */
#include "rows_paths.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_THREADS = 64 };

/* Threads. */

static fp_paths_thread *
place_of(fp_paths_thread *threads, size_t room, int32_t tid)
{
    size_t at = ((uint32_t)tid * UINT32_C(2654435769)) & (room - 1);
    while (threads[at].used && threads[at].tid != tid)
        at = (at + 1) & (room - 1);
    return &threads[at];
}

static bool
is_empty(const fp_paths_thread *thread)
{
    return thread->opens == NULL && thread->told == NULL;
}

static bool
rebuild(fp_paths *paths)
{
    size_t known = 0;
    for (size_t i = 0; i < paths->threads_room; i++)
        known += paths->threads[i].used && !is_empty(&paths->threads[i]);
    size_t room = paths->threads_room == 0           ? FIRST_THREADS
                  : known * 4 >= paths->threads_room ? paths->threads_room * 2
                                                     : paths->threads_room;
    fp_paths_thread *threads = calloc(room, sizeof *threads);
    if (threads == NULL)
        return false;
    for (size_t i = 0; i < paths->threads_room; i++)
        if (paths->threads[i].used && !is_empty(&paths->threads[i]))
            *place_of(threads, room, paths->threads[i].tid) = paths->threads[i];
    free(paths->threads);
    paths->threads = threads;
    paths->threads_room = room;
    paths->threads_total = known;
    return true;
}

static fp_paths_thread *
thread_of(fp_paths *paths, int32_t tid)
{
    fp_paths_thread *place = paths->threads_room ? place_of(paths->threads, paths->threads_room, tid) : NULL;
    if (place != NULL && place->used)
        return place;
    if (paths->threads_total * 2 >= paths->threads_room) {
        if (!rebuild(paths))
            return NULL;
        place = place_of(paths->threads, paths->threads_room, tid);
    }
    *place = (fp_paths_thread){.tid = tid, .used = true};
    paths->threads_total++;
    return place;
}

void
fp_paths_pop_open(fp_paths_thread *thread)
{
    thread->opens = thread->opens->later;
    thread->opens_total--;
}

void
fp_paths_pop_told(fp_paths_thread *thread)
{
    fp_told *first = thread->told;
    thread->told = first->next;
    thread->told_total--;
    free(first);
}

static void
clear(fp_paths_thread *thread)
{
    while (thread->told != NULL)
        fp_paths_pop_told(thread);
    thread->opens = NULL;
    thread->opens_total = 0;
}

/* The order. */

fp_told *
fp_told_copy(const fp_told *head, const uint8_t *path)
{
    fp_told *made = malloc(sizeof *made + head->length);
    if (made == NULL)
        return NULL;
    *made = *head;
    made->next = NULL;
    memcpy(made->path, path, head->length);
    return made;
}

bool
fp_paths_hold(fp_paths *paths, const fp_to_hold *given, bool waits)
{
    fp_paths_thread *thread = waits ? thread_of(paths, given->tid) : NULL;
    fp_held *held = malloc(sizeof *held + given->head_length + given->passed_length);
    if (held == NULL || (waits && thread == NULL)) {
        free(held);
        return false;
    }
    *held = (fp_held){.kind = (uint8_t)given->kind, .waits = waits, .shown = given->shown, .has_passed = given->passed != NULL,
                      .tid = given->tid, .start = given->start, .end = given->end, .keys_total = given->keys_total,
                      .head_length = given->head_length, .passed_length = given->passed_length};
    if (given->keys_total)
        memcpy(held->keys, given->keys, given->keys_total * sizeof *held->keys);
    if (given->head_length)
        memcpy(held->bytes, given->head, given->head_length);
    if (given->passed_length)
        memcpy(held->bytes + given->head_length, given->passed, given->passed_length);
    *(paths->first ? &paths->last->next : &paths->first) = held;
    paths->last = held;
    paths->held_total++;
    if (waits) {
        *(thread->opens ? &thread->last_open->later : &thread->opens) = held;
        thread->last_open = held;
        thread->opens_total++;
    }
    if (waits && paths->held_total > FP_HELD_MOST)
        fp_paths_give_up(paths, paths->first->end);
    return true;
}

fp_held *
fp_paths_ready(const fp_paths *paths)
{
    return paths->first != NULL && !paths->first->waits ? paths->first : NULL;
}

void
fp_paths_drop_first(fp_paths *paths)
{
    fp_held *first = paths->first;
    paths->first = first->next;
    paths->held_total--;
    free(first->path);
    free(first);
}

bool
fp_paths_tell(fp_paths *paths, int32_t tid, const fp_told *head, const uint8_t *path)
{
    fp_paths_thread *thread = thread_of(paths, tid);
    fp_told *told = thread ? fp_told_copy(head, path) : NULL;
    if (told == NULL)
        return false;
    *(thread->told ? &thread->last_told->next : &thread->told) = told;
    thread->last_told = told;
    thread->told_total++;
    return true;
}

void
fp_paths_give_up(fp_paths *paths, uint64_t before)
{
    for (fp_held *one = paths->first; one != NULL && one->end <= before; one = one->next)
        one->waits = false;
    for (size_t i = 0; i < paths->threads_room; i++) {
        fp_paths_thread *thread = &paths->threads[i];
        while (thread->opens != NULL && !thread->opens->waits)
            fp_paths_pop_open(thread);
        while (thread->told != NULL && thread->told->written <= before)
            fp_paths_pop_told(thread);
    }
}

void
fp_paths_lost(fp_paths *paths)
{
    for (fp_held *one = paths->first; one != NULL; one = one->next)
        one->waits = false;
    for (size_t i = 0; i < paths->threads_room; i++)
        clear(&paths->threads[i]);
}

void
fp_paths_deinit(fp_paths *paths)
{
    fp_paths_lost(paths);
    while (paths->first != NULL)
        fp_paths_drop_first(paths);
    free(paths->threads);
    paths->threads = NULL;
    paths->threads_room = 0;
}

/* What was told before the first open that waits belongs to nothing here; without one, perhaps to the one that goes on. */
static bool
drop_strays(fp_paths *paths, fp_paths_thread *thread)
{
    bool in_open = false;
    if (thread->opens == NULL && thread->told != NULL && !paths->rules.in_open(paths->rules.whom, thread->tid, &in_open))
        return false;
    while (thread->told != NULL && !in_open && (thread->opens == NULL || thread->told->written < thread->opens->start))
        fp_paths_pop_told(thread);
    return true;
}

bool
fp_paths_caught_up(fp_paths *paths, uint64_t when, uint64_t now)
{
    for (size_t i = 0; i < paths->threads_room; i++) {
        fp_paths_thread *thread = &paths->threads[i];
        if (!drop_strays(paths, thread))
            return false;
        if (thread->opens == NULL || thread->opens->end >= when)
            continue;
        if (!fp_paths_match(paths, thread, when, now))
            return false;
    }
    return true;
}
