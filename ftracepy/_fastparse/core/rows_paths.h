/* Opens whose paths are told later, by facts between the events, and whatever must not be shown before them.
 *
 * analysis/pathfacts.py has the rules and says why; here they are for many opens. Which of several paths belong to which opens
 * is asked of it (`settle`) wherever it is not plain. */
#ifndef FP_ROWS_PATHS_H
#define FP_ROWS_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FP_HELD_KEYS = 8, FP_HELD_MOST = 65536 };

/* A path as told: the file was opened between `since` and `when`. Facts of one thread with equal `when` are in no known order. */
typedef struct fp_told {
    struct fp_told *next;
    uint64_t when, written, since;
    size_t length;
    uint8_t path[];
} fp_told;

typedef enum {
    FP_HELD_LINES, /* rows that are made */
    FP_HELD_OPEN,
    FP_HELD_ELSE,  /* Python's; its own deque has them in the same order */
    FP_HELD_ELSE_OPEN
} fp_held_kind;

typedef struct fp_held {
    struct fp_held *next, *later; /* in the order of rows; of the thread's opens */
    uint8_t kind;
    bool waits, shown, sure, has_passed;
    int32_t tid;
    uint64_t start, end;
    uint64_t keys[FP_HELD_KEYS]; /* the call's arguments: opens with equal ones may have opened the same file */
    size_t keys_total;
    fp_told *path; /* its own copy; NULL: not known */
    size_t head_length, passed_length;
    uint8_t bytes[]; /* what stands in the row before the path, or the rows; then the path as passed */
} fp_held;

/* What is put in: `head` and `passed` are copied. */
typedef struct {
    fp_held_kind kind;
    bool shown;
    int32_t tid;
    uint64_t start, end;
    const uint64_t *keys;
    size_t keys_total;
    const uint8_t *head, *passed; /* passed NULL: nobody could read it */
    size_t head_length, passed_length;
} fp_to_hold;

typedef struct {
    int32_t tid;
    bool used;
    fp_held *opens, *last_open;
    fp_told *told, *last_told;
    size_t opens_total, told_total;
} fp_paths_thread;

/* The answer about one open: a path by its place among those told, or -1. */
typedef struct {
    ptrdiff_t told;
    bool sure;
} fp_share;

/* Who is asked; false where no answer came, which ends everything. */
typedef struct {
    void *whom;
    bool (*in_open)(void *whom, int32_t tid, bool *answer);
    bool (*settle)(void *whom, fp_held *const *opens, size_t opens_total, fp_told *const *told, size_t told_total, fp_share *shares);
} fp_paths_rules;

typedef struct {
    fp_held *first, *last;
    size_t held_total;
    fp_paths_thread *threads; /* open addressing by tid; the room is a power of two */
    size_t threads_total, threads_room;
    fp_paths_rules rules;
} fp_paths;

void fp_paths_deinit(fp_paths *paths);

static inline bool
fp_paths_waiting(const fp_paths *paths)
{
    return paths->first != NULL;
}

/* All of these: false without memory or an answer. */
bool fp_paths_hold(fp_paths *paths, const fp_to_hold *held, bool waits);
bool fp_paths_tell(fp_paths *paths, int32_t tid, const fp_told *head, const uint8_t *path);
bool fp_paths_caught_up(fp_paths *paths, uint64_t when, uint64_t now);

/* Of what ended until `before` nothing is waited for any more. */
void fp_paths_give_up(fp_paths *paths, uint64_t before);
void fp_paths_lost(fp_paths *paths);

/* The thread's opens that ended before `when`: settled, where it is known how many of its facts are theirs (rows_match.c). */
bool fp_paths_match(const fp_paths *paths, fp_paths_thread *thread, uint64_t when, uint64_t now);
void fp_paths_pop_open(fp_paths_thread *thread);
void fp_paths_pop_told(fp_paths_thread *thread);

/* NULL without memory; `path` has head->length bytes. */
fp_told *fp_told_copy(const fp_told *head, const uint8_t *path);

/* The first in the order, if nothing is waited for before it can be shown. */
fp_held *fp_paths_ready(const fp_paths *paths);
void fp_paths_drop_first(fp_paths *paths);

#endif
