/* Fields of records (kernel: trace_events.c, f_show; include/trace/stages: __data_loc, __rel_loc). */
#include "field.h"

#include <stdlib.h>

#include "cursor.h"

static const uint8_t *
located_bytes(const fp_field *field, const fp_record *record, bool big_endian, size_t *bytes)
{
    *bytes = 0;
    if ((uint64_t)field->offset + 4 > record->length)
        return record->data;
    uint32_t word = fp_load_u32(record->data + field->offset, big_endian);
    uint64_t start = word & 0xffff, length = word >> 16;
    if (field->kind == FP_REL_LOC)
        start += (uint64_t)field->offset + 4;
    if (start + length > record->length)
        return record->data;
    *bytes = (size_t)length;
    return record->data + start;
}

const uint8_t *
fp_field_bytes(const fp_field *field, const fp_record *record, bool big_endian, size_t *bytes)
{
    if (field->kind == FP_DATA_LOC || field->kind == FP_REL_LOC)
        return located_bytes(field, record, big_endian, bytes);
    size_t left = field->offset < record->length ? record->length - field->offset : 0;
    *bytes = field->kind == FP_FIXED && field->size < left ? field->size : left;
    return left ? record->data + field->offset : record->data;
}

uint64_t
fp_load_number(const uint8_t *at, uint32_t bytes, bool is_signed, bool big_endian)
{
    switch (bytes) {
    case 1:
        return is_signed ? (uint64_t)(int8_t)*at : *at;
    case 2:
        return is_signed ? (uint64_t)(int16_t)fp_load_u16(at, big_endian) : fp_load_u16(at, big_endian);
    case 4:
        return is_signed ? (uint64_t)(int32_t)fp_load_u32(at, big_endian) : fp_load_u32(at, big_endian);
    default:
        return fp_load_u64(at, big_endian);
    }
}

uint64_t
fp_field_number(const fp_field *field, const fp_record *record, bool big_endian)
{
    if ((uint64_t)field->offset + field->element_bytes > record->length)
        return 0;
    return fp_load_number(record->data + field->offset, field->element_bytes, field->is_signed, big_endian);
}

/* A number of `bytes` at `offset`, both known when compiled. */
static inline __attribute__((always_inline)) uint64_t
number_of(const fp_field *field, const fp_record *record, uint32_t bytes, bool is_signed, bool big_endian)
{
    if ((uint64_t)field->offset + bytes > record->length)
        return 0;
    return fp_load_number(record->data + field->offset, bytes, is_signed, big_endian);
}

/* The same loop for each size and sign, so that the choice is made once for a column. */
#define FOR_EACH_KIND(field, loop) \
    switch ((field)->element_bytes * 2 + (field)->is_signed) { \
    case 2: loop(1, false); break; \
    case 3: loop(1, true); break; \
    case 4: loop(2, false); break; \
    case 5: loop(2, true); break; \
    case 8: loop(4, false); break; \
    case 9: loop(4, true); break; \
    default: loop(8, false); break; \
    }

size_t
fp_field_column(const fp_field *given, uint16_t id, const fp_record *records, size_t n, bool big_endian, uint32_t *indices,
                uint64_t *values)
{
    const fp_field field = *given;
    size_t at = 0;
#define COLUMN(bytes, is_signed) \
    for (size_t i = 0; i < n; i++) { \
        if (records[i].id != id) \
            continue; \
        indices[at] = (uint32_t)i; \
        values[at++] = number_of(&field, &records[i], bytes, is_signed, big_endian); \
    }
    FOR_EACH_KIND(&field, COLUMN)
#undef COLUMN
    return at;
}

void
fp_field_values(const fp_field *given, const fp_record *records, const uint32_t *indices, size_t n, bool big_endian, uint64_t *values)
{
    const fp_field field = *given;
#define VALUES(bytes, is_signed) \
    for (size_t i = 0; i < n; i++) \
        values[i] = number_of(&field, &records[indices[i]], bytes, is_signed, big_endian)
    FOR_EACH_KIND(&field, VALUES)
#undef VALUES
}

static inline __attribute__((always_inline)) void
read_numbers(const fp_field *field, const uint64_t *records, size_t n, bool big_endian, uint64_t *values)
{
    const uint32_t offset = field->offset;
#define READ(bytes, is_signed) \
    _Pragma("GCC unroll 4") for (size_t i = 0; i < n; i++) \
        values[i] = fp_load_number((const uint8_t *)(uintptr_t)records[i] + offset, bytes, is_signed, big_endian)
    FOR_EACH_KIND(field, READ)
#undef READ
}

void
fp_field_read(const fp_field *field, const uint64_t *records, size_t n, bool big_endian, uint64_t *values)
{
    if (big_endian)
        read_numbers(field, records, n, true, values);
    else
        read_numbers(field, records, n, false, values);
}

/* Counts by id, and the ids in the order in which they were first met; none without memory. */
static bool
count_ids(fp_index *index, const fp_record *records, size_t n, uint32_t *counts)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++) {
        if (counts[records[i].id]++ != 0)
            continue;
        if (index->groups_total == room) {
            room = room ? room * 2 : 16;
            fp_group *grown = realloc(index->groups, room * sizeof *grown);
            if (grown == NULL)
                return false;
            index->groups = grown;
        }
        index->groups[index->groups_total++] = (fp_group){.id = records[i].id};
    }
    return true;
}

bool
fp_index_init(fp_index *index, const fp_record *records, size_t n, uint32_t *counts)
{
    *index = (fp_index){.order = malloc((n + 1) * sizeof *index->order)};
    bool done = index->order != NULL && count_ids(index, records, n, counts);
    uint32_t start = 0;
    for (size_t i = 0; i < index->groups_total; i++) {
        fp_group *group = &index->groups[i];
        group->start = start;
        group->total = counts[group->id];
        counts[group->id] = start; /* where the next one goes */
        start += group->total;
    }
    for (size_t i = 0; done && i < n; i++)
        index->order[counts[records[i].id]++] = (uint32_t)i;
    for (size_t i = 0; i < n && !done; i++)
        counts[records[i].id] = 0;
    for (size_t i = 0; i < index->groups_total; i++)
        counts[index->groups[i].id] = 0;
    if (!done)
        fp_index_deinit(index);
    return done;
}

void
fp_index_deinit(fp_index *index)
{
    free(index->order);
    free(index->groups);
    *index = (fp_index){0};
}

const fp_group *
fp_index_find(const fp_index *index, uint16_t id)
{
    for (size_t i = 0; i < index->groups_total; i++)
        if (index->groups[i].id == id)
            return &index->groups[i];
    return NULL;
}
