/* The header of one sub-buffer: its time, how much of it is data, and what was lost before it. */
#ifndef FP_PAGE_H
#define FP_PAGE_H

#include "cursor.h"
#include "layout.h"

#define FP_UNKNOWN (-1) /* events were lost, nobody knows how many */

typedef struct {
    fp_cursor data;
    uint64_t ts;
    int64_t missed; /* 0: nothing lost before this sub-buffer */
} fp_page;

/* NULL, or why the `bytes` (at most layout->page_bytes) at `start` are no sub-buffer. */
const char *fp_page_open(const fp_layout *layout, const uint8_t *start, size_t bytes, fp_page *page);

#endif
