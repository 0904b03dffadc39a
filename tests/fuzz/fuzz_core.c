/* Fuzz driver of the C core, without Python: sub-buffers of several CPUs, read in every way there is.
 *
 *   cc -g -O1 -fsanitize=address,undefined -Iftracepy/_fastparse/core tests/fuzz/fuzz_core.c \
 *      ftracepy/_fastparse/core/{page,stream,merge,output,field}.c -o fuzz_core
 *   ./fuzz_core ROUNDS FILE...      each file as it is, then ROUNDS seeded mutations of it
 *
 * With -fsanitize=fuzzer -DFP_LIBFUZZER it is a libFuzzer target. An input is 4 bytes of choices
 * (byte order and long, sub-buffer size, CPUs, batch size), then the sub-buffers. */
#include <stdio.h>
#include <stdlib.h>

#include "field.h"
#include "merge.h"

#define CPUS_MOST 5

static void
require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static fp_layout
choose_layout(const uint8_t *choices)
{
    uint32_t long_bytes = choices[0] & 2 ? 4 : 8;
    uint32_t page_bytes = choices[1] % 5 == 4 ? 64 : 4096u << choices[1] % 5;
    return (fp_layout){page_bytes, 8, long_bytes, 8 + long_bytes, 0, 2, 3, 4, 8, (choices[0] & 1) != 0};
}

/* Every kind and size of field at places taken from the record itself, and beyond its end. */
static void
read_fields(const fp_record *record, bool big_endian)
{
    volatile uint64_t sum = 0;
    for (uint32_t i = 0; i < 64; i++) {
        fp_field field = {.offset = i * 4 + (i & 3), .size = i * 3, .element_bytes = 1u << (i & 3), .kind = i % FP_KINDS, .is_signed = i & 8};
        size_t bytes;
        const uint8_t *at = fp_field_bytes(&field, record, big_endian, &bytes);
        require(at >= record->data && at + bytes <= record->data + record->length, "a field lies inside its record");
        for (size_t k = 0; k < bytes; k++)
            sum += at[k];
        sum += fp_field_number(&field, record, big_endian);
    }
}

/* A column by looking at every record, and by an index: they must agree. */
static void
read_columns(const fp_output *out, bool big_endian)
{
    static uint32_t counts[UINT16_MAX + 1];
    fp_index index;
    uint32_t *indices = malloc((out->n + 1) * sizeof *indices);
    uint64_t *values = malloc((out->n + 1) * sizeof *values), *others = malloc((out->n + 1) * sizeof *others);
    if (indices == NULL || values == NULL || others == NULL || !fp_index_init(&index, out->records, out->n, counts))
        exit(3);
    size_t seen = 0;
    for (size_t i = 0; i < index.groups_total && i < 4; i++) {
        fp_field field = {.offset = 8, .size = 1u << i, .element_bytes = 1u << i, .is_signed = i & 1};
        const fp_group *group = &index.groups[i];
        size_t n = fp_field_column(&field, group->id, out->records, out->n, big_endian, indices, values);
        require(n == group->total && fp_index_find(&index, group->id) == group, "an index knows all of an id");
        require(memcmp(indices, index.order + group->start, n * sizeof *indices) == 0, "an index keeps the order");
        fp_field_values(&field, out->records, indices, n, big_endian, others);
        require(memcmp(values, others, n * sizeof *values) == 0, "both ways give the same values");
    }
    for (size_t i = 0; i < index.groups_total; i++)
        seen += index.groups[i].total;
    require(seen == out->n, "an index holds every record");
    fp_index_deinit(&index);
    free(indices);
    free(values);
    free(others);
}

static void
check_output(const fp_output *out, const fp_layout *layout, uint64_t last_ts)
{
    for (size_t i = 0; i < out->n; i++) {
        require(out->records[i].length >= layout->common_bytes, "a record holds its common fields");
        require(out->records[i].ts <= last_ts, "nothing beyond the promise");
        read_fields(&out->records[i], layout->big_endian);
    }
    for (size_t i = 0; i < out->losses_n; i++)
        require(out->losses[i].index <= out->n && out->losses[i].count != 0, "a loss has a place and a count");
    read_columns(out, layout->big_endian);
}

/* Batches until nothing is left: each must make progress. */
static void
drain(fp_stream *streams, size_t cpus, const fp_layout *layout, size_t most)
{
    fp_waiting heap[CPUS_MOST];
    for (uint64_t last_ts = UINT64_MAX >> 1; ; last_ts = UINT64_MAX) {
        size_t n;
        do {
            fp_output out = {.most = most};
            fp_merge(streams, cpus, layout, last_ts, heap, &out);
            check_output(&out, layout, last_ts);
            n = out.n;
            fp_output_deinit(&out);
        } while (n > 0);
        if (last_ts == UINT64_MAX)
            break;
    }
    for (size_t i = 0; i < cpus; i++)
        require(streams[i].now == NULL && !streams[i].has_head, "all was read");
}

static void
release(fp_stream *stream)
{
    for (fp_chunk *next, *chunk = fp_stream_finished(stream); chunk != NULL; chunk = next) {
        next = chunk->next;
        free((void *)chunk->data);
        free(chunk);
    }
    require(stream->first == NULL, "every chunk is given back");
}

/* Each chunk is an allocation of its own, so that one byte too far is seen. */
static void
feed(fp_stream *stream, const uint8_t *data, size_t bytes, uint64_t offset)
{
    fp_chunk *chunk = malloc(sizeof *chunk);
    uint8_t *copy = malloc(bytes ? bytes : 1);
    if (chunk == NULL || copy == NULL)
        exit(3);
    if (bytes)
        memcpy(copy, data, bytes);
    *chunk = (fp_chunk){NULL, copy, bytes, offset};
    fp_stream_feed(stream, chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    fp_layout layout = choose_layout(data);
    size_t cpus = data[2] % CPUS_MOST + 1, most = data[3] ? data[3] : 65536;
    fp_stream streams[CPUS_MOST] = {0};
    for (size_t i = 0; i < cpus; i++)
        streams[i].cpu = (uint16_t)(i * 3);
    size_t turn = 0;
    for (size_t at = 4; at < size; at += layout.page_bytes, turn++) {
        size_t left = size - at < layout.page_bytes ? size - at : layout.page_bytes;
        feed(&streams[turn % cpus], data + at, left, at);
    }
    drain(streams, cpus, &layout, most);
    for (size_t i = 0; i < cpus; i++)
        release(&streams[i]);
    return 0;
}

#ifndef FP_LIBFUZZER
static uint64_t random_state;

static uint32_t
random_u32(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33);
}

/* Some bits, bytes or words changed, most of them in headers, where they hurt. */
static size_t
mutate(uint8_t *data, size_t size)
{
    static const uint32_t words[] = {0, 1, 3, 4, 0x1d, 0x1e, 0x1f, 0x3d, 0x7fffffff, 0x80000000, 0xc0000ff0, 0xffffffff};
    for (uint32_t n = random_u32() % 8 + 1; n > 0; n--) {
        size_t at = random_u32() % size;
        if (random_u32() % 3 == 0)
            at = at / 4096 * 4096 + random_u32() % 64;
        uint32_t word = words[random_u32() % (sizeof words / sizeof *words)];
        if (at + 4 > size)
            continue;
        if (random_u32() % 2)
            memcpy(data + (at & ~(size_t)3), &word, 4);
        else
            data[at] ^= (uint8_t)(1u << random_u32() % 8);
    }
    return random_u32() % 16 ? size : random_u32() % size + 1;
}

static uint8_t *
read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        exit(3);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    if (data == NULL || fread(data, 1, *size, file) != *size)
        exit(3);
    fclose(file);
    return data;
}

int
main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 0;
    for (int i = 2; i < argc; i++) {
        size_t size;
        uint8_t *data = read_file(argv[i], &size), *copy = malloc(size + 1);
        if (copy == NULL)
            return 3;
        LLVMFuzzerTestOneInput(data, size);
        for (long round = 0; size > 0 && round < rounds; round++) {
            random_state = (uint64_t)round * 0x9e3779b97f4a7c15u + (uint64_t)i;
            memcpy(copy, data, size);
            LLVMFuzzerTestOneInput(copy, mutate(copy, size));
        }
        free(copy);
        free(data);
    }
    return 0;
}
#endif
