/* Walks sub-buffers of 4096 bytes by libtraceevent, and does nothing with the events: kbuffer FILE [TIMES]
 *
 * Prints how many events it saw and the nanoseconds of CPU time that the fastest of TIMES took. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <kbuffer.h>

enum { PAGE = 4096 };

static unsigned long long
cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static size_t
walk(struct kbuffer *reader, char *pages, long bytes)
{
    size_t events = 0;
    unsigned long long ts;
    for (char *page = pages; page < pages + bytes; page += PAGE) {
        kbuffer_load_subbuffer(reader, page);
        for (void *event = kbuffer_read_event(reader, &ts); event != NULL; event = kbuffer_next_event(reader, &ts))
            events++;
    }
    return events;
}

int
main(int argc, char **argv)
{
    FILE *opened = argc > 1 ? fopen(argv[1], "rb") : NULL;
    struct kbuffer *reader = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
    if (opened == NULL || reader == NULL || fseek(opened, 0, SEEK_END) != 0)
        return 1;
    long bytes = ftell(opened);
    char *pages = malloc((size_t)bytes + 1);
    rewind(opened);
    if (pages == NULL || fread(pages, 1, (size_t)bytes, opened) != (size_t)bytes)
        return 1;
    unsigned long long best = -1;
    size_t events = walk(reader, pages, bytes);
    for (long left = argc > 2 ? atol(argv[2]) : 1; left > 0; left--) {
        unsigned long long start = cpu_ns();
        events = walk(reader, pages, bytes);
        unsigned long long took = cpu_ns() - start;
        best = took < best ? took : best;
    }
    printf("%zu %llu\n", events, best);
    return 0;
}
