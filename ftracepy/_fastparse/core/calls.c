/* Counting system calls (kernel: include/trace/events/syscalls.h). _fastparse/twin_calls.py is the same in Python. */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CALLERS = 256, FIRST_TALLIES = 4, MAX_ERRNO = 4095 };

bool
fp_calls_init(fp_calls *calls, size_t events_total)
{
    memset(calls, 0, sizeof *calls);
    calls->events = calloc(events_total + 1, sizeof *calls->events);
    calls->callers = calloc(FIRST_CALLERS, sizeof *calls->callers);
    calls->events_total = events_total;
    calls->callers_room = FIRST_CALLERS;
    return calls->events != NULL && calls->callers != NULL;
}

void
fp_calls_deinit(fp_calls *calls)
{
    for (size_t i = 0; calls->callers != NULL && i < calls->callers_room; i++)
        free(calls->callers[i].tallies);
    free(calls->callers);
    free(calls->events);
}

/* Where `tid` is, or belongs. */
static fp_caller *
place_of(fp_caller *callers, size_t room, int32_t tid)
{
    size_t at = ((uint32_t)tid * UINT32_C(2654435769)) & (room - 1);
    while (callers[at].used && callers[at].tid != tid)
        at = (at + 1) & (room - 1);
    return &callers[at];
}

static bool
is_kept(const fp_caller *caller)
{
    return caller->used && (caller->own || caller->open || caller->tallies_total);
}

static bool
rebuild(fp_calls *calls, size_t room, bool all)
{
    fp_caller *callers = calloc(room, sizeof *callers);
    if (callers == NULL)
        return false;
    calls->callers_total = 0;
    for (size_t i = 0; i < calls->callers_room; i++) {
        fp_caller *one = &calls->callers[i];
        if (is_kept(one) || (all && one->used)) {
            *place_of(callers, room, one->tid) = *one;
            calls->callers_total++;
        } else {
            free(one->tallies);
        }
    }
    free(calls->callers);
    calls->callers = callers;
    calls->callers_room = room;
    return true;
}

void
fp_calls_trim(fp_calls *calls)
{
    rebuild(calls, calls->callers_room, false);
}

fp_caller *
fp_calls_caller(fp_calls *calls, int32_t tid, bool make)
{
    fp_caller *place = place_of(calls->callers, calls->callers_room, tid);
    if (place->used || !make)
        return place->used ? place : NULL;
    if (calls->callers_total * 2 >= calls->callers_room) {
        if (!rebuild(calls, calls->callers_room * 2, true))
            return NULL;
        place = place_of(calls->callers, calls->callers_room, tid);
    }
    memset(place, 0, sizeof *place);
    place->tid = tid;
    place->used = true;
    calls->callers_total++;
    return place;
}

/* The caller's tally of a call: most threads repeat one, and few make more than some dozens. NULL without memory. */
static fp_tally *
tally_of(fp_caller *caller, int64_t key)
{
    if (caller->last < caller->tallies_total && caller->tallies[caller->last].key == key)
        return &caller->tallies[caller->last];
    size_t at = 0;
    while (at < caller->tallies_total && caller->tallies[at].key != key)
        at++;
    if (at == caller->tallies_room) {
        size_t room = at ? at * 2 : FIRST_TALLIES;
        fp_tally *tallies = realloc(caller->tallies, room * sizeof *tallies);
        if (tallies == NULL)
            return NULL;
        caller->tallies = tallies;
        caller->tallies_room = room;
    }
    if (at == caller->tallies_total) {
        caller->tallies[at] = (fp_tally){.key = key};
        caller->tallies_total++;
    }
    caller->last = (uint32_t)at;
    return &caller->tallies[at];
}

static bool
is_error(int64_t ret)
{
    return ret >= -MAX_ERRNO && ret < 0 && ret != -512 && ret != -513 && ret != -514 && ret != -516; /* kernel: restarts */
}

static bool
entered(fp_calls *calls, const fp_record *record, int64_t key)
{
    fp_caller *caller = fp_calls_caller(calls, record->pid, true);
    if (caller == NULL)
        return false;
    if (caller->own)
        return true;
    caller->open = true;
    caller->key = key;
    caller->start = record->ts;
    fp_tally *tally = tally_of(caller, key);
    if (tally != NULL)
        tally->calls++;
    return tally != NULL;
}

static bool
left(fp_calls *calls, const fp_record *record, int64_t key, int64_t ret)
{
    fp_caller *caller = fp_calls_caller(calls, record->pid, false);
    if (caller == NULL || !caller->open)
        return true;
    caller->open = false;
    if (caller->key != key)
        return true;
    fp_tally *tally = tally_of(caller, key);
    if (tally == NULL)
        return false;
    uint64_t took = record->ts - caller->start;
    tally->total += took;
    if (took > tally->longest)
        tally->longest = took;
    tally->errors += is_error(ret);
    return true;
}

static int64_t
number(const fp_field *field, const fp_record *record, bool big_endian)
{
    return (int64_t)fp_field_number(field, record, big_endian);
}

size_t
fp_calls_count(fp_calls *calls, const fp_record *records, size_t start, size_t stop, bool raw, bool big_endian, bool *no_memory)
{
    bool done = true;
    size_t at = start;
    for (; at < stop && done; at++) {
        const fp_record *record = &records[at];
        if (record->id >= calls->events_total)
            continue;
        const fp_call_event *event = &calls->events[record->id];
        uint8_t way = raw && event->way < FP_RAW_ENTER ? FP_NO_CALL : event->way;
        if (way == FP_RAW_ENTER)
            done = entered(calls, record, number(&event->nr, record, big_endian));
        else if (way == FP_RAW_EXIT)
            done = left(calls, record, number(&event->nr, record, big_endian), number(&event->ret, record, big_endian));
        else if (way == FP_ENTER)
            done = entered(calls, record, event->key);
        else if (way == FP_EXIT)
            done = left(calls, record, event->key, number(&event->ret, record, big_endian));
        else if (event->handled)
            return at;
    }
    *no_memory = !done;
    return at;
}

void
fp_calls_lost(fp_calls *calls)
{
    for (size_t i = 0; i < calls->callers_room; i++)
        calls->callers[i].open = false;
}

void
fp_caller_clear(fp_caller *caller)
{
    free(caller->tallies);
    caller->tallies = NULL;
    caller->tallies_total = caller->tallies_room = 0;
}
