/* Memory for pages that are being read: large blocks, filled from the front, reused when nobody looks at them. */
#ifndef FP_ARENA_H
#define FP_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct fp_arena_pool fp_arena_pool;

/* One block. It is filled by one thread; references may be taken and given back by any. */
typedef struct fp_arena {
    fp_arena_pool *pool;
    struct fp_arena *next_free;
    long refs;
    size_t used;
    uint8_t *data;
} fp_arena;

/* A pool of blocks of `arena_bytes` each; it lives until it is released and the last block has come back. */
fp_arena_pool *fp_arena_pool_new(size_t arena_bytes);
void fp_arena_pool_release(fp_arena_pool *pool);

/* A block with one reference and nothing in it, or NULL where there is no memory. */
fp_arena *fp_arena_get(fp_arena_pool *pool);
void fp_arena_ref(fp_arena *arena);
void fp_arena_unref(fp_arena *arena);
size_t fp_arena_bytes(const fp_arena *arena);

#endif
