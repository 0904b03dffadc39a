/* The columns before an event's text: task, CPU, flags, time, name. */
#include "text_out.h"
#include "text_quick.h"

#define NS_PER_SECOND 1000000000u

enum { STAMP_ROOM = 64 };

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
show_tgid(const fp_text_machine *machine, int32_t pid, fp_text_out *out)
{
    size_t length;
    const uint8_t *tgid = fp_text_map_find(&machine->tgids, (uint32_t)pid, &length);
    FP_OUT_LITERAL(out, " (");
    if (tgid && length < 7)
        fp_out_fill(out, ' ', 7 - length);
    fp_out_bytes(out, tgid ? tgid : (const uint8_t *)"-------", tgid ? length : 7);
    fp_out_byte(out, ')');
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
    if (machine->with_tgids)
        show_tgid(machine, pid, out);
    fp_out_bytes(out, " [", settings->latency ? 1 : 2);
}

static void
task_and_cpu(fp_text_machine *machine, const fp_record *record, fp_text_out *out)
{
    const fp_text_settings *settings = &machine->settings;
    task(machine, record->pid, out);
    fp_out_decimal_padded(out, record->cpu, 3, settings->latency ? ' ' : '0');
    bool counter = !settings->kernel && !settings->is_ns && settings->flag_columns == 0; /* trace-cmd's 12 columns begin here */
    if (!settings->latency)
        fp_out_bytes(out, "] ", settings->flag_columns == 1 || counter ? 1 : 2);
}

/* What is remembered of the last event of this task on this CPU, or made now. */
static inline void
put_task_and_cpu(fp_text_machine *machine, const fp_record *record, fp_text_out *out)
{
    fp_head *head = machine->heads + (((uint32_t)record->pid + record->cpu * 0x10001U) * 2654435761U >> 22);
    uint8_t *to = out->data + out->used;
    if (head->length && head->pid == record->pid && head->cpu == record->cpu) {
        memcpy(to, head->text, FP_SLACK);
        if (head->length > FP_SLACK)
            memcpy(to + FP_SLACK, head->text + FP_SLACK, sizeof head->text - FP_SLACK);
        out->used += head->length;
        return;
    }
    size_t start = out->used;
    task_and_cpu(machine, record, out);
    if (!out->failed && out->used - start <= sizeof head->text) {
        head->pid = record->pid;
        head->cpu = record->cpu;
        head->length = (uint16_t)(out->used - start);
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

void
fp_text_flags(const fp_text_settings *settings, const fp_record *record, fp_text_out *out)
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

/* Remembered by flags and count, where nothing else is in it. */
static inline void
put_flags(fp_text_machine *machine, const fp_record *record, fp_text_out *out)
{
    const fp_text_settings *settings = &machine->settings;
    uint32_t flags = byte_at(record, settings->flags_at), count = byte_at(record, settings->preempt_at);
    uint32_t key = 1U << 16 | flags << 8 | count;
    fp_mark *mark = machine->marks + (flags ^ flags >> 5 ^ count << 3) % FP_MARKS;
    if (mark->key == key && fp_out_room(out, sizeof mark->text)) {
        memcpy(out->data + out->used, mark->text, sizeof mark->text);
        out->used += mark->length;
        return;
    }
    size_t start = out->used;
    fp_text_flags(settings, record, out);
    if (out->failed || settings->lazy_count_at || settings->migrate_at || out->used - start > sizeof mark->text)
        return;
    mark->key = key;
    mark->length = (uint8_t)(out->used - start);
    memcpy(mark->text, out->data + start, mark->length);
}

uint64_t
fp_text_time(const fp_text_settings *settings, uint64_t raw)
{
    unsigned __int128 product = (unsigned __int128)raw * settings->mult;
    return (uint64_t)(product >> settings->shift) + settings->offset;
}

static inline uint8_t *
put_three_digits(uint8_t *to, uint32_t value)
{
    *to = (uint8_t)('0' + value / 100);
    return fp_put_pair(to + 1, value % 100);
}

/* Seconds with their point, in five columns at least. */
static __attribute__((noinline)) void
keep_second(fp_second *second, uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_SECOND;
    uint8_t digits[FP_NUMBER_MOST];
    size_t wide = (size_t)(fp_put_decimal(digits, seconds) - digits), pad = wide < 5 ? 5 - wide : 0;
    memset(second->text, ' ', pad);
    memcpy(second->text + pad, digits, wide);
    second->text[pad + wide] = '.';
    second->length = (uint32_t)(pad + wide + 1);
    second->first_ns = seconds * NS_PER_SECOND;
}

/* Kept as text, for most events share theirs with the one before. */
static inline uint8_t *
put_second(fp_second *second, uint64_t ns, uint8_t *to)
{
    if (ns - second->first_ns >= NS_PER_SECOND || second->length == 0)
        keep_second(second, ns);
    memcpy(to, second->text, sizeof second->text);
    return to + second->length;
}

/* Time with 6 or 9 digits after the point. */
static inline __attribute__((always_inline)) uint8_t *
put_seconds(fp_text_machine *machine, uint64_t ns, uint8_t *to)
{
    bool rounded = machine->settings.digits == 6;
    ns += rounded ? 500 : 0;
    to = put_second(&machine->second, ns, to);
    uint32_t rest = (uint32_t)(ns - machine->second.first_ns);
    if (!rounded)
        return put_three_digits(put_three_digits(put_three_digits(to, rest / 1000000), rest / 1000 % 1000), rest % 1000);
    rest /= 1000;
    to = fp_put_pair(to, rest / 10000);
    return fp_put_pair(fp_put_pair(to, rest / 100 % 100), rest % 100);
}

static inline uint8_t *
put_stamp(fp_text_machine *machine, uint64_t raw, fp_text_out *out, uint8_t *to)
{
    const fp_text_settings *settings = &machine->settings;
    uint64_t value = fp_text_time(settings, raw);
    if (settings->flag_columns && (settings->kernel || settings->is_ns))
        *to++ = ' ';
    if (settings->is_ns)
        return put_seconds(machine, value, to);
    out->used = (size_t)(to - out->data);
    fp_out_decimal_padded(out, value, 12, ' ');
    return out->data + out->used;
}

void
fp_text_stamp(fp_text_machine *machine, uint64_t raw, bool left, fp_text_out *out)
{
    uint64_t value = fp_text_time(&machine->settings, raw);
    size_t start = out->used, spaces = 0;
    if (!machine->settings.is_ns)
        fp_out_decimal_padded(out, value, 12, ' ');
    else if (fp_out_room(out, STAMP_ROOM))
        out->used = (size_t)(put_seconds(machine, value, out->data + out->used) - out->data);
    if (!left || out->failed)
        return;
    while (start + spaces < out->used && out->data[start + spaces] == ' ')
        spaces++;
    memmove(out->data + start, out->data + start + spaces, out->used - start - spaces);
    out->used -= spaces;
}

void
fp_text_head(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    if (!fp_out_room(out, sizeof machine->heads->text))
        return;
    if (machine->settings.bare) { /* of ": name: " what stands behind the columns */
        fp_out_bytes(out, machine->prefix, machine->prefix_length);
        fp_out_bytes(out, program->tail + 2, program->tail_length - 2);
        return;
    }
    put_task_and_cpu(machine, record, out);
    if (machine->settings.flag_columns)
        put_flags(machine, record, out);
    if (!fp_out_room(out, STAMP_ROOM + program->tail_length + FP_SLACK))
        return;
    uint8_t *to = put_stamp(machine, record->ts, out, out->data + out->used);
    out->used = (size_t)(fp_put_slack(to, program->tail, program->tail_length) - out->data);
}
