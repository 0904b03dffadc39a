/* Programs are checked once, so that running them needs no checks but those of the record's own bounds. */
#include <stdlib.h>
#include <string.h>

#include "text_quick.h"

enum { NAME_COLUMNS = 20 };

/* What each instruction takes from the stack and leaves there. */
static const struct {
    uint8_t pops, pushes;
} effects[FP_OPS] = {
    [FP_CONST] = {0, 1}, [FP_LOAD] = {0, 1}, [FP_INDEX] = {1, 1}, [FP_DYN_INDEX] = {1, 1}, [FP_DYN_LEN] = {0, 1}, [FP_TO] = {1, 1},
    [FP_NEG] = {1, 1}, [FP_INVERT] = {1, 1}, [FP_NOT] = {1, 1}, [FP_ADD ... FP_EITHER] = {2, 1}, [FP_JUMP_ZERO] = {1, 0},
    [FP_WIDTH] = {1, 0}, [FP_PRECISION] = {1, 0}, [FP_REF ... FP_REF_REST] = {0, 2}, [FP_LIMIT] = {3, 2}, [FP_NUMBER] = {1, 0},
    [FP_STRING_REF] = {2, 0}, [FP_FLAGS] = {1, 0}, [FP_SYMBOLIC] = {1, 0}, [FP_HEX] = {2, 0}, [FP_ARRAY] = {3, 0},
    [FP_SYMBOL] = {1, 0}, [FP_POINTER] = {1, 0}, [FP_MAC ... FP_BITMASK] = {2, 0}, [FP_STRING_POINTER] = {1, 0},
    [FP_RAW_FIELD] = {2, 0}, [FP_NEXT] = {0, 1}, [FP_CALL_INDENT] = {2, 0},
    [FP_LEARN_COMM] = {1, 0}, [FP_HEX_DUMP] = {2, 0}, [FP_LAST_TIME] = {1, 0},
};

static bool
needs_size(unsigned op)
{
    switch (op) {
    case FP_LOAD: case FP_INDEX: case FP_DYN_INDEX: case FP_TO: case FP_NUMBER: case FP_FIELD_NUMBER: case FP_ARRAY:
    case FP_STACK: case FP_BPRINT: case FP_NEXT:
        return true;
    }
    return false;
}

static bool
is_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static const char *
check_operands(const fp_program *program, const fp_instruction *one, size_t left, bool nested)
{
    if (one->op == 0 || one->op >= FP_OPS || (one->op > FP_LIMIT && one->op < FP_TEXT))
        return "unknown instruction";
    if (needs_size(one->op) && !is_size(one->size))
        return "bad size";
    if ((one->op == FP_JUMP || one->op == FP_JUMP_ZERO) && one->a > left)
        return "jump out of the program";
    if (one->op == FP_TEXT && (uint64_t)one->a + one->b > program->literals_total)
        return "text out of the literals";
    if ((one->op == FP_FLAGS || one->op == FP_SYMBOLIC) && (uint64_t)one->a + one->b > program->entries_total)
        return "table out of the entries";
    if (one->op == FP_FLAGS && (uint64_t)(one->v >> 32) + (one->v & 0xffffffff) > program->literals_total)
        return "delimiter out of the literals";
    if (one->op == FP_HEX_DUMP && ((one->size != 16 && one->size != 32) || !is_size(one->a)))
        return "bad size";
    if (one->op == FP_HEX_DUMP && (uint64_t)(one->v >> 32) + (one->v & 0xffffffff) > program->literals_total)
        return "prefix out of the literals";
    if (one->width < 0 || one->width > FP_WIDEST || one->precision > FP_WIDEST)
        return "width out of reason";
    return nested && one->op == FP_BPRINT ? "a format in a format" : NULL;
}

/* Follows the stack through the program; jumps only go forward, so one pass sees every way to each place. */
static const char *
check_stack(const fp_program *program, int16_t *depths)
{
    int depth = 0, open = 0;
    for (size_t at = 0; at < program->code_total; at++) {
        const fp_instruction *one = program->code + at;
        if (depths[at] >= 0 && depth >= 0 && depths[at] != depth)
            return "stack depends on the way";
        if (depth < 0)
            depth = depths[at];
        if (depth < 0)
            return "code that nothing reaches";
        int pops = effects[one->op].pops + (one->op == FP_BITMASK && one->flags & FP_ALT);
        depth += effects[one->op].pushes - pops;
        if (depth - effects[one->op].pushes < 0 || depth > FP_MAX_STACK)
            return "stack out of bounds";
        open += (one->op == FP_OPEN) - (one->op == FP_CLOSE);
        if (open < 0 || open > FP_MAX_OPEN)
            return "pieces out of bounds";
        if (one->op == FP_JUMP || one->op == FP_JUMP_ZERO) {
            int16_t *target = depths + at + 1 + one->a;
            if (*target >= 0 && *target != depth)
                return "stack depends on the way";
            *target = (int16_t)depth;
            if (one->op == FP_JUMP)
                depth = -1;
        }
    }
    return NULL;
}

static const char *
check(const fp_program *program, bool nested)
{
    for (size_t at = 0; at < program->entries_total; at++)
        if ((uint64_t)program->entries[at].at + program->entries[at].length > program->literals_total)
            return "entry out of the literals";
    for (size_t at = 0; at < program->code_total; at++) {
        const char *why = check_operands(program, program->code + at, program->code_total - at - 1, nested);
        if (why)
            return why;
    }
    int16_t *depths = malloc((program->code_total + 1) * sizeof *depths);
    if (depths == NULL)
        return "memory";
    memset(depths, 0xff, (program->code_total + 1) * sizeof *depths);
    const char *why = check_stack(program, depths);
    free(depths);
    return why;
}

/* The event's name between colons; trace-cmd pads it, and the kernel leaves out one that is not there. */
static size_t
make_tail(uint8_t *tail, const void *name, size_t length, bool kernel)
{
    uint8_t *to = tail;
    memcpy(to, ": ", 2);
    to += 2;
    if (kernel && length == 0)
        return 2;
    if (length)
        memcpy(to, name, length);
    memcpy(to + length, ": ", 2);
    to += length + 2;
    if (!kernel && length < NAME_COLUMNS) {
        memset(to, ' ', NAME_COLUMNS - length);
        to += NAME_COLUMNS - length;
    }
    return (size_t)(to - tail);
}

fp_program *
fp_program_new(const void *code, size_t code_bytes, const void *entries, size_t entries_bytes, const void *literals,
               size_t literals_bytes, const void *name, size_t name_length, const fp_text_settings *settings, bool nested,
               const char **why)
{
    *why = "memory";
    size_t tail_bytes = name_length + sizeof ": : " + NAME_COLUMNS;
    uint8_t *block = calloc(1, sizeof(fp_program) + code_bytes + entries_bytes + literals_bytes + name_length + tail_bytes + FP_SLACK);
    if (block == NULL)
        return NULL;
    fp_program *program = (fp_program *)block;
    uint8_t *at = block + sizeof *program;
    memcpy(at, code, code_bytes);
    memcpy(at + code_bytes, entries, entries_bytes);
    memcpy(at + code_bytes + entries_bytes, literals, literals_bytes);
    uint8_t *own_name = at + code_bytes + entries_bytes + literals_bytes;
    if (name_length)
        memcpy(own_name, name, name_length);
    *program = (fp_program){
        .code = (fp_instruction *)at,
        .entries = (const fp_entry *)(at + code_bytes),
        .literals = at + code_bytes + entries_bytes,
        .name = own_name,
        .tail = own_name + name_length,
        .code_total = code_bytes / sizeof(fp_instruction),
        .entries_total = entries_bytes / sizeof(fp_entry),
        .literals_total = literals_bytes,
        .name_length = name_length,
    };
    program->tail_length = make_tail(own_name + name_length, name, name_length, settings->kernel);
    *why = code_bytes % sizeof(fp_instruction) || entries_bytes % sizeof(fp_entry) ? "odd length" : check(program, nested);
    if (*why == NULL) {
        fp_quick_rewrite(program, settings->big_endian);
        return program;
    }
    free(block);
    return NULL;
}
