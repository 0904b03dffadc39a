/* Takes fanotify's reports as soon as they are there and writes them to a pipe, with the times between which they came.
 *
 * Equal reports that nobody has read yet are merged by the kernel, and a report has no time: so whoever reads late no
 * longer knows which open it was about. This needs no interpreter, whose lock would make it late.
 *
 * Where one thread or process is asked for, others' reports are only counted, and nobody is woken for them. Where they
 * come in hundreds a second, they are looked for every 20 ms only.
 */
#ifndef FP_RELAY_H
#define FP_RELAY_H

#include <stdint.h>

enum { FP_RELAY_HANDLES, FP_RELAY_PATHS, FP_RELAY_FENCE };

/* What precedes each piece in the pipe. The reads of one round have the same `before`, and end with a FENCE: all that was
 * reported before that time has been written; its one uint64_t counts the reports left out since the fence before it.
 * `after` is when the piece had been read. Rounds without a piece are told where somebody asked, where 100 ms have passed (250
 * where nothing was handed on for a second), where FP_RELAY_MANY reports were left out, and where the next one has a piece,
 * which so is known to be later. */
enum { FP_RELAY_MANY = 512 };
typedef struct {
    uint32_t kind, size;
    uint64_t before, after;
} fp_relay_head;

/* A piece of PATHS is a row of these, each with `length` bytes of path behind it: reports that came with a descriptor. */
typedef struct {
    uint64_t mask;
    int32_t tid;
    uint32_t length;
} fp_relay_path;

typedef struct {
    int by_handle, by_fd; /* groups, non-blocking; -1: none */
    int control;          /* a byte asks for a round, the end of file for the last one */
    int out;
    int tid;   /* the one thread whose opens are of interest, or 0 */
    int tasks; /* /proc/PID/task of the process whose opens are, or -1 */
    int proc;  /* /proc, where `tasks` is given */
} fp_relay;

/* Until `control` is at its end; 0, or an errno. Blocks signals meanwhile. */
int fp_relay_run(const fp_relay *relay);

#endif
