/* The arguments that the function tracers record; twin_arguments.py is the plain version. */
#include "text_show.h"

enum { ROW_HEAD_BYTES = 5 };

static const fp_argument_event *
event_of(const fp_text_machine *machine, unsigned id)
{
    for (size_t at = 0; at < machine->argument_events_total; at++)
        if (machine->argument_events[at].id == id)
            return machine->argument_events + at;
    return NULL;
}

static uint64_t
load(const fp_text_machine *machine, const fp_record *record, uint64_t at)
{
    return fp_record_load(record, at, machine->settings.long_bytes, false, machine->settings.big_endian);
}

bool
fp_arguments_of(const fp_text_machine *machine, const fp_record *record, uint64_t *function)
{
    const fp_argument_event *event = event_of(machine, record->id);
    if (event == NULL || record->length < (uint64_t)event->arguments_at + machine->settings.long_bytes)
        return false;
    *function = load(machine, record, event->function_at);
    return true;
}

typedef struct {
    const fp_text_machine *machine;
    const fp_record *record;
    uint64_t start, at, total; /* the next argument, and how many there are */
} arguments;

static uint64_t
value_of(const arguments *from, uint64_t at)
{
    return load(from->machine, from->record, from->start + at * from->machine->settings.long_bytes);
}

static void
show_hex(fp_text_out *out, uint64_t value)
{
    FP_OUT_LITERAL(out, "0x");
    fp_out_hex(out, value);
}

static void
show_rest(arguments *from, const uint8_t *text, size_t length, fp_text_out *out)
{
    for (uint64_t first = from->at; from->at < from->total; from->at++) {
        if (from->at > first)
            FP_OUT_LITERAL(out, ", ");
        fp_out_bytes(out, text, length);
        fp_out_hex(out, value_of(from, from->at));
    }
}

/* A struct's words; false where the record ends within them. */
static bool
show_words(arguments *from, unsigned words, fp_text_out *out)
{
    show_hex(out, value_of(from, from->at));
    for (unsigned word = 1; word < words; word++) {
        fp_out_byte(out, ':');
        if (++from->at == from->total) {
            FP_OUT_LITERAL(out, "...]");
            return false;
        }
        show_hex(out, value_of(from, from->at));
    }
    fp_out_byte(out, ']');
    return true;
}

static void
show_value(unsigned conv, uint64_t value, unsigned bits, unsigned shift, fp_text_out *out)
{
    value = value >> shift & (bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX);
    if (conv == 'x')
        show_hex(out, value);
    if (conv != 'd')
        return;
    if ((int64_t)value < 0)
        fp_out_byte(out, '-');
    fp_out_decimal(out, (int64_t)value < 0 ? 0 - value : value);
}

void
fp_arguments_show(const fp_text_machine *machine, const fp_record *record, fp_text_out *out)
{
    uint64_t function;
    size_t length = 0;
    if (!fp_arguments_of(machine, record, &function))
        return;
    const uint8_t *row = fp_text_map_find(&machine->prototypes, function, &length), *end = row + length;
    uint64_t start = event_of(machine, record->id)->arguments_at;
    arguments from = {machine, record, start, 0, (record->length - start) / machine->settings.long_bytes};
    for (bool first = true; row && end - row >= ROW_HEAD_BYTES && end - row - ROW_HEAD_BYTES >= row[4]; first = false) {
        const uint8_t *text = row + ROW_HEAD_BYTES;
        if (!first)
            FP_OUT_LITERAL(out, ", ");
        if (row[0] == 'r') {
            show_rest(&from, text, row[4], out);
            return;
        }
        if (from.at == from.total) {
            FP_OUT_LITERAL(out, "...");
            return;
        }
        fp_out_bytes(out, text, row[4]);
        if (row[0] != 's')
            show_value(row[0], value_of(&from, from.at), row[1], row[2] & 63, out);
        else if (!show_words(&from, row[3], out))
            return;
        from.at++;
        row = text + row[4];
    }
}
