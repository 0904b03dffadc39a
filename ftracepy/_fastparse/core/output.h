/* What decoding fills: records or columns in time order, losses and faults. */
#ifndef FP_OUTPUT_H
#define FP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "columns.h"
#include "record.h"

typedef struct {
    size_t index; /* before this record */
    int64_t count;
    uint16_t cpu;
} fp_loss;

typedef struct {
    uint64_t offset;
    const char *reason;
    uint16_t cpu;
} fp_fault;

typedef struct {
    fp_record *records;
    fp_columns *columns; /* not NULL: rows go there, and no records are made */
    fp_loss *losses;
    fp_fault *faults;
    size_t n, room, most; /* records or rows: there, allocated, and never more than */
    size_t losses_n, losses_room, faults_n, faults_room;
    bool no_memory;
} fp_output;

void fp_output_deinit(fp_output *out);

/* Room for one more record or row: false at the limit, or (with no_memory set) when memory ran out. */
bool fp_output_grow(fp_output *out);
void fp_output_loss(fp_output *out, uint16_t cpu, int64_t count);
void fp_output_fault(fp_output *out, uint16_t cpu, uint64_t offset, const char *reason);

#endif
