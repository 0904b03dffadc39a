/* Choosing records by what their headers say: the records move, their bytes stay in the pages. */
#include "select.h"

#include <stdlib.h>

static bool
holds(const int64_t *list, size_t n, int64_t value)
{
    size_t low = 0, high = n;
    if (list == NULL)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && list[low] == value;
}

static bool
in_time(const fp_choice *choice, uint64_t ts)
{
    return ts >= choice->since && (choice->until == UINT64_MAX || ts < choice->until);
}

/* A loss stands before its CPU's next event: it is as old as that one, or as the last of all. */
static bool
loss_chosen(const fp_output *in, const fp_choice *choice, const fp_loss *loss)
{
    if (!holds(choice->cpus, choice->cpus_n, loss->cpu))
        return false;
    if (in->n == 0)
        return true;
    return in_time(choice, in->records[loss->index < in->n ? loss->index : in->n - 1].ts);
}

void
fp_select(const fp_output *in, const fp_choice *choice, fp_output *out)
{
    size_t next_loss = 0;
    out->most = in->n;
    out->records = malloc((in->n + 1) * sizeof *out->records);
    out->no_memory = out->records == NULL;
    out->room = out->no_memory ? 0 : in->n;
    for (size_t i = 0; i <= in->n && !out->no_memory; i++) {
        for (; next_loss < in->losses_n && in->losses[next_loss].index <= i; next_loss++)
            if (loss_chosen(in, choice, &in->losses[next_loss]))
                fp_output_loss(out, in->losses[next_loss].cpu, in->losses[next_loss].count);
        if (i == in->n)
            break;
        const fp_record *one = &in->records[i];
        if (in_time(choice, one->ts) && holds(choice->cpus, choice->cpus_n, one->cpu)
            && holds(choice->ids, choice->ids_n, one->id) && holds(choice->pids, choice->pids_n, one->pid))
            out->records[out->n++] = *one;
    }
}
