/* Rows of events as they are, and what all rows share: threads by number, events by id. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_TASKS = 256, FIRST_EVENTS = 16, IDS = UINT16_MAX + 1 };

bool
fp_rows_init(fp_rows *rows)
{
    memset(rows, 0, sizeof *rows);
    rows->by_id = calloc(IDS, sizeof *rows->by_id);
    rows->tasks = calloc(FIRST_TASKS, sizeof *rows->tasks);
    rows->tasks_room = FIRST_TASKS;
    return rows->by_id != NULL && rows->tasks != NULL;
}

void
fp_rows_deinit(fp_rows *rows)
{
    for (size_t i = 0; i < rows->cells_total; i++) {
        free(rows->cells[i].before.data);
        free(rows->cells[i].none.data);
        fp_text_map_clear(&rows->cells[i].names);
    }
    for (size_t i = 0; i < rows->events_total; i++)
        free(rows->events[i].name.data);
    free(rows->end.data);
    free(rows->by_id);
    free(rows->events);
    free(rows->tasks);
    free(rows->out.data);
    fp_paths_deinit(&rows->paths);
}

fp_row_event *
fp_rows_event(fp_rows *rows, uint16_t id)
{
    if (rows->by_id[id])
        return &rows->events[rows->by_id[id] - 1];
    if (rows->events_total == rows->events_room) {
        size_t room = rows->events_room ? rows->events_room * 2 : FIRST_EVENTS;
        fp_row_event *events = room < IDS ? realloc(rows->events, room * sizeof *events) : NULL;
        if (events == NULL)
            return NULL;
        rows->events = events;
        rows->events_room = room;
    }
    fp_row_event *event = &rows->events[rows->events_total++];
    memset(event, 0, sizeof *event);
    rows->by_id[id] = (uint16_t)rows->events_total;
    return event;
}

/* Where `tid` is, or belongs. */
static fp_row_task *
place_of(fp_row_task *tasks, size_t room, int32_t tid)
{
    size_t at = ((uint32_t)tid * UINT32_C(2654435769)) & (room - 1);
    while (tasks[at].used && tasks[at].tid != tid)
        at = (at + 1) & (room - 1);
    return &tasks[at];
}

/* Room for more threads, or only those dropped of which nothing is known. */
static bool
rebuild(fp_rows *rows)
{
    size_t known = 0;
    for (size_t i = 0; i < rows->tasks_room; i++)
        known += rows->tasks[i].known || rows->tasks[i].settled;
    size_t room = known * 4 >= rows->tasks_room ? rows->tasks_room * 2 : rows->tasks_room;
    fp_row_task *tasks = calloc(room, sizeof *tasks);
    if (tasks == NULL)
        return false;
    for (size_t i = 0; i < rows->tasks_room; i++)
        if (rows->tasks[i].known || rows->tasks[i].settled)
            *place_of(tasks, room, rows->tasks[i].tid) = rows->tasks[i];
    free(rows->tasks);
    rows->tasks = tasks;
    rows->tasks_room = room;
    rows->tasks_total = known;
    return true;
}

fp_row_task *
fp_rows_task(fp_rows *rows, int32_t tid, bool make)
{
    fp_row_task *place = place_of(rows->tasks, rows->tasks_room, tid);
    if (place->used || !make)
        return place->used ? place : NULL;
    if (rows->tasks_total * 2 >= rows->tasks_room) {
        if (!rebuild(rows))
            return NULL;
        place = place_of(rows->tasks, rows->tasks_room, tid);
    }
    memset(place, 0, sizeof *place);
    place->tid = tid;
    place->used = true;
    rows->tasks_total++;
    return place;
}

bool
fp_rows_plain(const fp_rows *rows, const uint8_t *text, size_t length)
{
    bool refused = false;
    for (size_t i = 0; i < length; i++)
        refused |= rows->refused[text[i]];
    return !refused;
}

static fp_rows_why
shown(fp_rows *rows, const fp_row_event *event, const fp_row_task *task, const fp_record *record)
{
    if (!task->shown)
        return FP_ROWS_DONE;
    return fp_row_put(rows, &(fp_row){.at = record, .event = event, .task = task}, 0, rows->cells_total);
}

static fp_rows_why
one(fp_rows *rows, const fp_row_event *event, const fp_record *records, size_t at)
{
    if (event->way == FP_ROW_ELSE)
        return FP_ROWS_ELSE;
    if (rows->out.used > FP_ROW_PIECE)
        return FP_ROWS_FULL;
    if (event->way == FP_ROW_FACT)
        return fp_rows_fact(rows, event, &records[at]);
    fp_row_task *task = fp_rows_task(rows, records[at].pid, false);
    if (task == NULL || !task->known)
        return FP_ROWS_TASK;
    if (task->odd)
        return FP_ROWS_ELSE;
    return event->way == FP_ROW_SHOWN ? shown(rows, event, task, &records[at]) : fp_rows_call(rows, event, task, records, at);
}

size_t
fp_rows_make(fp_rows *rows, const fp_record *records, size_t start, size_t stop, fp_rows_why *why)
{
    *why = fp_rows_flush(rows);
    for (size_t at = start; at < stop && *why == FP_ROWS_DONE; at++) {
        uint16_t place = rows->by_id[records[at].id];
        if (place == 0)
            continue;
        size_t used = rows->out.used;
        *why = one(rows, &rows->events[place - 1], records, at);
        if (*why != FP_ROWS_DONE)
            return at;
        if (rows->out.used > used)
            *why = fp_rows_hold_back(rows, used);
        if (*why == FP_ROWS_DONE)
            *why = fp_rows_flush(rows);
        start = at + 1;
    }
    return *why == FP_ROWS_DONE ? stop : start;
}
