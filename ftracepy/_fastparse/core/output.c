/* Growing arrays for what decoding finds. */
#include "output.h"

#include <stdlib.h>

/* `items` with about twice the room, or NULL: then `items` is as it was. */
static void *
grow(void *items, size_t *room, size_t size, size_t most)
{
    size_t wanted = *room ? *room * 2 : 64;
    if (wanted > most)
        wanted = most;
    void *grown = realloc(items, wanted * size);
    if (grown != NULL)
        *room = wanted;
    return grown;
}

void
fp_output_deinit(fp_output *out)
{
    free(out->records);
    free(out->losses);
    free(out->faults);
}

static bool
grow_columns(fp_output *out)
{
    size_t twice = out->room ? out->room * 2 : 64, rows = twice < out->most ? twice : out->most;
    out->no_memory = !fp_columns_reserve(out->columns, rows);
    if (!out->no_memory)
        out->room = rows;
    return !out->no_memory;
}

bool
fp_output_grow(fp_output *out)
{
    if (out->n < out->room)
        return true;
    if (out->n >= out->most || out->no_memory)
        return false;
    if (out->columns != NULL)
        return grow_columns(out);
    fp_record *grown = grow(out->records, &out->room, sizeof *grown, out->most);
    out->no_memory = grown == NULL;
    if (grown != NULL)
        out->records = grown;
    return grown != NULL;
}

void
fp_output_loss(fp_output *out, uint16_t cpu, int64_t count)
{
    if (out->losses_n == out->losses_room) {
        fp_loss *grown = grow(out->losses, &out->losses_room, sizeof *grown, SIZE_MAX / sizeof *grown);
        if (grown == NULL) {
            out->no_memory = true;
            return;
        }
        out->losses = grown;
    }
    out->losses[out->losses_n++] = (fp_loss){out->n, count, cpu};
}

void
fp_output_fault(fp_output *out, uint16_t cpu, uint64_t offset, const char *reason)
{
    if (out->faults_n == out->faults_room) {
        fp_fault *grown = grow(out->faults, &out->faults_room, sizeof *grown, SIZE_MAX / sizeof *grown);
        if (grown == NULL) {
            out->no_memory = true;
            return;
        }
        out->faults = grown;
    }
    out->faults[out->faults_n++] = (fp_fault){offset, reason, cpu};
}
