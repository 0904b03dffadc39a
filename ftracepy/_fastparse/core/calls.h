/* System calls counted and timed by thread, entry and exit paired as they come. */
#ifndef FP_CALLS_H
#define FP_CALLS_H

#include "field.h"

typedef enum { FP_NO_CALL, FP_ENTER, FP_EXIT, FP_RAW_ENTER, FP_RAW_EXIT } fp_call_way;

/* What an event id is: a call's entry or exit by name (`key`), one of any call (whose number is in `nr`), or neither.
 * A `handled` one that counts for nothing here is somebody else's to look at. */
typedef struct {
    uint8_t way;
    bool handled;
    bool resolved; /* `nr` and `ret` are set */
    int64_t key;
    fp_field nr, ret;
} fp_call_event;

typedef struct {
    int64_t key;
    uint64_t calls, errors, total, longest;
} fp_tally;

typedef struct {
    int32_t tid;
    bool used, own, open;
    uint32_t last; /* the tally used last */
    int64_t key;   /* of the call it is in, where one is open */
    uint64_t start;
    fp_tally *tallies;
    size_t tallies_total, tallies_room;
} fp_caller;

typedef struct {
    fp_call_event *events; /* by id */
    size_t events_total;
    fp_caller *callers; /* open addressing by tid; the room is a power of two */
    size_t callers_total, callers_room;
} fp_calls;

/* False without memory. */
bool fp_calls_init(fp_calls *calls, size_t events_total);
void fp_calls_deinit(fp_calls *calls);

/* Count the records from `start` on; returns `stop`, or the index of one that is somebody else's. With `raw` entries and exits by
 * name count for nothing. Sets `*no_memory`, and returns where it came to, if there is none. */
size_t fp_calls_count(fp_calls *calls, const fp_record *records, size_t start, size_t stop, bool raw, bool big_endian, bool *no_memory);

/* The thread's place, or NULL where it has none (or, with `make`, no memory). */
fp_caller *fp_calls_caller(fp_calls *calls, int32_t tid, bool make);

/* Whatever is open is not known any more. */
void fp_calls_lost(fp_calls *calls);

/* Forget the thread's tallies; the call it is in stays open. */
void fp_caller_clear(fp_caller *caller);

/* Give up the places of threads of which nothing is kept. Without memory they stay. */
void fp_calls_trim(fp_calls *calls);

#endif
