/* One field of a record: where its bytes are, and scalars as numbers. */
#ifndef FP_FIELD_H
#define FP_FIELD_H

#include "layout.h"
#include "record.h"

#include <stddef.h>

typedef enum { FP_FIXED, FP_DATA_LOC, FP_REL_LOC, FP_REST, FP_KINDS } fp_kind;

/* What a value is shown as. FP_INTS and FP_SCALAR have an element size of 1, 2, 4 or 8. */
typedef enum { FP_SCALAR, FP_STRING, FP_BYTES, FP_INTS, FP_SHAPES } fp_shape;

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

/* How many of the records have this id. */
size_t fp_count_id(const fp_record *records, size_t n, uint16_t id);

/* The field of every record with this id: its index, its value. Both arrays have room for all of them. */
void fp_field_column(const fp_field *field, uint16_t id, const fp_record *records, size_t n, bool big_endian,
                     uint32_t *indices, uint64_t *values);

#endif
