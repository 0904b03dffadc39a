/* Rows in their order where some wait for a path that is told later; see rows_paths.h. */
#include "cursor.h"
#include "facts.h"
#include "rows.h"
#include "text_out.h"

enum { UNKNOWN_BY, PASSED_BY, KERNEL_BY };
static const char AIDE[] = "opens";

typedef struct {
    uint8_t kind, more;
    int32_t tid;
    uint64_t when;
    const uint8_t *body;
    size_t length;
} fact;

static bool
is_untold(const fp_rows *rows, const fp_row *row, const uint64_t *keys)
{
    const fp_row_event *event = row->event;
    return row->enter->ts < rows->told_from || (event->flags_key && keys[event->flags_key - 1] & event->untold);
}

fp_rows_why
fp_rows_open_later(fp_rows *rows, const fp_row *row, bool shown)
{
    const fp_row_event *event = row->event;
    size_t start = rows->out.used;
    uint64_t keys[FP_HELD_KEYS];
    if (row->path && !fp_rows_plain(rows, row->path, row->path_length))
        return FP_ROWS_ELSE;
    fp_rows_why why = shown ? fp_row_put(rows, row, 0, rows->path_cell) : FP_ROWS_DONE;
    if (why != FP_ROWS_DONE)
        return why;
    for (size_t i = 0; i < event->keys_total; i++)
        keys[i] = fp_field_number(&event->keys[i], row->enter, rows->big_endian);
    fp_to_hold held = {.kind = FP_HELD_OPEN, .shown = shown, .tid = row->task->tid, .start = row->enter->ts, .end = row->at->ts,
                       .keys = keys, .keys_total = event->keys_total, .passed = row->path, .passed_length = row->path_length,
                       .head = rows->out.data + start, .head_length = rows->out.used - start};
    bool done = fp_paths_hold(&rows->paths, &held, !is_untold(rows, row, keys));
    rows->out.used = start;
    return done ? FP_ROWS_DONE : FP_ROWS_FAILED;
}

fp_rows_why
fp_rows_hold_back(fp_rows *rows, size_t start)
{
    if (!fp_paths_waiting(&rows->paths))
        return FP_ROWS_DONE;
    fp_to_hold held = {.kind = FP_HELD_LINES, .shown = true, .head = rows->out.data + start, .head_length = rows->out.used - start};
    rows->out.used = start;
    return fp_paths_hold(&rows->paths, &held, false) ? FP_ROWS_DONE : FP_ROWS_FAILED;
}

/* The row of an open from the path on: of a file of which only the last component is known the path passed says more. */
static fp_rows_why
put_tail(fp_rows *rows, const fp_held *open)
{
    static const fp_row_event nothing;
    const fp_told *told = open->path;
    unsigned by = open->has_passed ? PASSED_BY : UNKNOWN_BY;
    fp_row row = {.event = &nothing};
    if (told && (!open->has_passed || (told->length && told->path[0] == '/'))) {
        by = open->sure ? KERNEL_BY : PASSED_BY;
        row.path = told->path;
        row.path_length = told->length;
    } else if (open->has_passed) {
        row.path = open->bytes + open->head_length;
        row.path_length = open->passed_length;
    }
    row.path_copied = by == KERNEL_BY;
    fp_rows_why why = fp_row_put(rows, &row, rows->path_cell, rows->cells_total);
    if (why == FP_ROWS_ELSE)
        why = rows->tail(rows->paths.rules.whom, row.path, row.path_length, by, &rows->out) ? FP_ROWS_DONE : FP_ROWS_FAILED;
    return why;
}

fp_rows_why
fp_rows_flush(fp_rows *rows)
{
    for (const fp_held *first; (first = fp_paths_ready(&rows->paths)) != NULL; fp_paths_drop_first(&rows->paths)) {
        size_t start = rows->out.used;
        if (first->kind == FP_HELD_ELSE || first->kind == FP_HELD_ELSE_OPEN)
            return FP_ROWS_HELD;
        if (rows->out.used > FP_ROW_PIECE)
            return FP_ROWS_FULL;
        if (first->shown)
            fp_out_bytes(&rows->out, first->bytes, first->head_length);
        fp_rows_why why = first->kind == FP_HELD_OPEN && first->shown ? put_tail(rows, first) : FP_ROWS_DONE;
        if (why != FP_ROWS_DONE)
            rows->out.used = start;
        if (why != FP_ROWS_DONE || rows->out.failed)
            return why != FP_ROWS_DONE ? why : FP_ROWS_FAILED;
    }
    return FP_ROWS_DONE;
}

/* False where it is none of ours. */
static bool
read_fact(const fp_rows *rows, const fp_row_event *event, const fp_record *record, fact *made)
{
    size_t bytes;
    const uint8_t *at = fp_field_bytes(&event->text, record, rows->big_endian, &bytes);
    bool is_ours = (uint32_t)fp_field_number(&event->number, record, rows->big_endian) == FP_FACT_MAGIC;
    if (!is_ours || bytes < FP_FACT_HEAD)
        return false;
    size_t length = fp_load_u16(at + 2, rows->big_endian);
    *made = (fact){at[0], at[1], (int32_t)fp_load_u32(at + 4, rows->big_endian), fp_load_u64(at + 8, rows->big_endian),
                   at + FP_FACT_HEAD, length < bytes - FP_FACT_HEAD ? length : bytes - FP_FACT_HEAD};
    return true;
}

/* Decimal digits to the end; 0 where there is anything else, the most there is where it is more, or more than 20 digits. */
static uint64_t
digits(const uint8_t *at, size_t length)
{
    uint64_t value = 0;
    bool is_more = length > 20;
    for (size_t i = 0; i < length; i++) {
        if (at[i] < '0' || at[i] > '9')
            return 0;
        is_more = is_more || __builtin_mul_overflow(value, 10, &value) ||
                  __builtin_add_overflow(value, (uint64_t)(at[i] - '0'), &value);
    }
    return is_more ? UINT64_MAX : value;
}

static bool
is_ascii(const uint8_t *at, size_t length)
{
    uint8_t all = 0;
    for (size_t i = 0; i < length; i++)
        all |= at[i];
    return all < 0x80;
}

static bool
tell(fp_rows *rows, const fact *given, uint64_t written)
{
    size_t length = fp_row_length(given->body, given->length);
    fp_told told = {.when = given->when, .written = written, .length = length};
    if (length < given->length)
        told.since = digits(given->body + length + 1, given->length - length - 1);
    return fp_paths_tell(&rows->paths, given->tid, &told, given->body);
}

fp_rows_why
fp_rows_fact(fp_rows *rows, const fp_row_event *event, const fp_record *record)
{
    fact given;
    if (!read_fact(rows, event, record, &given))
        return FP_ROWS_DONE;
    bool is_path = given.kind == FP_FACT_PATH && is_ascii(given.body, given.length);
    bool is_whole = !given.more && !rows->facts_elsewhere;
    bool is_reached = given.kind == FP_FACT_CAUGHT_UP && given.length == sizeof AIDE - 1 && memcmp(given.body, AIDE, sizeof AIDE - 1) == 0;
    if (!rows->copies_only || !is_whole || !(is_path || is_reached))
        return FP_ROWS_ELSE;
    bool done = is_path ? tell(rows, &given, record->ts) : fp_paths_caught_up(&rows->paths, given.when, record->ts);
    return done ? FP_ROWS_DONE : FP_ROWS_FAILED;
}
