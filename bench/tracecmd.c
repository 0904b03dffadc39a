/* Goes over all events of a recording in one time order by libtracecmd, and does nothing with them: tracecmd FILE
 *
 * Prints how many events it saw and the nanoseconds of CPU time that took, without opening the file. */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>

#include <trace-cmd.h>

static unsigned long long
cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static int
count(struct tracecmd_input *input, struct tep_record *record, int cpu, void *events)
{
    (void)input, (void)record, (void)cpu;
    ++*(size_t *)events;
    return 0;
}

int
main(int argc, char **argv)
{
    struct tracecmd_input *input = argc > 1 ? tracecmd_open(argv[1], 0) : NULL;
    size_t events = 0;
    if (input == NULL)
        return 1;
    unsigned long long start = cpu_ns();
    tracecmd_iterate_events(input, NULL, 0, count, &events);
    printf("%zu %llu\n", events, cpu_ns() - start);
    tracecmd_close(input);
    return 0;
}
