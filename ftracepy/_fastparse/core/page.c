/* Sub-buffer headers (kernel: ring_buffer.c, struct buffer_data_page and ring_buffer_read_page). */
#include "page.h"

#define COMMIT_BYTES 0x3fffffffu /* the flags sit above, sign-extended over the rest of the long */
#define MISSED_EVENTS (1u << 31)
#define MISSED_STORED (1u << 30)

static uint64_t
load_long(const fp_layout *layout, const uint8_t *at)
{
    return layout->commit_bytes == 8 ? fp_load_u64(at, layout->big_endian) : fp_load_u32(at, layout->big_endian);
}

/* The count follows the data, as one long, where there was room for it. */
static int64_t
missed_events(const fp_layout *layout, uint32_t flags, const uint8_t *after, size_t room)
{
    if (!(flags & MISSED_EVENTS))
        return 0;
    if (!(flags & MISSED_STORED) || room < layout->commit_bytes)
        return FP_UNKNOWN;
    uint64_t count = load_long(layout, after);
    return count == 0 || count > INT64_MAX ? FP_UNKNOWN : (int64_t)count;
}

const char *
fp_page_open(const fp_layout *layout, const uint8_t *start, size_t bytes, fp_page *page)
{
    if (bytes < layout->data_offset)
        return "sub-buffer cut short";
    uint32_t commit = (uint32_t)load_long(layout, start + layout->commit_offset);
    size_t size = commit & COMMIT_BYTES, room = bytes - layout->data_offset;
    if (size > room)
        return bytes < layout->page_bytes ? "sub-buffer cut short" : "commit exceeds the sub-buffer";
    page->ts = fp_load_u64(start, layout->big_endian);
    page->data.at = start + layout->data_offset;
    page->data.end = page->data.at + size;
    page->missed = missed_events(layout, commit, page->data.end, room - size);
    return NULL;
}
