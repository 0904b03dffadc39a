/* The columns before an event's text: task, CPU, flags, time, name. */
#include "text_out.h"

const uint8_t *
fp_text_comm(const fp_text_machine *machine, int32_t pid, size_t *length)
{
    const uint8_t *comm = pid == 0 ? NULL : fp_text_map_find(&machine->comms, (uint32_t)pid, length);
    if (comm)
        return comm;
    *length = pid == 0 ? 6 : 5;
    return (const uint8_t *)(pid == 0 ? "<idle>" : "<...>");
}

static void
task(const fp_text_machine *machine, int32_t pid, fp_text_out *out)
{
    const fp_text_settings *settings = &machine->settings;
    size_t length, start, room = settings->latency ? 8 : 16;
    const uint8_t *comm = fp_text_comm(machine, pid, &length);
    fp_out_bytes(out, machine->prefix, machine->prefix_length);
    if (settings->latency && length > room)
        length = room;
    if (length < room)
        fp_out_fill(out, ' ', room - length);
    fp_out_bytes(out, comm, length);
    fp_out_byte(out, '-');
    start = out->used;
    if (pid < 0)
        fp_out_byte(out, '-');
    fp_out_decimal(out, pid < 0 ? 0 - (uint64_t)pid : (uint64_t)pid);
    size_t wide = out->used - start, wanted = settings->kernel ? 7 : 5;
    if (wide < wanted)
        fp_out_fill(out, ' ', wanted - wide);
    fp_out_bytes(out, " [", settings->latency ? 1 : 2);
}

static void
cached_task(fp_text_machine *machine, int32_t pid, fp_text_out *out)
{
    fp_head *head = machine->heads + ((uint32_t)pid * 2654435761U >> 22);
    if (head->length && head->pid == pid) {
        fp_out_slack(out, head->text, head->length);
        return;
    }
    size_t start = out->used;
    task(machine, pid, out);
    if (!out->failed && out->used - start <= sizeof head->text) {
        head->pid = pid;
        head->length = (uint32_t)(out->used - start);
        memcpy(head->text, out->data + start, head->length);
    }
}

static uint8_t
nibble(unsigned value)
{
    return value ? (uint8_t)"0123456789abcdef"[value & 15] : '.';
}

static unsigned
byte_at(const fp_record *record, unsigned at)
{
    return at < record->length ? record->data[at] : 0;
}

static void
show_count(fp_text_out *out, unsigned count)
{
    if (count)
        fp_out_hex(out, count);
    else
        fp_out_byte(out, '.');
}

/* A PREEMPT_RT 5.10: its need-resched-lazy, and three counts of their own. */
static void
latency_rt(const fp_text_settings *settings, const fp_record *record, unsigned flags, fp_text_out *out)
{
    const uint8_t text[] = {flags & 1 ? 'd' : flags & 2 ? 'X' : '.', (uint8_t)".npN"[(flags >> 2 & 1) | (flags >> 4 & 2)],
                            flags & 0x80 ? 'L' : '.', (uint8_t)".hsHzZzZ"[(flags >> 3 & 3) | (flags >> 4 & 4)]};
    fp_out_bytes(out, text, sizeof text);
    show_count(out, byte_at(record, settings->preempt_at));
    show_count(out, byte_at(record, settings->lazy_count_at));
    show_count(out, byte_at(record, settings->migrate_at));
}

static void
latency(const fp_text_settings *settings, const fp_record *record, fp_text_out *out)
{
    unsigned flags = byte_at(record, settings->flags_at), count = byte_at(record, settings->preempt_at);
    bool off = flags & 1, bh_off = flags & 0x80;
    uint8_t text[5];
    if (settings->flag_columns == 2)
        return;
    if (settings->flag_columns == 1) {
        FP_OUT_LITERAL(out, "-0x");
        fp_out_hex(out, flags);
        return;
    }
    if (!settings->kernel) { /* what trace-cmd's library knows of the flags */
        text[0] = off ? 'd' : '.';
        text[1] = flags & 4 ? 'N' : flags & 0x22 ? 'L' : '.';
        text[2] = (uint8_t)".hsH"[flags >> 3 & 3];
        text[3] = nibble(count & 15);
        text[4] = nibble(count >> 4);
        fp_out_bytes(out, text, 5);
        if (settings->migrate_at)
            fp_out_decimal(out, byte_at(record, settings->migrate_at));
        return;
    }
    if (settings->lazy_count_at) {
        latency_rt(settings, record, flags, out);
        return;
    }
    text[0] = off && bh_off ? 'D' : off ? 'd' : bh_off ? 'b' : flags & 2 && !settings->lazy_bit ? 'X' : '.';
    text[1] = (uint8_t)".npNlbLB"[(flags >> 2 & 1) | (flags >> 4 & 2) | (settings->lazy_bit ? flags << 1 & 4 : 0)];
    text[2] = (uint8_t)".hsHzZzZ"[(flags >> 3 & 3) | (flags >> 4 & 4)];
    if (settings->flag_columns == 4) {
        fp_out_bytes(out, text, 3);
        show_count(out, count);
        return;
    }
    text[3] = nibble(count & 15);
    text[4] = nibble(count >> 4);
    fp_out_bytes(out, text, 5);
}

uint64_t
fp_text_time(const fp_text_settings *settings, uint64_t raw)
{
    unsigned __int128 product = (unsigned __int128)raw * settings->mult;
    return (uint64_t)(product >> settings->shift) + settings->offset;
}

static void
three_digits(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)('0' + value / 100);
    to[1] = (uint8_t)('0' + value / 10 % 10);
    to[2] = (uint8_t)('0' + value % 10);
}

/* Seconds, in five columns at least, and 6 or 9 digits after the point. The divisors stand here as constants because a
 * division by one that is not known costs as much as half of the columns. */
static void
show_seconds(uint64_t ns, unsigned digits, fp_text_out *out)
{
    uint64_t seconds;
    uint32_t rest;
    if (digits == 6) {
        uint64_t us = (ns + 500) / 1000;
        seconds = us / 1000000;
        rest = (uint32_t)(us % 1000000);
    } else {
        seconds = ns / 1000000000;
        rest = (uint32_t)(ns % 1000000000);
    }
    fp_out_decimal_padded(out, seconds, 5, ' ');
    if (!fp_out_room(out, 10))
        return;
    uint8_t *to = out->data + out->used;
    *to++ = '.';
    if (digits == 9) {
        three_digits(to, rest / 1000000);
        to += 3;
    }
    three_digits(to, rest / 1000 % 1000);
    three_digits(to + 3, rest % 1000);
    out->used += digits + 1;
}

static void
stamp(const fp_text_settings *settings, uint64_t raw, fp_text_out *out)
{
    uint64_t value = fp_text_time(settings, raw);
    if (settings->flag_columns)
        fp_out_byte(out, ' ');
    if (!settings->is_ns) {
        fp_out_decimal_padded(out, value, settings->kernel ? 12 : 11, ' ');
        return;
    }
    show_seconds(value, settings->digits, out);
}

void
fp_text_head(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    const fp_text_settings *settings = &machine->settings;
    cached_task(machine, record->pid, out);
    fp_out_decimal_padded(out, record->cpu, 3, settings->latency ? ' ' : '0');
    if (!settings->latency)
        fp_out_bytes(out, "] ", settings->flag_columns == 1 ? 1 : 2);
    if (settings->flag_columns)
        latency(settings, record, out);
    stamp(settings, record->ts, out);
    FP_OUT_LITERAL(out, ": ");
    if (settings->kernel && program->name_length == 0)
        return;
    fp_out_slack(out, program->name, program->name_length);
    FP_OUT_LITERAL(out, ": ");
    if (!settings->kernel && program->name_length < 20)
        fp_out_fill(out, ' ', 20 - program->name_length);
}

void
fp_text_line(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    fp_text_head(machine, program, record, out);
    fp_text_run(machine, program, record, out);
    /* The kernel ends every event's line, also where the print fmt ends it already; its own events end theirs. */
    bool ends = machine->settings.kernel && program->name_length;
    if (!out->failed && out->used && (ends || out->data[out->used - 1] != '\n'))
        fp_out_byte(out, '\n');
}

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
        return id != machine->graph.entry && id != machine->graph.exit;
    return !machine->graph.on || machine->plain_ids[id / 8] >> id % 8 & 1;
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
        if (machine->graph.on && record->id == machine->graph.entry) {
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
