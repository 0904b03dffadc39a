/* A cursor over untrusted bytes: every take checks the bounds, and a failed one does not move. */
#ifndef FP_CURSOR_H
#define FP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} fp_cursor;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define FP_HOST_BIG true
#else
#define FP_HOST_BIG false
#endif

static inline uint16_t
fp_load_u16(const uint8_t *at, bool big_endian)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return big_endian == FP_HOST_BIG ? value : __builtin_bswap16(value);
}

static inline uint32_t
fp_load_u32(const uint8_t *at, bool big_endian)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return big_endian == FP_HOST_BIG ? value : __builtin_bswap32(value);
}

static inline uint64_t
fp_load_u64(const uint8_t *at, bool big_endian)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return big_endian == FP_HOST_BIG ? value : __builtin_bswap64(value);
}

static inline bool
fp_take_u32(fp_cursor *cursor, bool big_endian, uint32_t *value)
{
    if ((size_t)(cursor->end - cursor->at) < sizeof *value)
        return false;
    *value = fp_load_u32(cursor->at, big_endian);
    cursor->at += sizeof *value;
    return true;
}

static inline bool
fp_take_bytes(fp_cursor *cursor, uint64_t bytes, const uint8_t **start)
{
    if ((uint64_t)(cursor->end - cursor->at) < bytes)
        return false;
    *start = cursor->at;
    cursor->at += bytes;
    return true;
}

#endif
