/* Output that grows, and numbers written into it. */
#include "text_out.h"
#include "text_quick.h"

bool
fp_out_grow(fp_text_out *out, size_t more)
{
    size_t room = out->room ? out->room : 4096;
    while (room - out->used < more) {
        if (room > SIZE_MAX / 2) {
            out->failed = true;
            return false;
        }
        room *= 2;
    }
    uint8_t *data = out->failed ? NULL : realloc(out->data, room);
    if (data == NULL) {
        out->failed = true;
        return false;
    }
    out->data = data;
    out->room = room;
    return true;
}

size_t
fp_decimal(uint8_t *to, uint64_t value)
{
    return (size_t)(fp_put_decimal(to, value) - to);
}

size_t
fp_hexadecimal(uint8_t *to, uint64_t value)
{
    return (size_t)(fp_put_hex(to, value, 0) - to);
}

void
fp_out_decimal(fp_text_out *out, uint64_t value)
{
    if (fp_out_room(out, FP_NUMBER_MOST))
        out->used += fp_decimal(out->data + out->used, value);
}

void
fp_out_hex(fp_text_out *out, uint64_t value)
{
    if (fp_out_room(out, FP_NUMBER_MOST))
        out->used += fp_hexadecimal(out->data + out->used, value);
}

void
fp_out_hex_padded(fp_text_out *out, uint64_t value, unsigned width)
{
    if (width > 16) {
        fp_out_fill(out, '0', width - 16);
        width = 16;
    }
    if (fp_out_room(out, FP_NUMBER_MOST))
        out->used = (size_t)(fp_put_hex(out->data + out->used, value, width) - out->data);
}

void
fp_out_decimal_padded(fp_text_out *out, uint64_t value, unsigned width, uint8_t with)
{
    uint8_t digits[FP_NUMBER_MOST];
    size_t length = fp_decimal(digits, value);
    if (length < width)
        fp_out_fill(out, with, width - length);
    fp_out_bytes(out, digits, length);
}

static size_t
in_base(uint8_t *to, uint64_t value, uint32_t conv)
{
    if (conv == 'd' || conv == 'u')
        return fp_decimal(to, value);
    if (conv == 'o') {
        size_t digits = value ? (size_t)(66 - __builtin_clzll(value)) / 3 : 1;
        for (size_t at = digits; at > 0; value >>= 3)
            to[--at] = (uint8_t)('0' + (value & 7));
        return digits;
    }
    size_t digits = fp_hexadecimal(to, value);
    for (size_t at = 0; conv == 'X' && at < digits; at++)
        if (to[at] >= 'a')
            to[at] = (uint8_t)(to[at] - 32);
    return digits;
}

static size_t
prefix_of(char *prefix, bool negative, bool zero, uint32_t conv, unsigned flags, bool always_prefix)
{
    size_t length = 0;
    if (negative)
        prefix[length++] = '-';
    else if (conv == 'd' && flags & FP_PLUS)
        prefix[length++] = '+';
    else if (conv == 'd' && flags & FP_SPACE)
        prefix[length++] = ' ';
    if (flags & FP_ALT && (conv == 'x' || conv == 'X') && (!zero || always_prefix)) {
        prefix[length++] = '0';
        prefix[length++] = (char)conv;
    }
    return length;
}

void
fp_out_number(fp_text_out *out, uint64_t value, unsigned bytes, uint32_t conv, unsigned flags, int width, int precision,
              bool always_prefix)
{
    uint8_t digits[32];
    char prefix[4];
    size_t length = 1, prefixed = 0, zeros = 0, wide = width > 0 ? (size_t)width : 0;
    if (bytes < 8)
        value &= (1ULL << bytes * 8) - 1;
    if (conv == 'c') {
        digits[0] = (uint8_t)value;
    } else {
        bool negative = conv == 'd' && flags & FP_SIGNED && value >> (bytes * 8 - 1);
        if (negative)
            value = (bytes < 8 ? 1ULL << bytes * 8 : 0) - value;
        length = precision == 0 && value == 0 ? 0 : in_base(digits, value, conv);
        prefixed = prefix_of(prefix, negative, value == 0, conv, flags, always_prefix);
        if (precision > 0 && (size_t)precision > length)
            zeros = (size_t)precision - length;
        if (flags & FP_ALT && conv == 'o' && !zeros && (length == 0 || digits[0] != '0'))
            zeros = 1;
        if (flags & FP_ZEROS && !(flags & FP_LEFT) && precision < 0 && wide > prefixed + zeros + length)
            zeros = wide - prefixed - length;
    }
    size_t all = prefixed + zeros + length, pad = wide > all ? wide - all : 0;
    if (!(flags & FP_LEFT))
        fp_out_fill(out, ' ', pad);
    fp_out_bytes(out, prefix, prefixed);
    fp_out_fill(out, '0', zeros);
    fp_out_bytes(out, digits, length);
    if (flags & FP_LEFT)
        fp_out_fill(out, ' ', pad);
}
