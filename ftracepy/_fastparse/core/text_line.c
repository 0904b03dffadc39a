/* Lines: the events of a batch in their order, with what was lost in its place. */
#include "text_out.h"

void
fp_text_loss(const fp_text_machine *machine, uint32_t cpu, int64_t count, fp_text_out *out)
{
    bool kernel = machine->settings.kernel;
    FP_OUT_LITERAL(out, "CPU:");
    fp_out_decimal(out, cpu);
    fp_out_bytes(out, " [", 2);
    if (kernel)
        FP_OUT_LITERAL(out, "LOST ");
    if (count >= 0) {
        fp_out_decimal(out, (uint64_t)count);
        fp_out_byte(out, ' ');
    }
    if (kernel)
        FP_OUT_LITERAL(out, "EVENTS]\n");
    else
        FP_OUT_LITERAL(out, "EVENTS DROPPED]\n");
}

static const fp_record *
next_of(const fp_record *records, size_t total, size_t at, uint16_t cpu)
{
    for (; at < total; at++)
        if (records[at].cpu == cpu)
            return records + at;
    return NULL;
}

/* The event that tells how the line of the one at `at` ends, in this batch or the next: its CPU's next one, for trace-cmd
 * the next of all. */
static const fp_record *
settling(const fp_text_span *span, size_t at, bool kernel)
{
    uint16_t cpu = span->records[at].cpu;
    if (!kernel && at + 1 < span->total)
        return span->records + at + 1;
    if (!kernel)
        return span->following_total ? span->following : NULL;
    const fp_record *next = next_of(span->records, span->total, at + 1, cpu);
    return next ? next : next_of(span->following, span->following_total, 0, cpu);
}

static bool
is_plain(const fp_text_machine *machine, unsigned id)
{
    if (machine->graph.on && !machine->settings.kernel)
        return !fp_graph_is_entry(&machine->graph, id) && id != machine->graph.exit;
    return !machine->graph.on || machine->plain_ids[id / 8] >> id % 8 & 1;
}

/* Whether it is not known yet how the arguments in this record are shown. */
static bool
asks(fp_text_machine *machine, const fp_record *record)
{
    uint64_t function;
    size_t length;
    if (!fp_arguments_of(machine, record, &function) || fp_text_map_find(&machine->prototypes, function, &length))
        return false;
    machine->asked = function;
    return true;
}

size_t
fp_text_lines(fp_text_machine *machine, const fp_text_span *span, long *why)
{
    size_t lost = 0, at = span->start;
    fp_text_out *out = &machine->out;
    out->used = 0;
    for (; at < span->stop; at++) {
        const fp_record *record = span->records + at, *next = NULL;
        const fp_program *program = record->id < machine->programs_total ? machine->programs[record->id] : NULL;
        if (program == NULL) {
            *why = record->id;
            return at;
        }
        if (machine->argument_ids >> (record->id & 63) & 1 && asks(machine, record)) {
            *why = FP_LINES_ASKS;
            return at;
        }
        if (machine->graph.on && fp_graph_is_entry(&machine->graph, record->id)) {
            next = settling(span, at, machine->settings.kernel);
            if (next == NULL && span->hold) {
                *why = FP_LINES_HELD;
                return at;
            }
        }
        for (; lost < span->losses_total && span->losses[lost].index <= (ptrdiff_t)at; lost++)
            fp_text_loss(machine, (uint32_t)span->losses[lost].cpu, span->losses[lost].count, out);
        if (is_plain(machine, record->id))
            fp_text_line(machine, program, record, out);
        else
            fp_graph_line(machine, program, record, next, out);
    }
    for (; lost < span->losses_total; lost++)
        fp_text_loss(machine, (uint32_t)span->losses[lost].cpu, span->losses[lost].count, out);
    *why = FP_LINES_DONE;
    return at;
}
