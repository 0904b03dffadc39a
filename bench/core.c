/* The C core alone, on what bench/corefile.py wrote: core FILE MODE [TIMES]
 *
 * walk     the headers of all events, CPU after CPU, and nothing else
 * records  the same, each kept: time, CPU, type and thread
 * columns  time, CPU, type and thread as columns, and the first field of each of the two commonest events
 * fields   the same, and every scalar field of every event
 * indexed  records, and from them every scalar field of every event
 * merge    records of all CPUs in one time order
 * text     merge, and a line for each event
 * print    text, written to standard output
 *
 * Prints how many events it saw and the nanoseconds of CPU time that the fastest of TIMES took. Callgrind counts what
 * happens below `measured`. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "field.h"
#include "merge.h"
#include "text.h"
#include "walk.h"

enum { BATCH = 8192, MOST_CPUS = 64, MOST_FIELDS = 4096 };

typedef struct {
    uint16_t id;
    fp_field field;
} wanted;

typedef struct {
    uint8_t *bytes;
    size_t size, at;
} file;

typedef struct {
    fp_layout layout;
    fp_text_machine machine;
    size_t cpus, fields;
    fp_stream streams[MOST_CPUS];
    fp_chunk chunks[MOST_CPUS];
    wanted wanted[MOST_FIELDS];
    uint32_t *indices, *counts;
    uint64_t *values;
    fp_output out;
    fp_columns columns;
    bool print;
} work;

static void
fail(const char *why)
{
    fprintf(stderr, "core: %s\n", why);
    exit(1);
}

static void *
room(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

static uint64_t
number(file *from)
{
    uint64_t value;
    if (from->size - from->at < sizeof value)
        fail("the file ends early");
    memcpy(&value, from->bytes + from->at, sizeof value);
    from->at += sizeof value;
    return value;
}

/* A length and so many bytes. */
static uint8_t *
bytes(file *from, size_t *length)
{
    *length = (size_t)number(from);
    if (from->size - from->at < *length)
        fail("the file ends early");
    from->at += *length;
    return from->bytes + from->at - *length;
}

static void
take_map(file *from, fp_text_map *map)
{
    for (uint64_t left = number(from); left > 0; left--) {
        size_t length;
        uint64_t key = number(from);
        const uint8_t *text = bytes(from, &length);
        if (!fp_text_map_add(map, key, text, length))
            fail("no memory");
    }
}

static void
take_program(file *from, fp_text_machine *machine)
{
    size_t lengths[4];
    const uint8_t *parts[4];
    const char *why;
    uint64_t id = number(from);
    for (size_t i = 0; i < 4; i++)
        parts[i] = bytes(from, &lengths[i]);
    if (id >= machine->programs_total)
        fail("an id is 16 bits wide");
    machine->programs[id] = fp_program_new(parts[1], lengths[1], parts[2], lengths[2], parts[3], lengths[3], parts[0], lengths[0],
                                           &machine->settings, false, &why);
    if (machine->programs[id] == NULL)
        fail(why);
}

static void
take_settings(file *from, fp_text_settings *settings)
{
    *settings = (fp_text_settings){.kernel = number(from), .big_endian = number(from), .lazy_bit = number(from), .is_ns = number(from)};
    settings->long_bytes = (unsigned)number(from);
    settings->flag_columns = (unsigned)number(from);
    settings->digits = (unsigned)number(from);
    settings->shift = (unsigned)number(from);
    settings->flags_at = (unsigned)number(from);
    settings->preempt_at = (unsigned)number(from);
    settings->mult = number(from);
    settings->offset = number(from);
}

/* In the order of _GRAPH in corefile.py, then the ids of events that are none of the listing's. */
static void
take_graph(file *from, fp_text_machine *machine)
{
    fp_graph_settings *graph = &machine->graph;
    graph->on = number(from);
    bool *flags[] = {&graph->abstime, &graph->cpu, &graph->proc, &graph->duration, &graph->overhead, &graph->tail, &graph->overrun};
    fp_graph_field *fields[] = {&graph->entry_func, &graph->entry_depth, &graph->exit_func, &graph->exit_depth, &graph->calltime,
                                &graph->rettime, &graph->exit_overrun, &graph->exit_retval};
    if (!graph->on)
        return;
    graph->entry = (unsigned)number(from);
    graph->exit = (unsigned)number(from);
    graph->cpu_digits = (unsigned)number(from);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        *flags[i] = number(from);
    graph->retval = (unsigned)number(from);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fields[i]->at = (unsigned)number(from);
        fields[i]->bytes = (unsigned)number(from);
    }
    graph->irq_start = number(from);
    graph->irq_end = number(from);
    machine->plain_ids = room(FP_PLAIN_BYTES);
    for (uint64_t left = number(from); left > 0; left--) {
        uint64_t id = number(from) & UINT16_MAX;
        machine->plain_ids[id / 8] |= (uint8_t)(1U << id % 8);
    }
}

static void
take_layout(file *from, fp_layout *layout)
{
    uint32_t *parts[] = {&layout->page_bytes, &layout->commit_offset, &layout->commit_bytes, &layout->data_offset,
                         &layout->type_offset, &layout->flags_offset, &layout->preempt_offset, &layout->pid_offset};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *parts[i] = (uint32_t)number(from);
    layout->common_bytes = 8;
    layout->big_endian = number(from);
}

static work *
take_all(file *from)
{
    work *all = room(sizeof *all);
    fp_text_machine *machine = &all->machine;
    take_layout(from, &all->layout);
    take_settings(from, &machine->settings);
    machine->programs_total = UINT16_MAX + 1;
    machine->programs = room(machine->programs_total * sizeof *machine->programs);
    machine->heads = room(FP_HEADS * sizeof *machine->heads);
    take_graph(from, machine);
    machine->symbols.exact = machine->settings.kernel;
    machine->symbols.text = bytes(from, &machine->symbols.length);
    take_map(from, &machine->strings);
    take_map(from, &machine->comms);
    for (uint64_t left = number(from); left > 0; left--)
        take_program(from, machine);
    for (all->fields = number(from); all->fields > MOST_FIELDS;)
        fail("too many fields");
    for (size_t i = 0; i < all->fields; i++) {
        all->wanted[i].id = (uint16_t)number(from);
        uint32_t offset = (uint32_t)number(from), size = (uint32_t)number(from);
        all->wanted[i].field = (fp_field){.offset = offset, .size = size, .element_bytes = size, .is_signed = number(from)};
    }
    for (all->cpus = number(from); all->cpus > MOST_CPUS;)
        fail("too many CPUs");
    for (size_t i = 0; i < all->cpus; i++) {
        all->streams[i].cpu = (uint16_t)number(from);
        all->chunks[i].data = bytes(from, &all->chunks[i].bytes);
    }
    all->counts = room((UINT16_MAX + 1) * sizeof *all->counts);
    all->indices = room(BATCH * sizeof *all->indices);
    all->values = room(BATCH * sizeof *all->values);
    all->out.records = room(BATCH * sizeof *all->out.records);
    all->out.room = all->out.most = BATCH;
    return all;
}

static size_t
walk(const work *all)
{
    size_t events = 0;
    volatile uint64_t sum = 0;
    const fp_layout layout = all->layout;
    for (size_t i = 0; i < all->cpus; i++) {
        const uint8_t *start = all->chunks[i].data, *end = start + all->chunks[i].bytes;
        for (; start < end; start += layout.page_bytes) {
            fp_page page;
            fp_record record;
            const char *why;
            if (fp_page_open(&layout, start, layout.page_bytes, &page) != NULL)
                continue;
            fp_cursor data = page.data;
            uint64_t ts = page.ts;
            while (fp_walk(&data, &ts, &layout, false, &record, &why) == FP_RECORD)
                events++;
            sum += ts;
        }
    }
    return events;
}

/* Columns for the first `fields` of what is wanted. */
static void
choose(work *all, size_t fields)
{
    bool done = fp_columns_init(&all->columns, &all->layout, false);
    for (size_t i = 0; done && i < fields; i++) {
        fp_type_rows *type = fp_columns_choose(&all->columns, all->wanted[i].id);
        done = type != NULL && fp_columns_choose_field(type, &all->wanted[i].field);
    }
    if (!done || !fp_columns_reserve(&all->columns, BATCH))
        fail("no memory");
    all->out.columns = &all->columns;
}

static void
every_field(work *all)
{
    fp_index index;
    if (!fp_index_init(&index, all->out.records, all->out.n, all->counts))
        fail("no memory");
    for (size_t i = 0; i < all->fields; i++) {
        const fp_group *group = fp_index_find(&index, all->wanted[i].id);
        if (group != NULL)
            fp_field_values(&all->wanted[i].field, all->out.records, index.order + group->start, group->total, all->layout.big_endian,
                            all->values);
    }
    fp_index_deinit(&index);
}

static void
lines(work *all)
{
    long why;
    fp_text_span span = {.records = all->out.records, .total = all->out.n, .stop = all->out.n};
    fp_text_lines(&all->machine, &span, &why);
    if (why != FP_LINES_DONE || all->machine.out.failed)
        fail("an event without a program");
    if (all->print)
        fwrite(all->machine.out.data, 1, all->machine.out.used, stdout);
}

/* The streams from `first` on, `n` of them, in one time order. */
static size_t
decoded(work *all, char mode, size_t first, size_t n)
{
    fp_waiting heap[MOST_CPUS];
    size_t events = 0;
    for (size_t i = first; i < first + n; i++) {
        all->streams[i] = (fp_stream){.cpu = all->streams[i].cpu};
        fp_stream_feed(&all->streams[i], &all->chunks[i]);
    }
    do {
        all->out.n = all->out.losses_n = all->out.faults_n = 0;
        fp_merge(all->streams + first, n, &all->layout, UINT64_MAX, heap, &all->out);
        events += all->out.n;
        if (all->out.columns != NULL) {
            fp_columns_settle(&all->columns, all->out.n);
            fp_columns_clear(&all->columns);
        }
        if (mode == 'i')
            every_field(all);
        if (mode == 't' || mode == 'p')
            lines(all);
    } while (all->out.n > 0);
    return events;
}

static size_t
each_alone(work *all, char mode)
{
    size_t events = 0;
    for (size_t i = 0; i < all->cpus; i++)
        events += decoded(all, mode, i, 1);
    return events;
}

static size_t
done(work *all, char mode)
{
    switch (mode) {
    case 'w': return walk(all);
    case 'r': case 'c': case 'f': case 'i': return each_alone(all, mode);
    default: return decoded(all, mode, 0, all->cpus);
    }
}

static __attribute__((noinline)) size_t
measured(work *all, char mode)
{
    return done(all, mode);
}

static uint64_t
cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int
main(int argc, char **argv)
{
    file from = {0};
    FILE *opened = argc > 2 ? fopen(argv[1], "rb") : NULL;
    if (opened == NULL || fseek(opened, 0, SEEK_END) != 0)
        fail("core FILE walk|records|columns|fields|indexed|merge|text|print [TIMES]");
    from.size = (size_t)ftell(opened);
    rewind(opened);
    from.bytes = room(from.size);
    if (fread(from.bytes, 1, from.size, opened) != from.size)
        fail("cannot read the file");
    work *all = take_all(&from);
    all->print = argv[2][0] == 'p';
    if (argv[2][0] == 'c' || argv[2][0] == 'f')
        choose(all, argv[2][0] == 'c' && all->fields > 2 ? 2 : all->fields);
    uint64_t best = UINT64_MAX;
    size_t events = all->print ? 0 : done(all, argv[2][0]); /* what is done once, as reading symbols, is not measured */
    for (long left = argc > 3 ? atol(argv[3]) : 1; left > 0; left--) {
        uint64_t start = cpu_ns();
        events = measured(all, argv[2][0]);
        uint64_t took = cpu_ns() - start;
        best = took < best ? took : best;
    }
    if (!all->print)
        printf("%zu %llu\n", events, (unsigned long long)best);
    return 0;
}
