/* Fields of records (kernel: trace_events.c, f_show; include/trace/stages: __data_loc, __rel_loc). */
#include "field.h"

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

size_t
fp_count_id(const fp_record *records, size_t n, uint16_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += records[i].id == id;
    return count;
}

void
fp_field_column(const fp_field *field, uint16_t id, const fp_record *records, size_t n, bool big_endian,
                uint32_t *indices, uint64_t *values)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (records[i].id != id)
            continue;
        indices[at] = (uint32_t)i;
        values[at++] = fp_field_number(field, &records[i], big_endian);
    }
}
