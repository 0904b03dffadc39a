/* Addresses, identifiers and bit masks as the kernel's printk shows them; twin_address.py is the plain version. */
#include "cursor.h"
#include "text_out.h"

/* The first `wanted` bytes, zeros where the data ends before. */
static void
take(uint8_t *to, const uint8_t *data, size_t length, size_t wanted)
{
    memset(to, 0, wanted);
    if (length)
        memcpy(to, data, length < wanted ? length : wanted);
}

void
fp_out_mac(fp_text_out *out, const uint8_t *data, size_t length, unsigned separator)
{
    uint8_t bytes[6];
    take(bytes, data, length, sizeof bytes);
    for (size_t at = 0; at < sizeof bytes; at++) {
        if (at && separator)
            fp_out_byte(out, (uint8_t)separator);
        fp_out_hex_padded(out, bytes[at], 2);
    }
}

void
fp_out_ip4(fp_text_out *out, const uint8_t *data, size_t length, unsigned how)
{
    uint8_t bytes[4];
    take(bytes, data, length, sizeof bytes);
    for (size_t at = 0; at < 4; at++) {
        if (at)
            fp_out_byte(out, '.');
        fp_out_decimal_padded(out, bytes[how & 2 ? 3 - at : at], how & 1 ? 3 : 1, '0');
    }
}

/* First longest run of zero words. */
static void
longest_zeros(const uint16_t *words, unsigned count, unsigned *start, unsigned *length)
{
    *start = *length = 0;
    for (unsigned at = 0; at < count; at++) {
        unsigned end = at;
        while (end < count && words[end] == 0)
            end++;
        if (end - at > *length) {
            *start = at;
            *length = end - at;
        }
        if (end > at)
            at = end;
    }
}

static void
ip6_compressed(fp_text_out *out, const uint16_t *words, const uint8_t *bytes)
{
    bool mapped = (!words[0] && !words[1] && !words[2] && !words[3] && !words[4] && words[5] == 0xffff) ||
                  ((words[4] | 0x0200) == 0x0200 && words[5] == 0x5efe);
    unsigned count = mapped ? 6 : 8, start, length;
    bool colon_needed = false;
    longest_zeros(words, count, &start, &length);
    for (unsigned at = 0; at < count;) {
        if (at == start && length > 1) {
            FP_OUT_LITERAL(out, "::");
            colon_needed = false;
            at += length;
            continue;
        }
        if (colon_needed)
            fp_out_byte(out, ':');
        fp_out_hex(out, words[at++]);
        colon_needed = true;
    }
    if (mapped) {
        if (colon_needed)
            fp_out_byte(out, ':');
        fp_out_ip4(out, bytes + 12, 4, 0);
    }
}

void
fp_out_ip6(fp_text_out *out, const uint8_t *data, size_t length, unsigned how)
{
    uint8_t bytes[16];
    uint16_t words[8];
    take(bytes, data, length, sizeof bytes);
    for (size_t at = 0; at < 8; at++)
        words[at] = fp_load_u16(bytes + at * 2, true);
    if (how & 2) {
        ip6_compressed(out, words, bytes);
        return;
    }
    for (size_t at = 0; at < 8; at++) {
        if (at && !(how & 1))
            fp_out_byte(out, ':');
        fp_out_hex_padded(out, words[at], 4);
    }
}

void
fp_out_sockaddr(fp_text_out *out, const uint8_t *data, size_t length, unsigned how, bool big_endian)
{
    uint8_t bytes[28];
    take(bytes, data, length, sizeof bytes);
    unsigned family = fp_load_u16(bytes, big_endian), port = fp_load_u16(bytes + 2, true);
    if (family != 2 && family != 10) {
        FP_OUT_LITERAL(out, "(einval)");
        return;
    }
    if (family == 2)
        fp_out_ip4(out, bytes + 4, 4, 0);
    else {
        if (how & 13)
            fp_out_byte(out, '[');
        fp_out_ip6(out, bytes + 8, 16, how & 2);
        if (how & 13)
            fp_out_byte(out, ']');
    }
    if (how & 1) {
        fp_out_byte(out, ':');
        fp_out_decimal(out, port);
    }
    if (family == 10 && how & 4) {
        fp_out_byte(out, '/');
        fp_out_decimal(out, fp_load_u32(bytes + 4, true));
    }
    if (family == 10 && how & 8) {
        fp_out_byte(out, '%');
        fp_out_decimal(out, fp_load_u32(bytes + 24, big_endian));
    }
}

void
fp_out_uuid(fp_text_out *out, const uint8_t *data, size_t length, unsigned how)
{
    static const uint8_t guid[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    const char *digits = how & 2 ? "0123456789ABCDEF" : "0123456789abcdef";
    uint8_t bytes[16];
    take(bytes, data, length, sizeof bytes);
    for (size_t at = 0; at < 16; at++) {
        uint8_t byte = bytes[how & 1 ? guid[at] : at];
        if (at == 4 || at == 6 || at == 8 || at == 10)
            fp_out_byte(out, '-');
        fp_out_byte(out, (uint8_t)digits[byte >> 4]);
        fp_out_byte(out, (uint8_t)digits[byte & 15]);
    }
}

typedef struct {
    const uint8_t *data;
    size_t length;
    unsigned long_bytes;
    bool big_endian;
} bitmap;

/* Eight bits of the bitmap from bit 8 * `index` on. */
static uint8_t
byte_of(const bitmap *map, uint64_t index)
{
    if (map->big_endian) {
        uint64_t word = index / map->long_bytes * map->long_bytes;
        uint64_t bytes = map->length - word < map->long_bytes ? map->length - word : map->long_bytes;
        index = word + bytes - 1 - index % map->long_bytes;
    }
    return index < map->length ? map->data[index] : 0;
}

static bool
bit_of(const bitmap *map, uint64_t bit)
{
    return byte_of(map, bit / 8) >> bit % 8 & 1;
}

static void
ranges(fp_text_out *out, const bitmap *map, uint64_t bits)
{
    bool first = true;
    for (uint64_t at = 0; at < bits; at++) {
        if (!bit_of(map, at))
            continue;
        uint64_t end = at;
        while (end + 1 < bits && bit_of(map, end + 1))
            end++;
        if (!first)
            fp_out_byte(out, ',');
        first = false;
        fp_out_decimal(out, at);
        if (end > at) {
            fp_out_byte(out, '-');
            fp_out_decimal(out, end);
        }
        at = end;
    }
}

void
fp_out_bitmask(fp_text_out *out, const uint8_t *data, size_t length, uint64_t bits, bool as_list, unsigned long_bytes, bool big_endian)
{
    const bitmap map = {data, length, long_bytes, big_endian};
    if (bits > (uint64_t)length * 8)
        bits = (uint64_t)length * 8;
    if (as_list) {
        ranges(out, &map, bits);
        return;
    }
    for (uint64_t count = (bits + 31) / 32, at = count; at-- > 0;) {
        uint32_t word = 0;
        for (unsigned byte = 0; byte < 4; byte++)
            if ((at * 4 + byte) * 8 < bits)
                word |= (uint32_t)byte_of(&map, at * 4 + byte) << byte * 8;
        bool top = at == count - 1;
        unsigned used = top ? (unsigned)((bits - 1) % 32 + 1) : 32;
        if (used < 32)
            word &= (1U << used) - 1;
        fp_out_hex_padded(out, word, (used + 3) / 4);
        if (at)
            fp_out_byte(out, ',');
    }
}
