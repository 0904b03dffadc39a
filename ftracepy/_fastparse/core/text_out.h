/* Appending to the text: room first, then plain stores. */
#ifndef FP_TEXT_OUT_H
#define FP_TEXT_OUT_H

#include <stdlib.h>
#include <string.h>

#include "text.h"

bool fp_out_grow(fp_text_out *out, size_t more);

static inline bool
fp_out_room(fp_text_out *out, size_t more)
{
    return __builtin_expect(out->room - out->used >= more, 1) || fp_out_grow(out, more);
}

static inline void
fp_out_bytes(fp_text_out *out, const void *bytes, size_t length)
{
    if (length && fp_out_room(out, length)) {
        memcpy(out->data + out->used, bytes, length);
        out->used += length;
    }
}

/* As fp_out_bytes for texts that at least FP_SLACK readable bytes follow: short ones cost a fixed copy and no call. */
static inline void
fp_out_slack(fp_text_out *out, const void *bytes, size_t length)
{
    if (length > FP_SLACK) {
        fp_out_bytes(out, bytes, length);
        return;
    }
    if (fp_out_room(out, FP_SLACK)) {
        memcpy(out->data + out->used, bytes, FP_SLACK);
        out->used += length;
    }
}

static inline void
fp_out_byte(fp_text_out *out, uint8_t byte)
{
    if (fp_out_room(out, 1))
        out->data[out->used++] = byte;
}

static inline void
fp_out_fill(fp_text_out *out, uint8_t byte, size_t count)
{
    if (count && fp_out_room(out, count)) {
        memset(out->data + out->used, byte, count);
        out->used += count;
    }
}

#define FP_OUT_LITERAL(out, text) fp_out_bytes(out, text, sizeof(text) - 1)

/* Digits of `value`, without sign or padding, at `to` (20 bytes at least): how many. */
size_t fp_decimal(uint8_t *to, uint64_t value);
size_t fp_hexadecimal(uint8_t *to, uint64_t value);

void fp_out_decimal(fp_text_out *out, uint64_t value);
void fp_out_hex(fp_text_out *out, uint64_t value);
void fp_out_hex_padded(fp_text_out *out, uint64_t value, unsigned width);
void fp_out_decimal_padded(fp_text_out *out, uint64_t value, unsigned width, uint8_t with);

/* printf's number: `value` holds the bits, of which `bytes` count. */
void fp_out_number(fp_text_out *out, uint64_t value, unsigned bytes, uint32_t conv, unsigned flags, int width, int precision,
                   bool always_prefix);

void fp_out_mac(fp_text_out *out, const uint8_t *data, size_t length, unsigned separator);
void fp_out_ip4(fp_text_out *out, const uint8_t *data, size_t length, unsigned how);
void fp_out_ip6(fp_text_out *out, const uint8_t *data, size_t length, unsigned how);
void fp_out_sockaddr(fp_text_out *out, const uint8_t *data, size_t length, unsigned how, bool big_endian);
void fp_out_uuid(fp_text_out *out, const uint8_t *data, size_t length, unsigned how);
void fp_out_bitmask(fp_text_out *out, const uint8_t *data, size_t length, uint64_t bits, bool as_list, unsigned long_bytes,
                    bool big_endian);

#endif
