/* The function_graph tracer's listing; twin_graph.py is the plain version. */
#include "text_show.h"

enum { WIDEST = 1000, MAX_ERRNO = 4095 };

static const char rule[] = " ------------------------------------------\n";

static uint64_t
field(const fp_text_machine *machine, const fp_record *record, fp_graph_field one)
{
    return one.bytes ? fp_record_load(record, one.at, one.bytes, false, machine->settings.big_endian) : 0;
}

/* As the kernel keeps it, in an int. */
static int32_t
depth_of(const fp_text_machine *machine, const fp_record *record, fp_graph_field one)
{
    int32_t depth = (int32_t)field(machine, record, one);
    return depth < 0 ? 0 : depth;
}

static fp_graph_cpu *
cpu_of(fp_text_machine *machine, unsigned cpu)
{
    if (cpu >= machine->graph_cpus_total) {
        fp_graph_cpu *cpus = realloc(machine->graph_cpus, (cpu + 1U) * sizeof *cpus);
        if (cpus == NULL)
            return NULL;
        memset(cpus + machine->graph_cpus_total, 0, (cpu + 1U - machine->graph_cpus_total) * sizeof *cpus);
        machine->graph_cpus = cpus;
        machine->graph_cpus_total = cpu + 1U;
    }
    return machine->graph_cpus + cpu;
}

static void
show_cpu(const fp_text_machine *machine, unsigned cpu, fp_text_out *out)
{
    fp_out_byte(out, ' ');
    fp_out_decimal_padded(out, cpu, machine->graph.cpu_digits, ' ');
    FP_OUT_LITERAL(out, ") ");
}

/* At most 7 bytes of the name, in the middle of 14 columns. */
static void
show_task(const fp_text_machine *machine, int32_t pid, fp_text_out *out)
{
    size_t length;
    const uint8_t *comm = fp_text_comm(machine, pid, &length);
    uint8_t digits[20];
    length = length < 7 ? length : 7;
    size_t wide = fp_decimal(digits, pid < 0 ? 0 - (uint64_t)pid : (uint64_t)pid);
    size_t used = length + 1 + (pid < 0) + wide, spaces = used < 14 ? 14 - used : 0;
    fp_out_fill(out, ' ', spaces / 2);
    fp_out_bytes(out, comm, length);
    fp_out_bytes(out, "--", pid < 0 ? 2 : 1);
    fp_out_bytes(out, digits, wide);
    fp_out_fill(out, ' ', spaces - spaces / 2);
}

/* Whose calls these are, where that changed. */
static void
show_switch(const fp_text_machine *machine, fp_graph_cpu *cpu, const fp_record *record, fp_text_out *out)
{
    int32_t before = cpu->last_pid;
    bool changed = cpu->seen && before != record->pid;
    cpu->last_pid = record->pid;
    cpu->seen = true;
    if (!changed)
        return;
    FP_OUT_LITERAL(out, rule);
    show_cpu(machine, record->cpu, out);
    show_task(machine, before, out);
    FP_OUT_LITERAL(out, " => ");
    show_task(machine, record->pid, out);
    fp_out_byte(out, '\n');
    FP_OUT_LITERAL(out, rule);
    fp_out_byte(out, '\n');
}

/* trace-cmd keeps its own columns, and a line for every event. */
static void
show_columns(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    if (!machine->settings.kernel) {
        fp_text_head(machine, program, record, out);
        return;
    }
    if (graph->abstime) {
        uint64_t us = fp_text_time(&machine->settings, record->ts) / 1000;
        fp_out_decimal_padded(out, us / 1000000, 5, ' ');
        fp_out_byte(out, '.');
        fp_out_decimal_padded(out, us % 1000000, 6, '0');
        FP_OUT_LITERAL(out, " |  ");
    }
    if (graph->cpu)
        show_cpu(machine, record->cpu, out);
    if (graph->proc) {
        show_task(machine, record->pid, out);
        FP_OUT_LITERAL(out, " | ");
    }
    if (graph->flags) {
        fp_out_byte(out, ' ');
        fp_text_flags(&machine->settings, record, out);
        FP_OUT_LITERAL(out, " | ");
    }
}

static void
show_fill(const fp_text_machine *machine, fp_text_out *out)
{
    if (machine->graph.duration)
        FP_OUT_LITERAL(out, "             ");
    if (machine->graph.duration)
        fp_out_bytes(out, " |  " + !machine->settings.kernel, machine->settings.kernel ? 4 : 3);
}

/* trace-cmd knows four of the letters. */
static uint8_t
mark(uint64_t ns, bool kernel)
{
    static const char letters[] = "$@*#!+";
    uint64_t least = 1000000000;
    for (size_t at = 0; at < 6; at++, least /= 10)
        if (ns > least && (kernel || (at != 1 && at != 2)))
            return (uint8_t)letters[at];
    return ' ';
}

/* Microseconds in seven digits, the fraction cut to fit; trace-cmd has all of it or nothing, in a column less. */
static void
show_took(const fp_text_machine *machine, const fp_record *end, fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    if (!graph->duration)
        return;
    uint64_t ns = field(machine, end, graph->rettime) - field(machine, end, graph->calltime), rest = ns % 1000;
    bool kernel = machine->settings.kernel;
    fp_out_byte(out, graph->overhead ? mark(ns, kernel) : ' ');
    fp_out_byte(out, ' ');
    size_t start = out->used;
    fp_out_decimal(out, ns / 1000);
    size_t wide = out->used - start;
    if (wide < 7) {
        uint8_t fraction[] = {'.', (uint8_t)('0' + rest / 100), (uint8_t)('0' + rest / 10 % 10), (uint8_t)('0' + rest % 10)};
        size_t digits = wide < 4 || !kernel ? 3 : 7 - wide;
        fp_out_bytes(out, fraction, digits + 1);
        wide += digits + 1;
    }
    FP_OUT_LITERAL(out, " us ");
    size_t room = kernel ? 8 : 7;
    fp_out_fill(out, ' ', wide < room ? room - wide : 0);
    FP_OUT_LITERAL(out, "|  ");
}

static void
show_indent(int32_t depth, fp_text_out *out)
{
    fp_out_fill(out, ' ', depth < WIDEST / 2 ? (size_t)depth * 2 : WIDEST);
}

/* An errno in decimal, also where an int carried it; everything else in hex. */
static void
show_returned(const fp_text_machine *machine, const fp_record *end, fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    uint64_t value = field(machine, end, graph->exit_retval), error = value;
    if (machine->settings.long_bytes == 4 || value >> 31 == 1)
        error = (uint64_t)(int64_t)(int32_t)value;
    if (graph->retval & FP_OLD_RETVAL)
        FP_OUT_LITERAL(out, " = ");
    else
        FP_OUT_LITERAL(out, " ret=");
    if ((graph->retval & 3) == 2 || error <= UINT64_MAX - MAX_ERRNO) {
        FP_OUT_LITERAL(out, "0x");
        fp_out_hex(out, value);
        return;
    }
    fp_out_byte(out, '-');
    fp_out_decimal(out, 0 - error);
}

/* Where an interrupt's handler begins and ends: the functions between two symbols. */
static void
show_interrupt(fp_text_machine *machine, const fp_program *program, const fp_record *record, uint64_t function, bool begins,
               fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    if (!machine->settings.kernel || function < graph->irq_start || function >= graph->irq_end)
        return;
    show_columns(machine, program, record, out);
    if (graph->duration)
        FP_OUT_LITERAL(out, "  ");
    fp_out_bytes(out, begins ? "==========>" : "<==========", 11);
    if (graph->duration)
        FP_OUT_LITERAL(out, " |");
    fp_out_byte(out, '\n');
}

/* An errno only where all 64 bits say so. */
static void
show_library_returned(const fp_text_machine *machine, const fp_record *end, fp_text_out *out)
{
    if (!machine->graph.exit_retval.bytes)
        return;
    uint64_t value = field(machine, end, machine->graph.exit_retval);
    bool is_error = value > UINT64_MAX - MAX_ERRNO;
    FP_OUT_LITERAL(out, " (ret=");
    fp_out_bytes(out, is_error ? "-" : "0x", is_error ? 1 : 2);
    if (is_error)
        fp_out_decimal(out, 0 - value);
    else
        fp_out_hex(out, value);
    fp_out_byte(out, ')');
}

static bool
returns(const fp_text_machine *machine)
{
    return machine->settings.kernel && machine->graph.retval && machine->graph.exit_retval.bytes;
}

/* Where the call returns to and, where its end is known, what: one comment; trace-cmd's is of the first alone. */
static void
show_entry_comment(fp_text_machine *machine, const fp_record *record, const fp_record *end, fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    bool kernel = machine->settings.kernel, value = end && returns(machine);
    bool caller = graph->retaddr && graph->entry_retaddr.bytes && record->id == graph->retaddr_entry;
    if (caller || value)
        FP_OUT_LITERAL(out, " /*");
    if (caller) {
        FP_OUT_LITERAL(out, " <-");
        fp_symbols_show(&machine->symbols, field(machine, record, graph->entry_retaddr), kernel ? 2 : 0, out);
    }
    if (value)
        show_returned(machine, end, out);
    if (caller || value)
        FP_OUT_LITERAL(out, " */");
    if (end && !kernel)
        show_library_returned(machine, end, out);
}

static void
show_entry(fp_text_machine *machine, fp_graph_cpu *cpu, const fp_program *program, const fp_record *record, const fp_record *next,
           fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    uint64_t function = field(machine, record, graph->entry_func);
    int32_t depth = depth_of(machine, record, graph->entry_depth);
    bool whole = next && next->cpu == record->cpu && next->id == graph->exit && next->pid == record->pid && field(machine, next, graph->exit_func) == function;
    if (depth < FP_GRAPH_DEEPEST)
        cpu->entered[depth] = whole ? 0 : function;
    cpu->depth = whole ? depth - 1 : depth;
    cpu->skip = whole;
    show_interrupt(machine, program, record, function, true, out);
    show_columns(machine, program, record, out);
    if (whole)
        show_took(machine, next, out);
    else
        show_fill(machine, out);
    show_indent(depth, out);
    fp_symbols_show(&machine->symbols, function, 0, out);
    fp_out_byte(out, '(');
    fp_arguments_show(machine, record, out);
    fp_out_byte(out, ')');
    if (whole)
        fp_out_byte(out, ';');
    else if (machine->settings.kernel)
        FP_OUT_LITERAL(out, " {");
    show_entry_comment(machine, record, whole ? next : NULL, out);
    if (!whole && !machine->settings.kernel)
        FP_OUT_LITERAL(out, " {");
    fp_out_byte(out, '\n');
    if (whole)
        show_interrupt(machine, program, record, function, false, out);
}

static void
show_exit(fp_text_machine *machine, fp_graph_cpu *cpu, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    const fp_graph_settings *graph = &machine->graph;
    uint64_t function = field(machine, record, graph->exit_func);
    int32_t depth = depth_of(machine, record, graph->exit_depth);
    bool matches = !machine->settings.kernel || depth >= FP_GRAPH_DEEPEST || cpu->entered[depth] == function;
    if (depth < FP_GRAPH_DEEPEST)
        cpu->entered[depth] = 0;
    cpu->depth = depth - 1;
    show_columns(machine, program, record, out);
    show_took(machine, record, out);
    show_indent(depth, out);
    fp_out_byte(out, '}');
    if (!machine->settings.kernel) {
        show_library_returned(machine, record, out);
    } else if (returns(machine) || !matches || graph->tail) {
        FP_OUT_LITERAL(out, " /* ");
        fp_symbols_show(&machine->symbols, function, 0, out);
        if (returns(machine))
            show_returned(machine, record, out);
        FP_OUT_LITERAL(out, " */");
    }
    if (graph->overrun) {
        FP_OUT_LITERAL(out, "\n (Overruns: ");
        fp_out_decimal(out, field(machine, record, graph->exit_overrun));
        fp_out_byte(out, ')');
    }
    fp_out_byte(out, '\n');
    show_interrupt(machine, program, record, function, false, out);
}

static void
show_comment(fp_text_machine *machine, const fp_graph_cpu *cpu, const fp_program *program, const fp_record *record, fp_text_out *out)
{
    show_columns(machine, program, record, out);
    show_fill(machine, out);
    if (cpu->depth > 0)
        show_indent(cpu->depth + 1, out);
    FP_OUT_LITERAL(out, "/* ");
    size_t start = out->used;
    if (program->name_length) {
        fp_out_bytes(out, program->name, program->name_length);
        FP_OUT_LITERAL(out, ": ");
    }
    fp_text_run(machine, program, record, out);
    if (!out->failed && out->used > start && out->data[out->used - 1] == '\n')
        out->used--;
    FP_OUT_LITERAL(out, " */\n");
}

void
fp_graph_line(fp_text_machine *machine, const fp_program *program, const fp_record *record, const fp_record *next, fp_text_out *out)
{
    fp_graph_cpu *cpu = cpu_of(machine, record->cpu);
    if (cpu == NULL) {
        out->failed = true;
        return;
    }
    bool is_exit = record->id == machine->graph.exit, written = is_exit && cpu->skip;
    cpu->skip = false;
    if (written)
        return;
    if (machine->settings.kernel)
        show_switch(machine, cpu, record, out);
    if (fp_graph_is_entry(&machine->graph, record->id))
        show_entry(machine, cpu, program, record, next, out);
    else if (is_exit)
        show_exit(machine, cpu, program, record, out);
    else
        show_comment(machine, cpu, program, record, out);
}
