/* Text programs: what printfmt/program.py compiles, checked once and run over records. twin_text.py says what each does. */
#ifndef FP_TEXT_H
#define FP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

enum {
    FP_CONST = 1, FP_LOAD, FP_INDEX, FP_DYN_INDEX, FP_DYN_LEN, FP_TO, FP_NEG, FP_INVERT, FP_NOT, FP_ADD, FP_SUB, FP_MUL, FP_DIV,
    FP_MOD, FP_AND, FP_OR, FP_XOR, FP_SHL, FP_SHR, FP_LT, FP_LE, FP_GT, FP_GE, FP_EQ, FP_NE, FP_BOTH, FP_EITHER, FP_JUMP_ZERO,
    FP_JUMP, FP_WIDTH, FP_PRECISION, FP_REF, FP_REF_LOC, FP_REF_REST, FP_LIMIT,
    FP_TEXT = 40, FP_NUMBER, FP_FIELD_NUMBER, FP_STRING, FP_STRING_LOC, FP_STRING_REST, FP_STRING_REF, FP_OPEN, FP_CLOSE, FP_FLAGS,
    FP_SYMBOLIC, FP_HEX, FP_ARRAY, FP_SYMBOL, FP_POINTER, FP_MAC, FP_IP4, FP_IP6, FP_SOCKADDR, FP_UUID, FP_BITMASK,
    FP_STRING_POINTER, FP_STACK, FP_RAW_FIELD, FP_QUOTED_LOC, FP_BPRINT, FP_NEXT, FP_NEXT_STRING,
    FP_CALL_INDENT, FP_LEARN_COMM, FP_HEX_DUMP, FP_ARGUMENTS, FP_LAST_TIME, FP_BLOCK, FP_OPS
};

enum { FP_LEFT = 1, FP_ZEROS = 2, FP_PLUS = 4, FP_SPACE = 8, FP_ALT = 16, FP_SIGNED = 32, FP_REL = 64, FP_STAR = 128 };

enum { FP_SLACK = 32 };
enum { FP_MAX_STACK = 64, FP_MAX_OPEN = 16, FP_WIDEST = 4096 };

typedef struct {
    uint16_t op;
    uint8_t size, flags;
    int16_t width, precision;
    uint32_t a, b;
    int64_t v;
} fp_instruction;

typedef struct {
    uint64_t value;
    uint32_t at, length;
} fp_entry;

/* One block of memory: the arrays stand behind the struct, and FP_SLACK bytes behind the last. */
typedef struct {
    fp_instruction *code; /* changed where trace-cmd remembers: FP_RAW_FIELD */
    const fp_entry *entries;
    const uint8_t *literals, *name, *tail; /* tail: what stands between the time and the text */
    size_t code_total, entries_total, literals_total, name_length, tail_length;
    size_t most; /* room that its quick instructions need together, see text_quick.h */
} fp_program;

/* Growing output; `failed` stays set once memory ran out, and nothing is written after that. */
typedef struct {
    uint8_t *data;
    size_t used, room;
    bool failed;
} fp_text_out;

/* Numbers to texts, sorted by number. */
typedef struct {
    fp_entry *entries;
    uint8_t *texts;
    size_t total;
} fp_text_map;

typedef struct {
    uint64_t address;
    uint32_t at, length; /* name and, after a tab, [module] */
} fp_symbol;

typedef struct {
    const uint8_t *text; /* kallsyms, owned by the binding */
    size_t length;
    fp_symbol *symbols;
    size_t total;
    bool parsed, exact, has_data; /* a kernel without CONFIG_KALLSYMS_ALL lists none of its own data, and names none */
    struct {
        uint64_t address;
        size_t index;
        bool used;
    } seen[256];
} fp_symbols;

/* The columns of one task on one CPU. */
typedef struct {
    int32_t pid;
    uint16_t cpu, length; /* 0: empty slot */
    uint8_t text[56];
} fp_head;

/* Irq and preempt state as text. */
typedef struct {
    uint32_t key; /* 0: empty slot */
    uint8_t length, text[11];
} fp_mark;

enum { FP_MARKS = 64 };

/* The second that was shown last. */
typedef struct {
    uint64_t first_ns;
    uint32_t length; /* 0: none yet */
    uint8_t text[24];
} fp_second;

typedef struct {
    bool kernel, big_endian, lazy_bit, is_ns, latency, bare;
    unsigned long_bytes, flag_columns, digits, shift, flags_at, preempt_at;
    unsigned migrate_at, lazy_count_at; /* of a PREEMPT_RT 5.10; 0: no such field */
    uint64_t mult, offset;
} fp_text_settings;

/* A field of a graph tracer's event; `bytes` 0: there is none. */
typedef struct {
    unsigned at, bytes;
} fp_graph_field;

typedef struct {
    bool on, abstime, cpu, proc, duration, overhead, tail, overrun, retaddr, flags;
    unsigned retval; /* 1: errors in decimal, 2: all in hex; FP_OLD_RETVAL: as before 6.13 */
    uint64_t irq_start, irq_end; /* between these addresses lie the handlers of interrupts */
    unsigned entry, exit, retaddr_entry, cpu_digits; /* with its caller's address a call begins by another event */
    fp_graph_field entry_func, entry_depth, exit_func, exit_depth, calltime, rettime, exit_overrun, exit_retval, entry_retaddr;
} fp_graph_settings;

enum { FP_GRAPH_DEEPEST = 50, FP_OLD_RETVAL = 4 };

/* What the listing remembers of a CPU: whose call it showed last, how deep it is, and which calls are open. */
typedef struct {
    bool seen, skip;
    int32_t last_pid, depth;
    uint64_t entered[FP_GRAPH_DEEPEST];
} fp_graph_cpu;

/* Functions that a CPU called last, each below its caller, by the places of their names in the symbols' text. */
enum { FP_MOST_CALLS = 256 };
typedef struct {
    size_t total;
    fp_symbol calls[FP_MOST_CALLS];
} fp_cpu_calls;

/* What lay in a process's memory: the file whose path is `length` bytes of the areas' text. */
typedef struct {
    uint64_t start, end;
    uint32_t process, at, length;
} fp_area;

typedef struct {
    fp_area *areas; /* sorted by process and end */
    uint8_t *text;
    size_t total;
} fp_areas;

/* An event with a function's arguments: where the function's address is, and where they begin. */
typedef struct {
    unsigned id, function_at, arguments_at;
} fp_argument_event;

enum { FP_ARGUMENT_EVENTS = 4 };

typedef struct {
    ptrdiff_t index, cpu;
    long long count; /* -1: unknown */
} fp_text_lost;

typedef struct {
    const fp_record *records, *following; /* a batch, and the one after it where that is known */
    size_t total, following_total, start, stop, losses_total;
    const fp_text_lost *losses; /* sorted by index */
    bool hold; /* stop at an event whose line depends on what neither batch holds */
} fp_text_span;

typedef struct {
    fp_text_settings settings;
    fp_graph_settings graph;
    fp_graph_cpu *graph_cpus;
    size_t graph_cpus_total;
    fp_cpu_calls **cpu_calls;
    size_t cpu_calls_total;
    uint8_t *plain_ids; /* a bit per event id: in a listing, events with lines of their own */
    fp_program **programs; /* by event id */
    size_t programs_total;
    fp_program **formats; /* of binary printk, beside their addresses */
    uint64_t *format_addresses;
    size_t formats_total;
    fp_text_map strings, comms, prototypes; /* these by a function's address, as printfmt/prototypes.py makes them */
    fp_argument_event argument_events[FP_ARGUMENT_EVENTS];
    size_t argument_events_total;
    uint64_t argument_ids; /* a bit per id, of which the lowest six bits count: most events have none */
    uint64_t asked; /* the function that lines stopped for */
    fp_text_map tgids; /* processes by thread, as the column shows them */
    bool with_tgids;
    fp_areas areas;
    const uint8_t *prefix; /* before every line; owned by the binding */
    size_t prefix_length;
    fp_symbols symbols;
    fp_head *heads; /* FP_HEADS of them, a cache by pid and CPU */
    fp_second second;
    fp_mark marks[FP_MARKS];
    fp_text_out out;
} fp_text_machine;

enum { FP_HEADS = 1024 };

/* Copies and checks a program; NULL with *why set where it is not one, or without memory (*why "memory"). */
fp_program *fp_program_new(const void *code, size_t code_bytes, const void *entries, size_t entries_bytes, const void *literals,
                           size_t literals_bytes, const void *name, size_t name_length, const fp_text_settings *settings,
                           bool nested, const char **why);

/* Runs `program` over `record` and appends its text. */
void fp_text_run(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out);

/* Appends the columns before the text, event name included. */
void fp_text_head(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out);
void fp_text_loss(const fp_text_machine *machine, uint32_t cpu, int64_t count, fp_text_out *out);
void fp_text_line(fp_text_machine *machine, const fp_program *program, const fp_record *record, fp_text_out *out);

/* Writes a span's lines into machine->out. Returns how far it came, *why FP_LINES_DONE, FP_LINES_HELD, FP_LINES_ASKS for the
 * prototype of the function machine->asked, or the id of an event without a program. */
enum { FP_LINES_DONE = -1, FP_LINES_HELD = -2, FP_LINES_ASKS = -3, FP_PLAIN_BYTES = 65536 / 8 };
size_t fp_text_lines(fp_text_machine *machine, const fp_text_span *span, long *why);

/* One event of a function_graph listing; `next` is its CPU's next event, where there is one. */
void fp_graph_line(fp_text_machine *machine, const fp_program *program, const fp_record *record, const fp_record *next,
                   fp_text_out *out);

/* Whether this record holds its function's arguments; then *function is its address. */
bool fp_arguments_of(const fp_text_machine *machine, const fp_record *record, uint64_t *function);

/* Appends name=value, ... */
void fp_arguments_show(const fp_text_machine *machine, const fp_record *record, fp_text_out *out);

static inline bool
fp_graph_is_entry(const fp_graph_settings *graph, unsigned id)
{
    return id == graph->entry || id == graph->retaddr_entry;
}

/* The block tracer's record as that tracer shows it: with long words, or with CPU and time in its classic form. */
enum { FP_BLOCK_LONG = 1, FP_BLOCK_CLASSIC = 2, FP_BLOCK_WIDE = 4 };
void fp_block_show(const fp_text_machine *machine, const fp_record *record, unsigned how, fp_text_out *out);

/* Appends irq and preempt state as the columns have it. */
void fp_text_flags(const fp_text_settings *settings, const fp_record *record, fp_text_out *out);

/* Appends a time as the columns have it, or without the spaces in front. */
void fp_text_stamp(fp_text_machine *machine, uint64_t raw, bool left, fp_text_out *out);

const uint8_t *fp_text_comm(const fp_text_machine *machine, int32_t pid, size_t *length);
uint64_t fp_text_time(const fp_text_settings *settings, uint64_t raw);

/* Appends `address` as a name (shape 0), with offset (1), with offset and size (2); in hex where it has none, or not at all.
 * Backwards: how far the name lies from the address. Bare: as the kernel's own tracers show it. Place: with
 * offset and size, but small numbers are none. */
enum { FP_BACKWARDS = 3, FP_OR_NOTHING = 4, FP_BARE = 8, FP_PLACE = 16 };
void fp_symbols_show(fp_symbols *symbols, uint64_t address, unsigned shape, fp_text_out *out);
void fp_symbols_clear(fp_symbols *symbols);

/* The symbol that `address` lies in; NULL where it has none. */
const fp_symbol *fp_symbols_find(fp_symbols *symbols, uint64_t address);

/* Adds a text where `key` has none; false without memory. */
bool fp_text_map_add(fp_text_map *map, uint64_t key, const uint8_t *text, size_t length);

/* The text of `key`; NULL where there is none. */
const uint8_t *fp_text_map_find(const fp_text_map *map, uint64_t key, size_t *length);
void fp_text_map_clear(fp_text_map *map);

#endif
