/* The load that tools are measured under: does N things of one kind and says how long they took, and its CPU time.
 *
 *   toolload KIND N     KIND: open (a file that is not there), half (half of the opens work), kill (signal 0 to itself),
 *                       getppid, exec (itself, which does nothing), call (a function of its own, which calls getppid),
 *                       read (4 kB of a disk, past the page cache), cached (4 kB of the page cache), turns (two processes
 *                       that wake each other), send (a byte over TCP to itself)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 1024 };

static char *self;
static int reading, writing;

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

static void failed(const char *what)
{
	perror(what);
	exit(1);
}

__attribute__((noinline)) long probed(void)
{
	return syscall(SYS_getppid);
}

static void run_self(void)
{
	char *const arguments[] = {self, "none", NULL};
	pid_t child = vfork();

	if (child == 0) {
		execv(self, arguments);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

/* A file without a name in /var/tmp, which is on a disk where /tmp may not be. */
static void open_file(int flags)
{
	static char block[BLOCK];
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	char name[64];

	for (int i = 0; i < BLOCKS; i++)
		if (write(fd, block, sizeof block) != sizeof block)
			failed("/var/tmp");
	fsync(fd);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reading = open(name, O_RDONLY | flags);
	if (reading < 0)
		failed("/var/tmp");
}

static void read_block(long at)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));

	if (pread(reading, block, sizeof block, at * 7 % BLOCKS * BLOCK) != sizeof block)
		failed("pread");
}

static void begin_turns(void)
{
	int there[2], back[2];
	char byte;

	if (pipe(there) || pipe(back))
		failed("pipe");
	writing = there[1];
	reading = back[0];
	if (fork() == 0) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
}

static void connect_to_self(void)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof place;
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	writing = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listening, (struct sockaddr *)&place, length) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&place, &length) || connect(writing, (struct sockaddr *)&place, length))
		failed("loopback");
	reading = accept(listening, NULL, NULL);
}

static void pass_byte(void)
{
	char byte = 0;

	if (write(writing, &byte, 1) != 1 || read(reading, &byte, 1) != 1)
		failed("passing on");
}

static void begin(const char *kind)
{
	if (!strcmp(kind, "read"))
		open_file(O_DIRECT);
	else if (!strcmp(kind, "cached"))
		open_file(0);
	else if (!strcmp(kind, "turns"))
		begin_turns();
	else if (!strcmp(kind, "send"))
		connect_to_self();
}

static void once(const char *kind, long at)
{
	switch (kind[0]) {
	case 'o':
		open("/nonexistent/file", O_RDONLY);
		break;
	case 'h':
		close(open(at & 1 ? "/etc/hostname" : "/nonexistent/file", O_RDONLY));
		break;
	case 'k':
		kill(getpid(), 0);
		break;
	case 'e':
		run_self();
		break;
	case 'r':
		read_block(at);
		break;
	case 't':
	case 's':
		pass_byte();
		break;
	case 'c':
		if (kind[1] == 'a' && kind[2] == 'c')
			read_block(at);
		else
			probed();
		break;
	default:
		syscall(SYS_getppid);
	}
}

int main(int argc, char **argv)
{
	long calls = argc == 3 ? atol(argv[2]) : 0;
	struct rusage usage, children;
	double start;

	if (argc != 3)
		return 0;
	self = argv[0];
	begin(argv[1]);
	start = now();
	for (long i = 0; i < calls; i++)
		once(argv[1], i);
	start = now() - start;
	getrusage(RUSAGE_SELF, &usage);
	getrusage(RUSAGE_CHILDREN, &children);
	printf("%d %.6f %.6f\n", getpid(), start, seconds(usage.ru_utime) + seconds(usage.ru_stime) +
	       seconds(children.ru_utime) + seconds(children.ru_stime));
	return 0;
}
