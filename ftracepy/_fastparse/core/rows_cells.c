/* The cells of a row: the value, what stands before it, and its padding. */
#include "cursor.h"
#include "rows.h"
#include "text_out.h"

static void
put_signed(fp_text_out *out, int64_t value)
{
    if (value < 0)
        fp_out_byte(out, '-');
    fp_out_decimal(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static fp_rows_why
put_time(fp_rows *rows, uint64_t raw, bool seconds)
{
    unsigned __int128 ticks = ((unsigned __int128)raw * rows->mult) >> rows->shift;
    __int128 ns = (__int128)ticks + rows->offset;
    if (ns < 0 || ns > INT64_MAX)
        return FP_ROWS_ELSE;
    if (!seconds) {
        fp_out_decimal(&rows->out, (uint64_t)ns);
        return FP_ROWS_DONE;
    }
    fp_out_decimal(&rows->out, (uint64_t)ns / 1000000000);
    fp_out_byte(&rows->out, '.');
    fp_out_decimal_padded(&rows->out, (uint64_t)ns / 1000 % 1000000, 6, '0');
    return FP_ROWS_DONE;
}

static fp_rows_why
put_text(fp_rows *rows, const fp_cell *cell, const uint8_t *text, size_t length)
{
    if (!fp_rows_plain(rows, text, length))
        return FP_ROWS_ELSE;
    if (cell->quote)
        fp_out_byte(&rows->out, cell->quote);
    fp_out_bytes(&rows->out, text, length);
    if (cell->quote)
        fp_out_byte(&rows->out, cell->quote);
    return FP_ROWS_DONE;
}

/* The event's own text, without the line end that some bring. */
static fp_rows_why
put_own_text(fp_rows *rows, const fp_row *row)
{
    fp_text_machine *machine = rows->machine;
    uint16_t id = row->at->id;
    if (machine == NULL)
        return FP_ROWS_ELSE;
    if (id >= machine->programs_total || machine->programs[id] == NULL)
        return FP_ROWS_PROGRAM;
    fp_text_out *out = &rows->out;
    size_t start = out->used;
    fp_record bare = {.data = row->at->data, .length = row->at->length, .id = id};
    fp_text_run(machine, machine->programs[id], &bare, out);
    if (out->used > start && out->data[out->used - 1] == '\n')
        out->used--;
    return fp_rows_plain(rows, out->data + start, out->used - start) ? FP_ROWS_DONE : FP_ROWS_ELSE;
}

static fp_rows_why
put_named(fp_rows *rows, fp_cell *cell, uint64_t number)
{
    size_t length;
    const uint8_t *name = fp_text_map_find(&cell->names, number, &length);
    if (name != NULL)
        return put_text(rows, cell, name, length);
    if (cell->names.total >= FP_ROW_NAMES)
        return FP_ROWS_ELSE;
    rows->asked_cell = (size_t)(cell - rows->cells);
    rows->asked = number;
    return FP_ROWS_NAME;
}

static fp_rows_why
put_none(fp_rows *rows, const fp_cell *cell)
{
    fp_out_bytes(&rows->out, cell->none.data, cell->none.length);
    return FP_ROWS_DONE;
}

/* The note names the task that it is about; of others our own table does. */
static fp_rows_why
put_target(fp_rows *rows, const fp_cell *cell, const fp_row *row, int32_t tid)
{
    if (tid <= 0)
        return put_none(rows, cell);
    const fp_row_event *note = row->note ? &rows->events[rows->by_id[row->note->id] - 1] : NULL;
    if (note != NULL && (int64_t)fp_field_number(&note->number, row->note, rows->big_endian) == tid) {
        size_t bytes;
        const uint8_t *comm = fp_field_bytes(&note->text, row->note, rows->big_endian, &bytes);
        return put_text(rows, cell, comm, fp_row_length(comm, bytes));
    }
    if (tid == rows->nobody)
        return put_none(rows, cell);
    const fp_row_task *task = fp_rows_task(rows, tid, false);
    if (task == NULL || !task->known) {
        rows->asked = (uint64_t)tid;
        return FP_ROWS_TARGET;
    }
    if (task->odd)
        return FP_ROWS_ELSE;
    return task->nameless ? put_none(rows, cell) : put_text(rows, cell, task->comm, task->comm_length);
}

/* What only a call has. */
static fp_rows_why
put_of_call(fp_rows *rows, fp_cell *cell, const fp_row *row)
{
    const fp_field *field = &row->event->args[cell - rows->cells];
    uint64_t number = field->element_bytes ? fp_field_number(field, row->enter, rows->big_endian) : 0;
    bool failed = fp_row_failed(row->ret);
    switch (cell->kind) {
    case FP_CELL_NUMBER:
        put_signed(&rows->out, (int32_t)(uint32_t)number);
        return FP_ROWS_DONE;
    case FP_CELL_NAMED:
        return put_named(rows, cell, number);
    case FP_CELL_TARGET:
        return put_target(rows, cell, row, (int32_t)(uint32_t)number);
    case FP_CELL_RET:
        if (failed)
            return put_none(rows, cell);
        put_signed(&rows->out, row->ret);
        return FP_ROWS_DONE;
    case FP_CELL_ERROR:
        return failed ? put_named(rows, cell, (uint64_t)-row->ret) : put_none(rows, cell);
    case FP_CELL_RESULT:
        return put_named(rows, cell, failed ? (uint64_t)-row->ret : 0);
    case FP_CELL_PATH:
        return row->path ? put_text(rows, cell, row->path, row->path_length) : put_none(rows, cell);
    default:
        return put_named(rows, cell, row->path == NULL ? 0 : row->path_copied ? 2 : 1);
    }
}

static fp_rows_why
put_value(fp_rows *rows, fp_cell *cell, const fp_row *row)
{
    fp_text_out *out = &rows->out;
    switch (cell->kind) {
    case FP_CELL_SECONDS:
    case FP_CELL_STAMP:
        return put_time(rows, row->at->ts, cell->kind == FP_CELL_SECONDS);
    case FP_CELL_PID:
        put_signed(out, row->task->pid);
        return FP_ROWS_DONE;
    case FP_CELL_COMM:
        return put_text(rows, cell, row->task->comm, row->task->comm_length);
    case FP_CELL_CPU:
        fp_out_decimal(out, row->at->cpu);
        return FP_ROWS_DONE;
    case FP_CELL_EVENT:
        return put_text(rows, cell, row->event->name.data, row->event->name.length);
    case FP_CELL_TEXT:
        return put_own_text(rows, row);
    default:
        return put_of_call(rows, cell, row);
    }
}

static void
pad(fp_text_out *out, const fp_cell *cell, size_t start)
{
    size_t length = out->used - start, missing = cell->width > length ? cell->width - length : 0;
    if (missing == 0 || !fp_out_room(out, missing))
        return;
    uint8_t *gap = out->data + out->used;
    if (cell->right) {
        gap = out->data + start;
        memmove(gap + missing, gap, length);
    }
    memset(gap, ' ', missing);
    out->used += missing;
}

fp_rows_why
fp_row_put(fp_rows *rows, const fp_row *row, size_t first, size_t end)
{
    fp_text_out *out = &rows->out;
    size_t start = out->used;
    for (size_t i = first; i < end; i++) {
        fp_cell *cell = &rows->cells[i];
        fp_out_bytes(out, cell->before.data, cell->before.length);
        size_t value = out->used;
        fp_rows_why why = put_value(rows, cell, row);
        if (why != FP_ROWS_DONE) {
            out->used = start;
            return why;
        }
        pad(out, cell, value);
    }
    if (end == rows->cells_total)
        fp_out_bytes(out, rows->end.data, rows->end.length);
    return out->failed ? FP_ROWS_FAILED : FP_ROWS_DONE;
}
