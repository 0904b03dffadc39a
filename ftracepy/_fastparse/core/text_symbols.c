/* Kernel addresses to names: kallsyms text is parsed at the first question. symbols/kallsyms.py says how it answers. */
#include "text_out.h"

static int
hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 32;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Same address: the one that comes first in the file stays first. */
static int
by_address(const void *left, const void *right)
{
    const fp_symbol *a = left, *b = right;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* trace-cmd's list grows at its head, so that the one that comes last in the file is first. */
static int
by_address_reversed(const void *left, const void *right)
{
    const fp_symbol *a = left, *b = right;
    return a->address == b->address ? by_address(right, left) : by_address(left, right);
}

/* Lists of trampolines that no lookup of the kernel's tells of. */
static bool
is_unseen(const uint8_t *line, size_t length)
{
    static const char *const modules[] = {"\t[__builtin__ftrace]", "\t[__builtin__kprobes]"};
    while (length && (line[length - 1] == '\r' || line[length - 1] == ' '))
        length--;
    for (size_t i = 0; i < 2; i++) {
        size_t wide = strlen(modules[i]);
        if (length >= wide && memcmp(line + length - wide, modules[i], wide) == 0)
            return true;
    }
    return false;
}

static bool
parse_line(const fp_symbols *symbols, size_t at, size_t end, fp_symbol *symbol)
{
    const uint8_t *text = symbols->text;
    size_t start = at;
    uint64_t address = 0;
    for (; at < end && text[at] != ' '; at++) {
        int digit = hex_digit(text[at]);
        if (digit < 0)
            return false;
        address = address << 4 | (unsigned)digit;
    }
    if (at == start || at - start > 16 || end - at < 4 || (text[at + 1] | 32) == 'a' || text[at + 3] == '$')
        return false;
    if (symbols->exact && is_unseen(text + at, end - at))
        return false;
    *symbol = (fp_symbol){address, (uint32_t)(at + 3), (uint32_t)(end - at - 3)};
    return true;
}

static void
parse(fp_symbols *symbols)
{
    size_t lines = 1, at = 0;
    uint64_t last = 0;
    bool sorted = true;
    symbols->parsed = true;
    if (symbols->length > UINT32_MAX)
        return;
    for (size_t i = 0; i < symbols->length; i++)
        lines += symbols->text[i] == '\n';
    symbols->symbols = malloc(lines * sizeof *symbols->symbols);
    if (symbols->symbols == NULL)
        return;
    while (at < symbols->length) {
        const uint8_t *newline = memchr(symbols->text + at, '\n', symbols->length - at);
        size_t end = newline ? (size_t)(newline - symbols->text) : symbols->length;
        fp_symbol *next = symbols->symbols + symbols->total;
        if (parse_line(symbols, at, end, next)) {
            uint8_t kind = symbols->text[next->at - 2];
            symbols->has_data = symbols->has_data || kind == 'd' || kind == 'r' || kind == 'b';
            sorted = sorted && (last < next->address || (last == next->address && symbols->exact));
            last = next->address;
            symbols->total++;
        }
        at = end + 1;
    }
    if (!sorted)
        qsort(symbols->symbols, symbols->total, sizeof *symbols->symbols, symbols->exact ? by_address : by_address_reversed);
}

static bool
in_module(const fp_symbols *symbols, const fp_symbol *symbol)
{
    const uint8_t *tab = memchr(symbols->text + symbol->at, '\t', symbol->length);
    const uint8_t *end = symbols->text + symbol->at + symbol->length;
    return tab != NULL && tab + 1 < end && tab[1] == '[';
}

static bool
is_text(const fp_symbols *symbols, const fp_symbol *symbol)
{
    uint8_t kind = symbols->text[symbol->at - 2] | 32;
    return kind == 't' || kind == 'w';
}

static bool
same_module(const fp_symbols *symbols, const fp_symbol *a, const fp_symbol *b)
{
    const uint8_t *left = symbols->text + a->at, *right = symbols->text + b->at;
    const uint8_t *left_tab = memchr(left, '\t', a->length), *right_tab = memchr(right, '\t', b->length);
    if (left_tab == NULL || right_tab == NULL)
        return false;
    size_t length = (size_t)(left + a->length - left_tab);
    return length == (size_t)(right + b->length - right_tab) && memcmp(left_tab, right_tab, length) == 0;
}

/* Index of the first symbol above `address`. */
static size_t
above(const fp_symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->total;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where a symbol ends: at the next one, at the page's end where it is the last of a module's text, or of the module; 0 where
 * that is not known. */
static uint64_t
end_of(const fp_symbols *symbols, const fp_symbol *symbol)
{
    size_t after = above(symbols, symbol->address);
    const fp_symbol *next = after < symbols->total ? symbols->symbols + after : NULL;
    uint64_t following = next ? next->address : 0, page_end = (symbol->address | 4095) + 1;
    if (!symbols->exact || !in_module(symbols, symbol))
        return following;
    bool same = next && (is_text(symbols, next) || !is_text(symbols, symbol)) && same_module(symbols, symbol, next);
    return same || (next && following < page_end) ? following : page_end;
}

/* Whether the kernel's last symbol ends it; after a function the list was cut. */
static bool
marks_end(const fp_symbols *symbols, const fp_symbol *symbol)
{
    static const char *const ends[] = {"_etext", "_einittext", "_end"};
    const uint8_t *name = symbols->text + symbol->at;
    size_t length = symbol->length;
    while (length && (name[length - 1] == '\r' || name[length - 1] == ' '))
        length--;
    for (size_t i = 0; i < 3; i++)
        if (length == strlen(ends[i]) && memcmp(name, ends[i], length) == 0)
            return true;
    return !is_text(symbols, symbol);
}

/* First of the names at the nearest lower address; the last symbol of the kernel itself marks its end. */
static size_t
containing(const fp_symbols *symbols, uint64_t address)
{
    size_t after = above(symbols, address), first = after;
    if (after == 0)
        return SIZE_MAX;
    uint64_t start = symbols->symbols[after - 1].address;
    while (first > 0 && symbols->symbols[first - 1].address == start)
        first--;
    bool ends = after == symbols->total || in_module(symbols, symbols->symbols + after);
    if (in_module(symbols, symbols->symbols + first)) {
        uint64_t end = end_of(symbols, symbols->symbols + first);
        return end && address >= end ? SIZE_MAX : first;
    }
    if (!is_text(symbols, symbols->symbols + first) && !symbols->has_data)
        return SIZE_MAX;
    return ends && address != start && marks_end(symbols, symbols->symbols + first) ? SIZE_MAX : first;
}

/* The search that trace-cmd's library does: which of several names at one address it meets first matters. */
static size_t
searched(const fp_symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->total;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint64_t start = symbols->symbols[middle].address;
        if (address == start)
            return middle;
        if (address < start)
            high = middle;
        else if (middle + 1 < symbols->total && address < symbols->symbols[middle + 1].address)
            return middle;
        else
            low = middle + 1;
    }
    return SIZE_MAX;
}

static size_t
find(fp_symbols *symbols, uint64_t address)
{
    if (!symbols->parsed)
        parse(symbols);
    size_t slot = (address ^ address >> 8 ^ address >> 16) & 255;
    if (symbols->seen[slot].used && symbols->seen[slot].address == address)
        return symbols->seen[slot].index;
    size_t index = symbols->exact ? containing(symbols, address) : searched(symbols, address);
    symbols->seen[slot].address = address;
    symbols->seen[slot].index = index;
    symbols->seen[slot].used = true;
    return index;
}

const fp_symbol *
fp_symbols_find(fp_symbols *symbols, uint64_t address)
{
    size_t index = find(symbols, address);
    return index == SIZE_MAX ? NULL : symbols->symbols + index;
}

static bool
is_trampoline(const uint8_t *name, size_t length)
{
    static const char *const names[] = {"kretprobe_trampoline", "__kretprobe_trampoline", "arch_rethook_trampoline"};
    for (size_t i = 0; i < 3; i++)
        if (length == strlen(names[i]) && memcmp(name, names[i], length) == 0)
            return true;
    return false;
}

void
fp_symbols_show(fp_symbols *symbols, uint64_t address, unsigned shape, fp_text_out *out)
{
    size_t index = find(symbols, address);
    bool or_nothing = shape & FP_OR_NOTHING;
    if (shape & FP_PLACE) {
        index = address >> 31 ? index : SIZE_MAX;
        shape = 2;
    }
    shape &= ~(unsigned)FP_OR_NOTHING;
    if (index == SIZE_MAX && or_nothing)
        return;
    if (index == SIZE_MAX && shape & FP_BARE && address == 0) {
        fp_out_byte(out, '0');
        return;
    }
    if (index == SIZE_MAX) {
        FP_OUT_LITERAL(out, "0x");
        fp_out_hex_padded(out, address, shape >= FP_BACKWARDS ? 8 : 0);
        return;
    }
    const fp_symbol *symbol = symbols->symbols + index;
    const uint8_t *name = symbols->text + symbol->at;
    const uint8_t *tab = memchr(name, '\t', symbol->length);
    size_t length = tab ? (size_t)(tab - name) : symbol->length;
    if (shape & FP_BARE && is_trampoline(name, length)) {
        FP_OUT_LITERAL(out, "[unknown/kretprobe'd]");
        return;
    }
    fp_out_bytes(out, name, length);
    if (shape & FP_BARE)
        return;
    if (shape == FP_BACKWARDS) {
        FP_OUT_LITERAL(out, "/0x");
        fp_out_hex(out, symbol->address - address);
    } else if (shape) {
        FP_OUT_LITERAL(out, "+0x");
        fp_out_hex(out, address - symbol->address);
    }
    if (shape == 2) {
        uint64_t end = end_of(symbols, symbol);
        FP_OUT_LITERAL(out, "/0x");
        fp_out_hex(out, end ? end - symbol->address : 0);
    }
    if (symbols->exact && in_module(symbols, symbol)) {
        fp_out_byte(out, ' ');
        fp_out_bytes(out, tab + 1, (size_t)(name + symbol->length - tab - 1));
    }
}

void
fp_symbols_clear(fp_symbols *symbols)
{
    bool exact = symbols->exact;
    free(symbols->symbols);
    *symbols = (fp_symbols){.exact = exact};
}
