/* A choice of records by CPU, type, thread and time. */
#ifndef FP_SELECT_H
#define FP_SELECT_H

#include "output.h"

/* Sorted, without repeats; a NULL list lets everything pass. Times: since <= ts < until, UINT64_MAX being no end. */
typedef struct {
    const int64_t *cpus, *ids, *pids;
    size_t cpus_n, ids_n, pids_n;
    uint64_t since, until;
} fp_choice;

/* Copy the chosen records of `in` to `out` (empty before), with the losses of the chosen CPUs and times in their place. */
void fp_select(const fp_output *in, const fp_choice *choice, fp_output *out);

#endif
