/* Which of the paths told are whose; names are those of analysis/pathfacts.py and analysis/shares.py, which say what is done. */
#include "rows_paths.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 64 };
static const uint64_t SOON = 200000000;

typedef struct {
    fp_held **opens;
    fp_told **told;
    size_t opens_total, told_total;
} group;

typedef struct {
    const uint8_t *data;
    size_t length;
} text;

static text
last_of(const uint8_t *path, size_t length)
{
    while (length && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start && path[start - 1] != '/')
        start--;
    return (text){path + start, length - start};
}

static bool
same(text a, text b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static text
name_passed(const fp_held *open)
{
    return last_of(open->bytes + open->head_length, open->passed_length);
}

static text
name_told(const fp_told *told)
{
    return last_of(told->path, told->length);
}

static bool
same_path(const fp_told *a, const fp_told *b)
{
    return a->length == b->length && memcmp(a->path, b->path, a->length) == 0;
}

/* Which path is whose. */

static bool
finish(fp_held *open, const fp_told *told, bool sure)
{
    if (told != NULL && (open->path = fp_told_copy(told, told->path)) == NULL)
        return false;
    open->sure = sure;
    open->waits = false;
    return true;
}

/* As in_order() of shares.py; `plain` false where looking would take too long. */
static bool
is_in_order(const group *g, bool *plain)
{
    if (g->opens_total != g->told_total)
        return false;
    for (size_t i = 1; i < g->told_total; i++)
        if (g->told[i - 1]->when == g->told[i]->when && !same_path(g->told[i - 1], g->told[i]))
            return false;
    for (size_t i = 0; i < g->opens_total; i++) {
        if (!g->opens[i]->has_passed || same(name_passed(g->opens[i]), name_told(g->told[i])))
            continue;
        if (g->told_total > MOST_NAMES)
            return *plain = false;
        for (size_t k = 0; k < g->told_total; k++)
            if (same(name_passed(g->opens[i]), name_told(g->told[k])))
                return false;
    }
    return true;
}

/* Whether all that was told is one path, and all that was passed is its name. */
static bool
is_one_path(const group *g)
{
    for (size_t i = 1; i < g->told_total; i++)
        if (!same_path(g->told[0], g->told[i]))
            return false;
    for (size_t i = 0; i < g->opens_total; i++)
        if (!g->opens[i]->has_passed || !same(name_passed(g->opens[i]), name_told(g->told[0])))
            return false;
    return true;
}

static bool
ask(const fp_paths *paths, const group *g)
{
    fp_share *shares = calloc(g->opens_total, sizeof *shares);
    bool done = shares && paths->rules.settle(paths->rules.whom, g->opens, g->opens_total, g->told, g->told_total, shares);
    for (size_t i = 0; done && i < g->opens_total; i++)
        done = finish(g->opens[i], shares[i].told < 0 ? NULL : g->told[shares[i].told], shares[i].sure);
    free(shares);
    return done;
}

static bool
settle(const fp_paths *paths, const group *g)
{
    bool plain = true, done = true;
    if (g->told_total == 0) {
        for (size_t i = 0; i < g->opens_total; i++)
            finish(g->opens[i], NULL, false);
        return true;
    }
    if (g->opens_total == 1 && g->told_total == 1)
        return finish(g->opens[0], g->told[0], true);
    bool ordered = is_in_order(g, &plain);
    if (!ordered && !(plain && is_one_path(g)))
        return ask(paths, g);
    for (size_t i = 0; done && i < g->opens_total; i++)
        done = finish(g->opens[i], g->told[ordered ? i : 0], true);
    return done;
}

static int
by_size(size_t one, size_t other)
{
    return (one > other) - (one < other);
}

static int
by_key(const void *a, const void *b)
{
    const fp_held *one = *(fp_held *const *)a, *other = *(fp_held *const *)b;
    int by = by_size(one->keys_total, other->keys_total);
    if (by == 0)
        by = memcmp(one->keys, other->keys, one->keys_total * sizeof *one->keys);
    if (by == 0)
        by = by_size(one->has_passed, other->has_passed);
    if (by == 0)
        by = by_size(one->passed_length, other->passed_length);
    return by ? by : memcmp(one->bytes + one->head_length, other->bytes + other->head_length, one->passed_length);
}

/* Whether no two opens have equal arguments. */
static bool
is_distinct(const group *g, bool *distinct)
{
    fp_held **sorted = malloc((g->opens_total + 1) * sizeof(fp_held *));
    if (sorted == NULL)
        return false;
    memcpy(sorted, g->opens, g->opens_total * sizeof(fp_held *));
    qsort(sorted, g->opens_total, sizeof(fp_held *), by_key);
    *distinct = true;
    for (size_t i = 1; i < g->opens_total; i++)
        *distinct = *distinct && by_key(&sorted[i - 1], &sorted[i]) != 0;
    free(sorted);
    return true;
}

/* Settle those of the first `closed` that time sets apart from the ones behind them; how many opens and facts that took. */
static bool
settle_apart(const fp_paths *paths, const group *all, size_t closed, size_t *begun, size_t *taken)
{
    size_t mine = 0, before = 0;
    *begun = *taken = 0;
    for (size_t at = 1; at <= closed && at < all->opens_total; at++) {
        while (mine < all->told_total && all->told[mine]->since <= all->opens[at - 1]->end)
            mine++;
        while (before < all->told_total && all->told[before]->when < all->opens[at]->start)
            before++;
        if (mine > before)
            continue;
        /* As a slice: `taken` may lie behind `mine`. */
        group part = {all->opens + *begun, all->told + *taken, at - *begun, mine > *taken ? mine - *taken : 0};
        if (!settle(paths, &part))
            return false;
        *begun = at;
        *taken = before;
    }
    return true;
}

/* How many facts are for the `closed` opens that are left of `rest`; -1: it is not known yet. */
static bool
share_of(const group *rest, size_t closed, bool in_open, uint64_t now, ptrdiff_t *count)
{
    size_t told = rest->told_total, most = rest->opens_total + in_open;
    bool fits = rest->opens_total <= told && told <= most, is_old = rest->opens[0]->end < (now > SOON ? now - SOON : 0);
    bool distinct = false;
    *count = (ptrdiff_t)told;
    if (fits) {
        *count = (ptrdiff_t)closed;
    } else if (rest->opens_total > closed) {
        bool could = closed <= told && told < most;
        if (could && !is_distinct(rest, &distinct))
            return false;
        if (could && (distinct || is_old))
            *count = (ptrdiff_t)closed;
        else if (!is_old)
            *count = -1;
    }
    return true;
}

/* `taken`: how many facts that took. */
static bool
match(const fp_paths *paths, const fp_paths_thread *thread, group *all, uint64_t when, uint64_t now, size_t *taken)
{
    size_t closed = 0, begun;
    for (fp_held *one = thread->opens; one != NULL; one = one->later)
        all->opens[all->opens_total++] = one;
    for (fp_told *one = thread->told; one != NULL; one = one->next)
        all->told[all->told_total++] = one;
    while (closed < all->opens_total && all->opens[closed]->end < when)
        closed++;
    if (!settle_apart(paths, all, closed, &begun, taken))
        return false;
    group rest = {all->opens + begun, all->told + *taken, all->opens_total - begun, all->told_total - *taken};
    size_t left = closed - begun;
    bool in_open;
    ptrdiff_t count;
    if (left == 0)
        return true;
    if (!paths->rules.in_open(paths->rules.whom, thread->tid, &in_open) || !share_of(&rest, left, in_open, now, &count))
        return false;
    if (count < 0)
        return true;
    *taken += (size_t)count;
    return settle(paths, &(group){rest.opens, rest.told, left, (size_t)count});
}

bool
fp_paths_match(const fp_paths *paths, fp_paths_thread *thread, uint64_t when, uint64_t now)
{
    group all = {malloc(thread->opens_total * sizeof(fp_held *)), malloc((thread->told_total + 1) * sizeof(fp_told *)), 0, 0};
    size_t taken = 0;
    bool done = all.opens != NULL && all.told != NULL && match(paths, thread, &all, when, now, &taken);
    free(all.opens);
    free(all.told);
    while (thread->opens != NULL && !thread->opens->waits) /* also where asking failed half-way */
        fp_paths_pop_open(thread);
    while (taken-- > 0)
        fp_paths_pop_told(thread);
    return done;
}
