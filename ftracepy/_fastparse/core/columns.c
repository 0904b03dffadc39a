/* Walking notes where each row's record lies; its fields are read a little later, column by column, from bytes still near. */
#include "columns.h"

#include "walk.h"

#include <stdlib.h>

enum {
    LINE = 64,     /* bytes of a cache line: what two threads write lies in none together, or both wait at every event */
    ROWS_LEAST = 32, /* more than a line, of numbers of 4 bytes */
};

/* `old`, which had `n` types and is given back, with room for one more, or NULL: then `old` stays. */
static fp_type_rows *
one_more(fp_type_rows *old, size_t n)
{
    fp_type_rows *grown = aligned_alloc(LINE, ((n + 1) * sizeof *grown + LINE - 1) / LINE * LINE);
    if (grown != NULL && n > 0)
        memcpy(grown, old, n * sizeof *grown);
    if (grown != NULL)
        free(old);
    return grown;
}

bool
fp_columns_init(fp_columns *columns, const fp_layout *layout, bool only)
{
    *columns = (fp_columns){.big_endian = layout->big_endian};
    columns->usual = !layout->big_endian && !FP_HOST_BIG && layout->common_bytes == sizeof(fp_common) &&
                     layout->type_offset == offsetof(fp_common, id) && layout->pid_offset == offsetof(fp_common, pid);
    columns->places = calloc(UINT16_MAX + 1, sizeof *columns->places);
    columns->types = one_more(NULL, 0);
    if (columns->places == NULL || columns->types == NULL)
        return false;
    columns->types_n = 1;
    columns->types[0] = (fp_type_rows){.keep = !only, .need = layout->common_bytes, .columns = calloc(1, sizeof(fp_number_column))};
    return columns->types[0].columns != NULL;
}

void
fp_columns_deinit(fp_columns *columns)
{
    for (size_t i = 0; i < columns->types_n; i++) {
        fp_type_rows *type = &columns->types[i];
        for (size_t j = 0; type->columns != NULL && j < (type->total ? type->total : 1); j++)
            free(type->columns[j].values);
        free(type->columns);
        free(type->index);
    }
    free(columns->types);
    free(columns->places);
    free(columns->ts);
    free(columns->common);
    free(columns->cpu);
    *columns = (fp_columns){0};
}

static fp_type_rows *
new_type(fp_columns *columns, uint16_t id)
{
    fp_type_rows *grown = one_more(columns->types, columns->types_n);
    if (grown == NULL)
        return NULL;
    columns->types = grown;
    fp_type_rows *type = &grown[columns->types_n];
    *type = (fp_type_rows){.step = 1, .keep = 1, .need = grown[0].need, .id = id, .columns = calloc(1, sizeof *type->columns)};
    if (type->columns == NULL)
        return NULL;
    columns->places[id] = (uint32_t)(columns->types_n++ * sizeof *type);
    return type;
}

fp_type_rows *
fp_columns_choose(fp_columns *columns, uint16_t id)
{
    return columns->places[id] ? fp_columns_type(columns, id) : new_type(columns, id);
}

bool
fp_columns_choose_field(fp_type_rows *type, const fp_field *field)
{
    uint64_t end = (uint64_t)field->offset + field->element_bytes;
    fp_number_column *grown = type->total < UINT16_MAX ? realloc(type->columns, (type->total + 1u) * sizeof *grown) : NULL;
    if (grown == NULL)
        return false;
    type->columns = grown;
    grown[type->total++] = (fp_number_column){.field = field};
    type->at_once = type->total == 1 && field->element_bytes == sizeof(uint64_t) ? field->offset : 0;
    type->need = end < type->need ? type->need : end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
    return true;
}

bool
fp_columns_like(fp_columns *columns, const fp_columns *model, const fp_layout *layout)
{
    bool done = fp_columns_init(columns, layout, !model->types[0].keep);
    for (size_t i = 1; done && i < model->types_n; i++) {
        fp_type_rows *type = fp_columns_choose(columns, model->types[i].id);
        done = type != NULL;
        for (size_t j = 0; done && j < model->types[i].total; j++)
            done = fp_columns_choose_field(type, model->types[i].columns[j].field);
    }
    return done;
}

const fp_type_rows *
fp_columns_of(const fp_columns *columns, uint16_t id)
{
    return columns->places[id] ? fp_columns_type(columns, id) : NULL;
}

static bool
resize(void *array, size_t bytes)
{
    void **memory = array, *grown = realloc(*memory, bytes);
    if (grown != NULL)
        *memory = grown;
    return grown != NULL;
}

/* For the shared type one row is enough. */
static bool
reserve_type(fp_type_rows *type, size_t rows)
{
    size_t room = type->step && rows > ROWS_LEAST ? rows : ROWS_LEAST;
    bool done = resize(&type->index, room * sizeof *type->index);
    for (size_t i = 0; i < (type->total ? type->total : 1); i++)
        done = done && resize(&type->columns[i].values, room * sizeof *type->columns[i].values);
    type->addresses = type->columns[0].values;
    type->lengths = 0;
    for (uint32_t words = 1; words <= FP_DATA_MOST; words++)
        type->lengths |= (uint32_t)(words * 4 >= type->need) << words;
    return done;
}

bool
fp_columns_reserve(fp_columns *columns, size_t rows)
{
    if (rows <= columns->room)
        return true;
    bool done = resize(&columns->ts, rows * sizeof *columns->ts) && resize(&columns->common, rows * sizeof *columns->common) &&
                resize(&columns->cpu, (rows + FP_CPUS_AT_ONCE) * sizeof *columns->cpu);
    columns->all_at_once = columns->all_later = columns->types[0].keep;
    for (size_t i = 0; i < columns->types_n; i++) {
        fp_type_rows *type = &columns->types[i];
        done = done && reserve_type(type, rows);
        columns->all_at_once &= type->total == 0 || type->at_once != 0;
        columns->all_later &= type->at_once == 0;
    }
    if (done)
        columns->room = rows;
    return done;
}

void
fp_columns_clear(fp_columns *columns)
{
    for (size_t i = 0; i < columns->types_n; i++)
        columns->types[i].n = columns->types[i].settled = 0;
    columns->settled = 0;
}

static void
settle_type(fp_type_rows *type, bool big_endian)
{
    for (size_t i = type->at_once ? 0 : type->total; i-- > 0;) /* the first column last: the addresses are there */
        fp_field_read(type->columns[i].field, type->addresses + type->settled, type->n - type->settled, big_endian,
                      type->columns[i].values + type->settled);
    type->settled = type->n;
}

void
fp_columns_settle(fp_columns *columns, size_t rows)
{
    for (size_t i = 1; i < columns->types_n; i++)
        if (columns->types[i].settled < columns->types[i].n)
            settle_type(&columns->types[i], columns->big_endian);
    columns->settled = rows;
}

size_t
fp_columns_add(fp_columns *columns, size_t row, const fp_record *record)
{
    fp_type_rows *type = fp_columns_type(columns, record->id);
    columns->ts[row] = record->ts;
    columns->common[row] = (fp_common){.id = record->id, .pid = record->pid};
    type->index[type->n] = (uint32_t)row;
    if (type->at_once || record->length < type->need) { /* what is not there is 0 */
        settle_type(type, columns->big_endian);
        for (size_t i = 0; i < type->total; i++)
            type->columns[i].values[type->n] = fp_field_number(type->columns[i].field, record, columns->big_endian);
        type->settled += type->step;
    } else {
        type->addresses[type->n] = (uintptr_t)record->data;
    }
    type->n += type->step;
    return row + type->keep;
}
