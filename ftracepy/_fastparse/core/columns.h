/* Columns written while walking: time, type, thread and CPU of events, and chosen number fields of chosen types. */
#ifndef FP_COLUMNS_H
#define FP_COLUMNS_H

#include <string.h>

#include "field.h"

enum { FP_CPUS_AT_ONCE = 8 };

/* What a record begins with on most machines: one load, one store. */
typedef struct {
    uint16_t id, rest; /* `rest` is nobody's */
    int32_t pid;
} fp_common;

typedef struct {
    const fp_field *field; /* kept by whoever chose it */
    uint64_t *values;
} fp_number_column;

/* The rows of one type. All types that nobody chose share one, whose only row is written again and again. */
typedef struct {
    uint32_t n, step;    /* rows; what an event adds to them: 1, or 0 where nobody chose it */
    uint32_t keep;       /* what it adds to the rows of all */
    uint32_t need;       /* bytes of a record that has all the fields */
    uint32_t lengths;    /* those of them, in words, that a record of the usual lengths may have: a bit each */
    uint32_t settled;    /* rows whose fields have been read */
    uint32_t at_once;    /* where the only field lies, of 8 bytes: it is read while walking, instead of noting an address; or 0 */
    uint16_t id, total;  /* `total` columns, though there is memory for one always */
    uint32_t *index;     /* each row's place among all */
    uint64_t *addresses; /* of the records, until their fields are read: the first column's memory */
    fp_number_column *columns;
} fp_type_rows;

typedef struct {
    uint64_t *ts;
    fp_common *common;
    uint16_t *cpu;
    uint32_t *places; /* by id: how many bytes behind `types` its type is */
    fp_type_rows *types;
    size_t types_n, room;
    size_t settled; /* rows of all when fields were last read */
    bool big_endian;
    bool usual;                  /* records begin as fp_common does */
    bool all_at_once, all_later; /* each chosen field is read so, and events of all types have rows */
} fp_columns;

/* Events of all types have rows, or `only` of those that will be chosen. False: no memory. */
bool fp_columns_init(fp_columns *columns, const fp_layout *layout, bool only);
void fp_columns_deinit(fp_columns *columns);

/* The rows of this type, or those of all types that nobody chose. */
static inline fp_type_rows *
fp_columns_type(const fp_columns *columns, uint16_t id)
{
    return (fp_type_rows *)((char *)columns->types + columns->places[id]);
}

/* The rows of a type, from now on chosen, until the next call; NULL: no memory. Before there is room for any. */
fp_type_rows *fp_columns_choose(fp_columns *columns, uint16_t id);
/* A field that is a single number. False: no memory. */
bool fp_columns_choose_field(fp_type_rows *type, const fp_field *field);
/* The same choice, without memory for rows. False: no memory. */
bool fp_columns_like(fp_columns *columns, const fp_columns *model, const fp_layout *layout);
/* NULL for a type that was not chosen. */
const fp_type_rows *fp_columns_of(const fp_columns *columns, uint16_t id);

/* Room for so many rows; those there are stay. False: no memory. */
bool fp_columns_reserve(fp_columns *columns, size_t rows);
/* Forget all rows. */
void fp_columns_clear(fp_columns *columns);

/* The record as row number `row`, for which there is room; the number of the next row. */
size_t fp_columns_add(fp_columns *columns, size_t row, const fp_record *record);

/* The CPU of the rows from `first` to `end`. */
static inline void
fp_columns_fill_cpu(fp_columns *columns, size_t first, size_t end, uint16_t cpu)
{
    const uint16_t some[FP_CPUS_AT_ONCE] = {cpu, cpu, cpu, cpu, cpu, cpu, cpu, cpu};
    for (; first < end; first += FP_CPUS_AT_ONCE) /* there is room behind for what is too much */
        memcpy(columns->cpu + first, some, sizeof some);
}

/* Read the fields of all rows, of which there are `rows`: before the pages go, and now and then while they are near. */
void fp_columns_settle(fp_columns *columns, size_t rows);

#endif
