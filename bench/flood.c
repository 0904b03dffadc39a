/* A known number of getppid calls as fast as one thread can make them, on each CPU named: flood CALLS CPU...
   With FLOOD_RATE that many a second, in bursts of a millisecond. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long calls, burst;

static void *work(void *cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((int)(long)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long i = 0; i < calls; i++) {
        if (burst && i % burst == 0) {
            if ((due.tv_nsec += 1000000) >= 1000000000) {
                due.tv_sec++;
                due.tv_nsec -= 1000000000;
            }
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        }
        syscall(SYS_getppid);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    struct rusage usage;
    calls = argc > 1 ? atol(argv[1]) : 1;
    burst = getenv("FLOOD_RATE") ? atol(getenv("FLOOD_RATE")) / 1000 : 0;
    for (int i = 2; i < argc && i < 66; i++)
        pthread_create(&threads[i - 2], NULL, work, (void *)atol(argv[i]));
    for (int i = 2; i < argc && i < 66; i++)
        pthread_join(threads[i - 2], NULL);
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec
                 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    FILE *out = getenv("FLOOD_OUT") ? fopen(getenv("FLOOD_OUT"), "w") : stdout;
    if (out)
        fprintf(out, "%f\n", cpu);
    return 0;
}
