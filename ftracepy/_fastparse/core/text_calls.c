/* Functions indented below their callers, as trace-cmd's plugin does; twin_run.py's _call_indent is the plain version. */
#include "text_show.h"

static fp_cpu_calls *
calls_of(fp_text_machine *machine, unsigned cpu)
{
    if (cpu >= machine->cpu_calls_total) {
        fp_cpu_calls **all = realloc(machine->cpu_calls, (cpu + 1U) * sizeof *all);
        if (all == NULL)
            return NULL;
        memset(all + machine->cpu_calls_total, 0, (cpu + 1U - machine->cpu_calls_total) * sizeof *all);
        machine->cpu_calls = all;
        machine->cpu_calls_total = cpu + 1U;
    }
    if (machine->cpu_calls[cpu] == NULL)
        machine->cpu_calls[cpu] = calloc(1, sizeof **machine->cpu_calls);
    return machine->cpu_calls[cpu];
}

static size_t
name_length(const fp_symbols *symbols, const fp_symbol *one)
{
    const uint8_t *name = symbols->text + one->at, *tab = memchr(name, '\t', one->length);
    return tab ? (size_t)(tab - name) : one->length;
}

static bool
same_name(const fp_symbols *symbols, const fp_symbol *a, const fp_symbol *b)
{
    if (a->at == b->at)
        return true;
    size_t length = name_length(symbols, a);
    return length == name_length(symbols, b) && memcmp(symbols->text + a->at, symbols->text + b->at, length) == 0;
}

static void
put(fp_cpu_calls *calls, size_t at, const fp_symbol *one)
{
    if (at >= FP_MOST_CALLS)
        return;
    calls->calls[at] = one ? *one : (fp_symbol){0};
    if (at >= calls->total)
        calls->total = at + 1;
}

void
fp_show_call_indent(fp_text_run_state *run, uint64_t caller, uint64_t function)
{
    fp_symbols *symbols = &run->machine->symbols;
    const fp_symbol *above = fp_symbols_find(symbols, caller), *below = fp_symbols_find(symbols, function);
    if (above == NULL)
        return;
    fp_cpu_calls *calls = calls_of(run->machine, run->record->cpu);
    if (calls == NULL) {
        run->out->failed = true;
        return;
    }
    size_t depth = 0;
    while (depth < calls->total && !same_name(symbols, calls->calls + depth, above))
        depth++;
    if (depth == calls->total) {
        depth = 0;
        put(calls, 0, above);
    }
    put(calls, depth + 1, below);
    fp_out_fill(run->out, ' ', depth * 3);
}
