/* The common instructions with all settled that can be known before a record comes; text_quick.c says which they are.
 * They write at a pointer, into room that was made for the whole program. */
#ifndef FP_TEXT_QUICK_H
#define FP_TEXT_QUICK_H

#include <string.h>

#include "text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Rewritten instructions, which fp_program_new makes of others: a literal of up to FP_SHORT bytes and the number after it,
 * a number, each with its size; 16 bytes of a text; a jump over what follows unless a bit of a field is set. */
enum { FP_SHORT = 16, FP_NUMBER_MOST = 20 };
enum { FP_QUICK = 128, FP_QUICK_HEX = 0, FP_QUICK_UNSIGNED = 4, FP_QUICK_SIGNED = 8, FP_QUICK_WITH_TEXT = 16,
       FP_QUICK_STRING16 = FP_QUICK + 32, FP_QUICK_TEST };

void fp_quick_rewrite(fp_program *program, bool big_endian);

extern const char fp_digit_pairs[200];

static inline uint8_t *
fp_put_pair(uint8_t *to, uint64_t pair)
{
    memcpy(to, fp_digit_pairs + pair * 2, 2);
    return to + 2;
}

static inline uint8_t *
fp_put_upto_100(uint8_t *to, uint64_t value)
{
    if (value >= 10)
        return fp_put_pair(to, value);
    *to = (uint8_t)('0' + value);
    return to + 1;
}

uint8_t *fp_put_long_decimal(uint8_t *to, uint64_t value);

/* At most FP_NUMBER_MOST bytes. */
static inline uint8_t *
fp_put_decimal(uint8_t *to, uint64_t value)
{
    if (value < 100)
        return fp_put_upto_100(to, value);
    if (value < 10000)
        return fp_put_pair(fp_put_upto_100(to, value / 100), value % 100);
    return fp_put_long_decimal(to, value);
}

static inline uint8_t *
fp_put_signed(uint8_t *to, int64_t value)
{
    if (value >= 0)
        return fp_put_decimal(to, (uint64_t)value);
    *to = '-';
    return fp_put_decimal(to + 1, 0 - (uint64_t)value);
}

/* All sixteen digits of `value`, the first of them first. */
static inline void
fp_sixteen_hex_digits(uint8_t *to, uint64_t value)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(value)), low = _mm_set1_epi8(15);
    __m128i digits = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi64(bytes, 4), low), _mm_and_si128(bytes, low));
    __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(digits, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
    _mm_storeu_si128((__m128i *)(void *)to, _mm_add_epi8(_mm_add_epi8(digits, _mm_set1_epi8('0')), letters));
#else
    for (int half = 0; half < 2; half++, value <<= 32) { /* nibbles spread over bytes, then made letters */
        uint64_t x = value >> 32;
        x = (x << 16 | x) & 0x0000ffff0000ffff;
        x = (x << 8 | x) & 0x00ff00ff00ff00ff;
        x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
        uint64_t letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
        x += 0x3030303030303030 + letters * ('a' - '0' - 10);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        x = __builtin_bswap64(x);
#endif
        memcpy(to + half * 8, &x, sizeof x);
    }
#endif
}

/* At least `least` digits, which is at most 16. Writes 16 bytes, of which those before the answer count. */
static inline uint8_t *
fp_put_hex(uint8_t *to, uint64_t value, unsigned least)
{
    unsigned digits = (67U - (unsigned)__builtin_clzll(value | 1)) / 4;
    digits = digits > least ? digits : least;
    fp_sixteen_hex_digits(to, value << (64 - 4 * digits));
    return to + digits;
}

/* How many of the 16 bytes at `text` come before a NUL. */
static inline size_t
fp_text16_length(const uint8_t *text)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) | 1U << 16);
#else
    const uint8_t *nul = memchr(text, 0, 16);
    return nul ? (size_t)(nul - text) : 16;
#endif
}

/* `length` bytes that FP_SLACK readable ones follow; writes up to FP_SLACK - 1 more. */
static inline uint8_t *
fp_put_slack(uint8_t *to, const uint8_t *text, size_t length)
{
    for (size_t at = 0; at < length; at += FP_SLACK)
        memcpy(to + at, text + at, FP_SLACK);
    return to + length;
}

#endif
