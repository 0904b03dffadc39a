/* The block tracer's own text; twin_block.py is the plain version. */
#include "text_show.h"

enum { IN_CGROUP = 1 << 8, MESSAGE = 1 << 26 | 2, MINOR_BITS = 20, MINORS = 0xfffff };
enum { IS_WRITE = 1 << 17, IS_FLUSH = 1 << 18, IS_SYNC = 1 << 19, IS_PC = 1 << 25, IS_AHEAD = 1 << 27, IS_META = 1 << 28,
       IS_DISCARD = 1 << 29 };
#define IS_FUA (1U << 31)

static const char *const actions[][2] = {
    {"Q", "queue"}, {"M", "backmerge"}, {"F", "frontmerge"}, {"G", "getrq"}, {"S", "sleeprq"}, {"R", "requeue"}, {"D", "issue"},
    {"C", "complete"}, {"P", "plug"}, {"U", "unplug_io"}, {"UT", "unplug_timer"}, {"I", "insert"}, {"X", "split"},
    {"B", "bounce"}, {"A", "remap"}, {"", ""}, {"", ""}, {"ZP", "zone_plug"}, {"ZU", "zone_unplug"},
};

/* Where a struct's fields are: blk_io_trace, and blk_io_trace2. */
typedef struct {
    uint8_t action, device, error, pdu_length, pdu;
} layout;

static const layout narrow = {28, 36, 44, 46, 48}, wide = {32, 40, 48, 50, 64};

typedef struct {
    const fp_text_machine *machine;
    const fp_record *record;
    fp_text_out *out;
    fp_reference pdu; /* what belongs to the action */
    uint64_t sector;
    const layout *at;
    uint32_t action, size;
    bool classic;
} block;

static uint64_t
number(const block *one, uint64_t at, unsigned size)
{
    return fp_record_load(one->record, at, size, false, one->machine->settings.big_endian);
}

static void
show_word(const char *word, size_t width, fp_text_out *out)
{
    size_t length = strlen(word);
    if (length < width)
        fp_out_fill(out, ' ', width - length);
    fp_out_bytes(out, word, length);
    fp_out_byte(out, ' ');
}

static void
show_comm(const block *one)
{
    size_t length;
    const uint8_t *comm = fp_text_comm(one->machine, (int32_t)number(one, 4, 4), &length);
    fp_out_byte(one->out, '[');
    fp_out_bytes(one->out, comm, length);
    fp_out_byte(one->out, ']');
}

/* What kind of request it is. */
static void
set_kind(const block *one, bool is_message, char *to)
{
    uint32_t action = one->action;
    if (!is_message && action & IS_FLUSH)
        *to++ = 'F';
    *to++ = is_message ? 'N' : action & IS_DISCARD ? 'D' : action & IS_WRITE ? 'W' : one->size ? 'R' : 'N';
    if (!is_message && action & IS_FUA)
        *to++ = 'F';
    if (!is_message && action & IS_AHEAD)
        *to++ = 'A';
    if (!is_message && action & IS_SYNC)
        *to++ = 'S';
    if (!is_message && action & IS_META)
        *to++ = 'M';
    *to = 0;
}

static void
show_place_and_time(const block *one)
{
    fp_out_decimal_padded(one->out, one->record->cpu, 2, ' ');
    fp_out_byte(one->out, ' ');
    fp_out_decimal_padded(one->out, one->record->ts / 1000000000, 5, ' ');
    fp_out_byte(one->out, '.');
    fp_out_decimal_padded(one->out, one->record->ts % 1000000000, 9, '0');
    fp_out_byte(one->out, ' ');
    fp_out_decimal_padded(one->out, number(one, 4, 4), 5, ' ');
    fp_out_byte(one->out, ' ');
}

static void
show_head(const block *one, const char *action, bool is_message)
{
    uint32_t device = (uint32_t)number(one, one->at->device, 4), minor = device & MINORS;
    fp_text_out *out = one->out;
    char kind[8];
    fp_out_decimal_padded(out, device >> MINOR_BITS, 3, ' ');
    fp_out_byte(out, ',');
    size_t start = out->used;
    fp_out_decimal(out, minor);
    if (out->used - start < 3)
        fp_out_fill(out, ' ', 3 - (out->used - start));
    fp_out_byte(out, ' ');
    if (one->classic) {
        show_place_and_time(one);
    } else if (one->action & IN_CGROUP) {
        uint64_t group = number(one, one->at->pdu, 8);
        fp_out_hex(out, group & 0xffffffff);
        fp_out_byte(out, ',');
        fp_out_hex(out, group >> 32);
        fp_out_byte(out, ' ');
    }
    set_kind(one, is_message, kind);
    show_word(action, 2, out);
    show_word(kind, 3, out);
}

/* A big-endian number of the PDU, zeros where it ends before it. */
static uint64_t
pdu_number(const block *one, uint64_t at)
{
    uint64_t value = 0;
    for (uint64_t byte = at; byte < at + 8; byte++)
        value = value << 8 | (byte < one->pdu.length ? one->record->data[one->pdu.at + byte] : 0);
    return value;
}

/* In hex, the zeros that it ends with cut to one. */
static void
show_pdu(const block *one)
{
    const uint8_t *data = one->record->data + one->pdu.at;
    uint64_t total = one->pdu.length, shown = total;
    if (total == 0)
        return;
    while (shown && data[shown - 1] == 0)
        shown--;
    bool cut = total - shown >= 2;
    fp_out_byte(one->out, '(');
    fp_show_bytes(one->out, data, cut ? shown + 1 : total, " ", 1);
    if (cut)
        FP_OUT_LITERAL(one->out, " ..");
    FP_OUT_LITERAL(one->out, ") ");
}

static void
show_place(const block *one)
{
    fp_out_decimal(one->out, one->sector);
    FP_OUT_LITERAL(one->out, " + ");
    fp_out_decimal(one->out, one->size >> 9);
    fp_out_byte(one->out, ' ');
}

static void
show_end(const block *one)
{
    if (one->action & IS_PC) {
        show_pdu(one);
    } else if (one->size >> 9) {
        show_place(one);
    } else {
        fp_out_decimal(one->out, one->sector);
        fp_out_byte(one->out, ' ');
    }
    fp_out_byte(one->out, '[');
    fp_out_decimal(one->out, number(one, one->at->error, 2));
    fp_out_byte(one->out, ']');
}

static void
show_remap(const block *one)
{
    uint32_t device = (uint32_t)(pdu_number(one, 0) >> 32);
    show_place(one);
    FP_OUT_LITERAL(one->out, "<- (");
    fp_out_decimal(one->out, device >> MINOR_BITS);
    fp_out_byte(one->out, ',');
    fp_out_decimal(one->out, device & MINORS);
    FP_OUT_LITERAL(one->out, ") ");
    fp_out_decimal(one->out, pdu_number(one, 8));
}

static void
show_generic(const block *one)
{
    if (one->action & IS_PC) {
        fp_out_decimal(one->out, one->size);
        fp_out_byte(one->out, ' ');
        show_pdu(one);
    } else if (one->size >> 9) {
        show_place(one);
    }
    show_comm(one);
}

static void
show_told(const block *one, char action)
{
    switch (action) {
    case 'C': case 'R': show_end(one); break;
    case 'P': show_comm(one); break;
    case 'U':
        show_comm(one);
        fp_out_byte(one->out, ' ');
        fp_out_decimal(one->out, pdu_number(one, 0));
        break;
    case 'X':
        fp_out_decimal(one->out, one->sector);
        FP_OUT_LITERAL(one->out, " / ");
        fp_out_decimal(one->out, pdu_number(one, 0));
        fp_out_byte(one->out, ' ');
        show_comm(one);
        break;
    case 'A': show_remap(one); break;
    default: show_generic(one);
    }
}

void
fp_block_show(const fp_text_machine *machine, const fp_record *record, unsigned how, fp_text_out *out)
{
    block one = {.machine = machine, .record = record, .out = out, .classic = how & FP_BLOCK_CLASSIC,
                 .at = how & FP_BLOCK_WIDE ? &wide : &narrow};
    bool long_words = how & FP_BLOCK_LONG;
    one.action = (uint32_t)number(&one, one.at->action, 4);
    one.size = (uint32_t)number(&one, 24, 4);
    one.sector = number(&one, 16, 8);
    uint64_t start = one.at->pdu + (one.action & IN_CGROUP ? 8U : 0U), end = one.at->pdu + number(&one, one.at->pdu_length, 2);
    one.pdu = fp_record_reference(record, start, end > start ? end - start : 0);
    uint32_t what = one.action & 0xffff & ~(uint32_t)IN_CGROUP;
    if ((one.action & ~(uint32_t)IN_CGROUP) == MESSAGE) {
        show_head(&one, long_words ? "message" : "m", true);
        fp_out_bytes(out, record->data + one.pdu.at, one.pdu.length);
    } else if (what == 0 || what > sizeof actions / sizeof *actions || !actions[what - 1][0][0]) {
        FP_OUT_LITERAL(out, "Unknown action ");
        fp_out_hex(out, what);
    } else {
        show_head(&one, actions[what - 1][long_words], false);
        const char *action = actions[what - 1][0];
        show_told(&one, action[action[0] == 'Z']);
    }
    fp_out_byte(out, '\n');
}
