/* One decoded record: where its bytes lie and what its header says. Shared by walking, columns and text. */
#ifndef FP_RECORD_H
#define FP_RECORD_H

#include <stdint.h>

typedef struct {
    const uint8_t *data; /* the record, from common_type on; inside a page that the batch keeps alive */
    uint64_t ts;         /* raw time stamp, in the trace clock's unit */
    uint32_t length;     /* bytes of the record (rounded up to 4 by the kernel) */
    int32_t pid;         /* common_pid */
    uint16_t id;         /* common_type */
    uint16_t cpu;
} fp_record;

#endif
