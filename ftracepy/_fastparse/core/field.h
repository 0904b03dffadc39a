/* One field of a record: where its bytes are, and scalars as numbers. */
#ifndef FP_FIELD_H
#define FP_FIELD_H

#include "layout.h"
#include "record.h"

#include <stddef.h>

typedef enum { FP_FIXED, FP_DATA_LOC, FP_REL_LOC, FP_REST, FP_KINDS } fp_kind;

/* What a value is shown as. FP_INTS and FP_SCALAR have an element size of 1, 2, 4 or 8. */
typedef enum { FP_SCALAR, FP_CHARS, FP_BYTES, FP_INTS, FP_SHAPES } fp_shape;

typedef struct {
    uint32_t offset, size; /* as the format gives them */
    uint32_t element_bytes;
    uint8_t kind, shape;
    bool is_signed;
} fp_field;

/* The field's bytes within the record: none where it would reach outside by its own claim (a bad
 * data_loc); a fixed array that the record cuts short ends with the record. */
const uint8_t *fp_field_bytes(const fp_field *field, const fp_record *record, bool big_endian, size_t *bytes);

/* `bytes` (1, 2, 4 or 8) at `at` as 64 bits, sign-extended where the field is signed. */
uint64_t fp_load_number(const uint8_t *at, uint32_t bytes, bool is_signed, bool big_endian);

/* The scalar's value; 0 where the record ends before it. */
uint64_t fp_field_number(const fp_field *field, const fp_record *record, bool big_endian);

/* The field of every record with this id, in order: its index, its value. Both arrays have room for `n`; returns how many. */
size_t fp_field_column(const fp_field *field, uint16_t id, const fp_record *records, size_t n, bool big_endian, uint32_t *indices,
                       uint64_t *values);

/* The field of `n` records that are known to hold it, by the addresses of their bytes, which may lie where the values go. */
void fp_field_read(const fp_field *field, const uint64_t *records, size_t n, bool big_endian, uint64_t *values);

/* The records of each id together, each group in order. */
typedef struct {
    uint16_t id;
    uint32_t start, total; /* within `order` */
} fp_group;

typedef struct {
    uint32_t *order; /* indices of the records */
    fp_group *groups;
    size_t groups_total;
} fp_index;

/* `counts` has a place for every id, all zero, and is left so. False without memory. */
bool fp_index_init(fp_index *index, const fp_record *records, size_t n, uint32_t *counts);
void fp_index_deinit(fp_index *index);
const fp_group *fp_index_find(const fp_index *index, uint16_t id);

/* The field of the `n` records that `indices` names. */
void fp_field_values(const fp_field *field, const fp_record *records, const uint32_t *indices, size_t n, bool big_endian,
                     uint64_t *values);

#endif
