/* Rows of tools made of records: events shown as they are, and plain system calls. What is not plain is left to Python, whose
 * rules for it are the only ones: calls that signals, execs, exits or a batch's end cut in two, and text that needs an escape. */
#ifndef FP_ROWS_H
#define FP_ROWS_H

#include "field.h"
#include "rows_paths.h"
#include "text.h"

#include <string.h>

enum { FP_ROW_CELLS = 16, FP_ROW_COMM = 16, FP_ROW_NAMES = 4096, FP_ROW_PIECE = 1 << 18 };

/* Where a cell's value comes from; those from FP_CELL_NUMBER on are a call's. */
typedef enum {
    FP_CELL_SECONDS, /* the time, with microseconds */
    FP_CELL_STAMP,   /* the time in nanoseconds */
    FP_CELL_PID,
    FP_CELL_COMM,
    FP_CELL_CPU,
    FP_CELL_EVENT,  /* what the event is called */
    FP_CELL_TEXT,   /* its own text */
    FP_CELL_NUMBER, /* an argument that is a C int */
    FP_CELL_NAMED,  /* an argument by name */
    FP_CELL_TARGET, /* the task that an argument numbers; none for 0 and less, which number groups */
    FP_CELL_RET,    /* what a call returned that worked */
    FP_CELL_ERROR,  /* why it failed */
    FP_CELL_RESULT, /* the same, 0 where it worked */
    FP_CELL_PATH,
    FP_CELL_PATH_BY, /* how its path was got */
    FP_CELL_KINDS
} fp_cell_kind;

typedef struct {
    uint8_t *data;
    size_t length;
} fp_row_text;

typedef struct {
    uint8_t kind, quote; /* quote: around text, 0 for none */
    bool right;
    size_t width;
    fp_row_text before, none;
    fp_text_map names; /* of FP_CELL_NAMED, FP_CELL_ERROR and FP_CELL_RESULT */
} fp_cell;

typedef enum {
    FP_ROW_NOTHING,
    FP_ROW_SHOWN, /* a row of its own */
    FP_ROW_ENTER,
    FP_ROW_EXIT,
    FP_ROW_NOTE, /* hit within a call: it tells the target */
    FP_ROW_SITE, /* the path as it lay in the caller's memory, hit before the entry */
    FP_ROW_COPY, /* the path as the kernel has copied it, hit within the call */
    FP_ROW_FACT, /* a side fact (sidefacts.py): it may tell a path */
    FP_ROW_ELSE, /* somebody else's */
    FP_ROW_WAYS
} fp_row_way;

/* What an event id is. In `number` is the call's number, of a note the task it is about. Of an entry
 * `args` are the fields for the cells of that place, `text` the path, where `has_text`, and `keys` all its numbers; those
 * whose flags (one of the keys, from 1; 0: none) have `untold` in them are told by nobody. */
typedef struct {
    uint8_t way;
    bool has_text;
    fp_field number, ret, text, args[FP_ROW_CELLS], keys[FP_HELD_KEYS];
    size_t keys_total, flags_key;
    uint64_t untold;
    fp_row_text name;
} fp_row_event;

/* One thread. Places in the batch are counted from 1, 0 being none. */
typedef struct {
    int32_t tid, pid;
    bool used, known, own, shown, odd, nameless, taken; /* taken: Python has half a call of it */
    uint8_t comm_length, comm[FP_ROW_COMM];
    size_t enter, note, site, copy;
    bool settled; /* a call has ended since Python was last told: */
    int64_t nr, ret;
} fp_row_task;

/* The cells about a path that is not plain, and the row's end, appended to `out`; false where no answer came. */
typedef bool (*fp_row_tail)(void *whom, const uint8_t *path, size_t length, unsigned by, fp_text_out *out);

typedef struct {
    fp_cell cells[FP_ROW_CELLS];
    size_t cells_total, path_cell; /* path_cell: the first that is about a path */
    fp_row_text end;
    bool refused[256]; /* bytes that are not plain here */
    bool big_endian, failed_only;
    bool copies_only;    /* other paths of opens that worked are still to come, */
    uint64_t told_from;  /* where the open began then or later */
    bool facts_elsewhere; /* pieces of a long fact are, and the others may be of the same */
    fp_paths paths;
    fp_row_tail tail; /* asked of paths.rules.whom */
    uint64_t mult;
    unsigned shift;
    int64_t offset;
    uint16_t *by_id; /* places in `events`, from 1 */
    fp_row_event *events;
    size_t events_total, events_room;
    fp_row_task *tasks; /* open addressing by tid; the room is a power of two */
    size_t tasks_total, tasks_room;
    fp_text_machine *machine;
    fp_text_out out;
    int32_t nobody; /* a number that no thread has at the moment; 0: none is known */
    size_t asked_cell;
    uint64_t asked;
} fp_rows;

/* Why making rows stopped: at the end, for room, at what is somebody else's, or for what is to be told first: whose thread it is,
 * the event's program, the name of number `asked` in cell `asked_cell`, or who thread `asked` is. At HELD the first in the
 * order is Python's. FAILED: no memory, or no answer of those who were asked. */
typedef enum { FP_ROWS_DONE, FP_ROWS_FULL, FP_ROWS_ELSE, FP_ROWS_TASK, FP_ROWS_PROGRAM, FP_ROWS_NAME,
               FP_ROWS_TARGET, FP_ROWS_HELD, FP_ROWS_FAILED } fp_rows_why;

/* False without memory. */
bool fp_rows_init(fp_rows *rows);
void fp_rows_deinit(fp_rows *rows);

/* The place for what `id` is; NULL without memory. */
fp_row_event *fp_rows_event(fp_rows *rows, uint16_t id);

/* The thread's place; NULL where it has none or, with `make`, without memory. */
fp_row_task *fp_rows_task(fp_rows *rows, int32_t tid, bool make);

bool fp_rows_plain(const fp_rows *rows, const uint8_t *text, size_t length);

/* Append the rows of the records from `start` on to rows->out, which the caller empties; returns how far it came. */
size_t fp_rows_make(fp_rows *rows, const fp_record *records, size_t start, size_t stop, fp_rows_why *why);

/* A row as its cells are made from. */
typedef struct {
    const fp_record *at, *enter, *note; /* at: the event, or the exit */
    const fp_row_event *event;          /* of `at`, of a call its entry's */
    const fp_row_task *task;
    const uint8_t *path; /* NULL: nobody could read it */
    size_t path_length;
    bool path_copied;
    int64_t ret;
} fp_row;

/* Append the row's cells from `first` to before `end`; FP_ROWS_DONE, or why not, the output then being as it was. */
fp_rows_why fp_row_put(fp_rows *rows, const fp_row *row, size_t first, size_t end);

/* What an event of a call's means for its thread; a row where it ends one. */
fp_rows_why fp_rows_call(fp_rows *rows, const fp_row_event *event, fp_row_task *task, const fp_record *records, size_t at);

/* Rows held back (rows_later.c): an open whose path is told later, as far as its row can be made; a fact; what was appended
 * since `start`, where something is held before it; and those that can be shown now. */
fp_rows_why fp_rows_open_later(fp_rows *rows, const fp_row *row, bool shown);
fp_rows_why fp_rows_fact(fp_rows *rows, const fp_row_event *event, const fp_record *record);
fp_rows_why fp_rows_hold_back(fp_rows *rows, size_t start);
fp_rows_why fp_rows_flush(fp_rows *rows);

/* Bytes before the first NUL, `most` where there is none. */
static inline size_t
fp_row_length(const uint8_t *text, size_t most)
{
    const uint8_t *end = most ? memchr(text, 0, most) : NULL;
    return end != NULL ? (size_t)(end - text) : most;
}

static inline bool
fp_row_failed(int64_t ret)
{
    return ret < 0 && ret >= -4095; /* kernel: IS_ERR_VALUE */
}

#endif
