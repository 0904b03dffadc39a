/* What a program says, made quick to run: instructions are rewritten in place, so that jumps still lead where they led. */
#include "text_quick.h"

#include "cursor.h"

const char fp_digit_pairs[200] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
                                 "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Four digits at a time from the front, after the one to four that come first. */
uint8_t *
fp_put_long_decimal(uint8_t *to, uint64_t value)
{
    uint64_t rest[5];
    size_t parts = 0;
    for (; value >= 10000; value /= 10000)
        rest[parts++] = value % 10000;
    to = value < 100 ? fp_put_upto_100(to, value) : fp_put_pair(fp_put_upto_100(to, value / 100), value % 100);
    while (parts-- > 0)
        to = fp_put_pair(fp_put_pair(to, rest[parts] / 100), rest[parts] % 100);
    return to;
}

/* The rewritten number, 0 where this conversion is none of the common ones. */
static unsigned
quick_number(const fp_instruction *one)
{
    bool zeros = one->b == 'x' && one->flags & FP_ZEROS && one->width <= 16;
    if (one->op != FP_FIELD_NUMBER || (one->width && !zeros) || one->precision >= 0 || one->flags & ~(unsigned)(FP_SIGNED | FP_ZEROS))
        return 0;
    unsigned size = (unsigned)__builtin_ctz(one->size);
    switch (one->b) {
    case 'x': return FP_QUICK + FP_QUICK_HEX + size;
    case 'u': return FP_QUICK + FP_QUICK_UNSIGNED + size;
    case 'd': return FP_QUICK + (one->flags & FP_SIGNED ? FP_QUICK_SIGNED : FP_QUICK_UNSIGNED) + size;
    }
    return 0;
}

/* A field, a mask, their AND and a jump where that is nothing: as the states of sched_switch are shown. */
static bool
is_test(const fp_instruction *one, size_t left)
{
    return left >= 3 && one[0].op == FP_LOAD && one[1].op == FP_CONST && one[2].op == FP_AND && one[3].op == FP_JUMP_ZERO;
}

static size_t
widest(const fp_instruction *one)
{
    if (one->op == FP_TEXT)
        return ((size_t)one->b + FP_SLACK - 1) / FP_SLACK * FP_SLACK;
    if (one->op < FP_QUICK || one->op == FP_QUICK_TEST)
        return 0;
    return one->op == FP_QUICK_STRING16 ? 16 : FP_NUMBER_MOST + (one->op >= FP_QUICK + FP_QUICK_WITH_TEXT ? FP_SHORT : 0);
}

void
fp_quick_rewrite(fp_program *program, bool big_endian)
{
    fp_instruction *code = program->code;
    size_t total = program->code_total;
    for (size_t at = 0; at < total && big_endian == FP_HOST_BIG; at++) {
        fp_instruction *one = code + at;
        unsigned number = quick_number(one);
        if (number)
            one->op = (uint16_t)number;
        else if (one->op == FP_STRING && one->b == 16)
            one->op = FP_QUICK_STRING16;
        else if (is_test(one, total - at - 1))
            one->op = FP_QUICK_TEST;
    }
    for (size_t at = 0; at + 1 < total; at++)
        if (code[at].op == FP_TEXT && code[at].b <= FP_SHORT && code[at + 1].op >= FP_QUICK && code[at + 1].op < FP_QUICK_STRING16)
            code[at].op = (uint16_t)(code[at + 1].op + FP_QUICK_WITH_TEXT);
    program->most = FP_SLACK;
    for (size_t at = 0; at < total; at++)
        program->most += widest(code + at);
}
