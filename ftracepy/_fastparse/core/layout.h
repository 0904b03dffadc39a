/* Where things lie in a sub-buffer and in every record: from events/header_page and the formats' common fields. */
#ifndef FP_LAYOUT_H
#define FP_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t page_bytes;    /* whole sub-buffer, header included */
    uint32_t commit_offset;
    uint32_t commit_bytes;  /* 4 or 8: the recording kernel's long */
    uint32_t data_offset;
    uint32_t type_offset;   /* common_type, u16 */
    uint32_t flags_offset;  /* common_flags, u8 */
    uint32_t preempt_offset; /* common_preempt_count, u8 */
    uint32_t pid_offset;    /* common_pid, s32 */
    uint32_t common_bytes;  /* a record shorter than this is broken */
    bool big_endian;
} fp_layout;

#endif
