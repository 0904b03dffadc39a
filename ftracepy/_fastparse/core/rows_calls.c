/* Plain system calls: entry, perhaps a note or a path, and exit of one thread within one batch, with nothing else between. */
#include "rows.h"

static bool
is_restart(int64_t ret)
{
    return ret == -512 || ret == -513 || ret == -514 || ret == -516; /* the kernel's own codes, which no program sees */
}

static int64_t
number(const fp_rows *rows, const fp_field *field, const fp_record *record)
{
    return (int64_t)fp_field_number(field, record, rows->big_endian);
}

static const fp_row_event *
event_of(const fp_rows *rows, const fp_record *record)
{
    return &rows->events[rows->by_id[record->id] - 1];
}

/* A text that ends within the field; false where its end was not captured. */
static bool
text_of(const fp_rows *rows, const fp_field *field, const fp_record *record, fp_row *row)
{
    size_t bytes;
    row->path = fp_field_bytes(field, record, rows->big_endian, &bytes);
    row->path_length = fp_row_length(row->path, bytes);
    return row->path_length < bytes;
}

static bool
is_read(const fp_row *row)
{
    return row->path_length && row->path[0] != '('; /* (fault) */
}

/* The path nearest to what the kernel used: its own copy, what lay at the call, what came with the entry. */
static bool
find_path(const fp_rows *rows, const fp_row_event *enter, const fp_record *records, fp_row *row)
{
    const fp_row_task *task = row->task;
    if (task->copy) {
        const fp_record *copy = &records[task->copy - 1];
        row->path_copied = text_of(rows, &event_of(rows, copy)->text, copy, row);
        return row->path_copied && is_read(row);
    }
    const fp_record *site = task->site ? &records[task->site - 1] : NULL;
    const fp_row_event *probe = site ? event_of(rows, site) : NULL;
    if (probe && number(rows, &probe->number, site) == number(rows, &enter->number, row->enter))
        return text_of(rows, &probe->text, site, row);
    if (enter->has_text)
        return text_of(rows, &enter->text, row->enter, row) && row->path_length;
    return true;
}

static fp_rows_why
left(fp_rows *rows, const fp_row_event *event, fp_row_task *task, const fp_record *records, size_t at)
{
    const fp_record *record = &records[at];
    if (!task->enter || task->taken)
        return FP_ROWS_ELSE;
    fp_row row = {.at = record, .task = task, .enter = &records[task->enter - 1], .ret = number(rows, &event->ret, record)};
    row.note = task->note ? &records[task->note - 1] : NULL;
    row.event = event_of(rows, row.enter);
    int64_t nr = number(rows, &event->number, record);
    if (nr != number(rows, &row.event->number, row.enter) || is_restart(row.ret) || !find_path(rows, row.event, records, &row))
        return FP_ROWS_ELSE;
    bool shown = task->shown && (fp_row_failed(row.ret) || !rows->failed_only);
    bool later = rows->copies_only && rows->path_cell < rows->cells_total && row.ret >= 0 && !row.path_copied;
    fp_rows_why why = later   ? fp_rows_open_later(rows, &row, shown)
                      : shown ? fp_row_put(rows, &row, 0, rows->cells_total)
                              : FP_ROWS_DONE;
    if (why != FP_ROWS_DONE)
        return why;
    task->enter = task->note = task->site = task->copy = 0;
    task->settled = true;
    task->nr = nr;
    task->ret = row.ret;
    return why;
}

/* Of the kernel's copies the first counts, where it was read: later ones are links followed. */
static fp_rows_why
another(const fp_rows *rows, const fp_row_event *event, const fp_record *first)
{
    fp_row row = {0};
    bool counts = event->way == FP_ROW_COPY && text_of(rows, &event_of(rows, first)->text, first, &row) && is_read(&row);
    return counts ? FP_ROWS_DONE : FP_ROWS_ELSE;
}

fp_rows_why
fp_rows_call(fp_rows *rows, const fp_row_event *event, fp_row_task *task, const fp_record *records, size_t at)
{
    if (task->own)
        return FP_ROWS_DONE;
    if (event->way == FP_ROW_EXIT)
        return left(rows, event, task, records, at);
    size_t *place = event->way == FP_ROW_ENTER ? &task->enter : event->way == FP_ROW_NOTE ? &task->note : &task->copy;
    if (task->taken || (event->way == FP_ROW_SITE && task->enter))
        return FP_ROWS_ELSE;
    if (event->way == FP_ROW_SITE) {
        task->site = at + 1; /* a call that was never made may have left one */
        return FP_ROWS_DONE;
    }
    if (event->way != FP_ROW_ENTER && !task->enter)
        return FP_ROWS_DONE;
    if (*place)
        return another(rows, event, &records[*place - 1]);
    *place = at + 1;
    return FP_ROWS_DONE;
}
