/* Stacks of addresses: the kernel's own, trace-cmd's, and a process's; twin_run.py's _stack is the plain version. */
#include "text_show.h"

/* As the kernel's own tracers do, with the options sym-offset (v 1) and sym-addr (v 2). */
static void
show_traced_place(fp_text_run_state *run, const fp_instruction *one, uint64_t address)
{
    fp_symbols_show(&run->machine->symbols, address, one->v & 1 ? 2 : FP_BARE, run->out);
    if (one->v & 2) {
        FP_OUT_LITERAL(run->out, " <");
        fp_out_hex_padded(run->out, address, one->size * 2U);
        fp_out_byte(run->out, '>');
    }
}

/* As trace-cmd's plugin does: the address behind the name. */
static void
show_stack_place(fp_text_run_state *run, uint64_t address)
{
    FP_OUT_LITERAL(run->out, "\n=> ");
    size_t start = run->out->used;
    fp_symbols_show(&run->machine->symbols, address, FP_OR_NOTHING, run->out);
    bool named = run->out->used > start;
    if (named)
        FP_OUT_LITERAL(run->out, " (");
    fp_out_hex(run->out, address);
    if (named)
        fp_out_byte(run->out, ')');
}

/* What lies at an address of a process; false where that is not known. */
static bool
show_mapped(const fp_areas *areas, uint32_t process, uint64_t address, fp_text_out *out)
{
    size_t low = 0, high = areas->total;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const fp_area *one = areas->areas + middle;
        if (one->process < process || (one->process == process && one->end <= address))
            low = middle + 1;
        else
            high = middle;
    }
    const fp_area *one = areas->areas + low;
    if (low == areas->total || one->process != process || address < one->start)
        return false;
    fp_out_bytes(out, areas->text + one->at, one->length);
    FP_OUT_LITERAL(out, "[+0x");
    fp_out_hex(out, address - one->start);
    fp_out_byte(out, ']');
    return true;
}

static void
show_user_place(fp_text_run_state *run, const fp_instruction *one, uint64_t address)
{
    bool shown = false;
    if (one->v & 4) {
        uint64_t process = fp_record_load(run->record, (uint64_t)one->v >> 8, 4, false, run->machine->settings.big_endian);
        shown = show_mapped(&run->machine->areas, (uint32_t)process, address, run->out);
    }
    if (shown && !(one->v & 2))
        return;
    FP_OUT_LITERAL(run->out, " <");
    fp_out_hex_padded(run->out, address, 2U * one->size);
    fp_out_byte(run->out, '>');
}

void
fp_show_stack(fp_text_run_state *run, const fp_instruction *one)
{
    uint64_t last = one->size < 8 ? (1ULL << one->size * 8) - 1 : UINT64_MAX, end = run->record->length;
    if (one->b == 1 && end > (uint64_t)one->a + 8U * one->size)
        end = (uint64_t)one->a + 8U * one->size;
    for (uint64_t at = one->a; at + one->size <= end; at += one->size) {
        uint64_t address = fp_record_load(run->record, at, one->size, false, run->machine->settings.big_endian);
        if (address == last || (one->b == 1 && address == 0))
            break;
        if (one->b == 2) {
            show_stack_place(run, address);
            continue;
        }
        if (one->b) {
            FP_OUT_LITERAL(run->out, "\n => ");
            show_user_place(run, one, address);
            continue;
        }
        FP_OUT_LITERAL(run->out, "\n => ");
        if (address == 0x7fffffff)
            FP_OUT_LITERAL(run->out, "[FTRACE TRAMPOLINE]");
        else
            show_traced_place(run, one, address);
    }
}
