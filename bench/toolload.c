/* The load that tools are measured under: makes N system calls of one kind and says how long they took, and its CPU time.
 *
 *   toolload KIND N     KIND: open (a file that is not there), kill (signal 0 to itself), getppid
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	long calls = argc == 3 ? atol(argv[2]) : 0;
	struct rusage usage;
	double start = now();

	for (long i = 0; i < calls; i++) {
		if (!strcmp(argv[1], "open"))
			open("/nonexistent/file", O_RDONLY);
		else if (!strcmp(argv[1], "kill"))
			kill(getpid(), 0);
		else
			syscall(SYS_getppid);
	}
	start = now() - start;
	getrusage(RUSAGE_SELF, &usage);
	printf("%d %.6f %.6f\n", getpid(), start, seconds(usage.ru_utime) + seconds(usage.ru_stime));
	return 0;
}
