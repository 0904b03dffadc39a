/* Blocks that come back are kept, for fresh memory costs a page fault for every 4 KB: as much as reading it. */
#include "arena.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT_MAX = 64 };

struct fp_arena_pool {
    pthread_mutex_t lock;
    fp_arena *free;
    size_t kept, out;
    size_t arena_bytes;
    int released;
};

fp_arena_pool *
fp_arena_pool_new(size_t arena_bytes)
{
    fp_arena_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->arena_bytes = arena_bytes;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void
arena_free(fp_arena *arena)
{
    free(arena->data);
    free(arena);
}

static void
pool_free(fp_arena_pool *pool)
{
    while (pool->free != NULL) {
        fp_arena *next = pool->free->next_free;
        arena_free(pool->free);
        pool->free = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void
fp_arena_pool_release(fp_arena_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->released = 1;
    size_t out = pool->out;
    pthread_mutex_unlock(&pool->lock);
    if (out == 0)
        pool_free(pool);
}

static fp_arena *
arena_new(fp_arena_pool *pool)
{
    fp_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        return NULL;
    arena->pool = pool;
    arena->data = malloc(pool->arena_bytes);
    if (arena->data == NULL) {
        free(arena);
        return NULL;
    }
    return arena;
}

fp_arena *
fp_arena_get(fp_arena_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    fp_arena *arena = pool->free;
    if (arena != NULL) {
        pool->free = arena->next_free;
        pool->kept--;
    }
    pool->out++;
    pthread_mutex_unlock(&pool->lock);
    if (arena == NULL && (arena = arena_new(pool)) == NULL) {
        pthread_mutex_lock(&pool->lock);
        pool->out--;
        pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    arena->used = 0;
    __atomic_store_n(&arena->refs, 1, __ATOMIC_RELAXED);
    return arena;
}

void
fp_arena_ref(fp_arena *arena)
{
    __atomic_add_fetch(&arena->refs, 1, __ATOMIC_RELAXED);
}

void
fp_arena_unref(fp_arena *arena)
{
    if (__atomic_sub_fetch(&arena->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    fp_arena_pool *pool = arena->pool;
    pthread_mutex_lock(&pool->lock);
    int keep = !pool->released && pool->kept < KEPT_MAX;
    if (keep) {
        arena->next_free = pool->free;
        pool->free = arena;
        pool->kept++;
    }
    pool->out--;
    int last = pool->released && pool->out == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!keep)
        arena_free(arena);
    if (last)
        pool_free(pool);
}

size_t
fp_arena_bytes(const fp_arena *arena)
{
    return arena->pool->arena_bytes;
}
