/* tell_rounds: what fanotify reported (core/relay.h) written as PATH facts (sidefacts.py), as long as there is nothing but files
 * opened in folders that are known, by threads that are known. live/aides/opens.py tells the rest, and says what it means. */
#include "bind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "core/facts.h"
#include "core/relay.h"

/* fanotify(7); headers before 5.9 lack the first. */
enum { INFO_DFID_NAME = 2 };
enum { MOST_PATHS = 64, SINCE_BYTES = 24 };

typedef struct {
    struct fanotify_event_metadata report;
    uint8_t info_type, pad;
    uint16_t info_bytes;
    char fsid[8];
    uint32_t handle_bytes;
    int32_t handle_type;
} __attribute__((packed)) named_report;

typedef struct {
    uint32_t magic;
    uint8_t kind, more;
    uint16_t length;
    int32_t tid;
    uint64_t when;
} __attribute__((packed)) fact_head;

typedef struct {
    int32_t tid;
    bool own;
    size_t length;
    char body[FP_FACT_MOST_BODY];
} told_path;

typedef struct {
    PyObject *folders, *own;
    int fd;
    uint64_t reached;
    unsigned long told;
    size_t total; /* of `paths`: those of this round */
    told_path paths[MOST_PATHS];
} teller;

/* What the dictionary has under `key`, which is given up; NULL where it has nothing, or with an exception. */
static PyObject *
look_up(PyObject *dict, PyObject *key)
{
    PyObject *found = key ? PyDict_GetItemWithError(dict, key) : NULL;
    Py_XDECREF(key);
    return found;
}

static bool
append(told_path *path, const char *text, size_t length)
{
    if (length > FP_FACT_MOST_BODY - path->length)
        return false;
    memcpy(path->body + path->length, text, length);
    path->length += length;
    return true;
}

/* As watch.py puts both together. */
static bool
join(told_path *path, const char *folder, size_t folder_length, const char *name, size_t name_length)
{
    if (name_length == 0 || (name_length == 1 && *name == '.'))
        return append(path, folder, folder_length);
    size_t length = folder_length;
    while (length && folder[length - 1] == '/')
        length--;
    return append(path, folder, length) && append(path, "/", folder_length > 0) && append(path, name, name_length);
}

/* One report; its size, 0 where it is not for here, or with an exception. */
static size_t
take_report(teller *t, const char *data, size_t left)
{
    named_report head;
    if (left < sizeof head)
        return 0;
    memcpy(&head, data, sizeof head);
    size_t size = head.report.event_len, name_at = sizeof head + (size_t)head.handle_bytes;
    if (head.report.mask != FAN_OPEN || head.report.fd >= 0 || head.report.metadata_len != sizeof head.report ||
        head.info_type != INFO_DFID_NAME || size > left || name_at >= size || t->total == MOST_PATHS)
        return 0;
    const char *key = data + offsetof(named_report, fsid), *folder_text;
    PyObject *folder = look_up(t->folders, PyBytes_FromStringAndSize(key, (Py_ssize_t)(data + name_at - key)));
    PyObject *own = folder ? look_up(t->own, PyLong_FromLong(head.report.pid)) : NULL;
    Py_ssize_t folder_length;
    if (own == NULL || PyBytes_AsStringAndSize(folder, (char **)&folder_text, &folder_length) < 0)
        return 0;
    told_path *path = &t->paths[t->total];
    path->tid = head.report.pid;
    path->own = own == Py_True;
    path->length = 0;
    if (!join(path, folder_text, (size_t)folder_length, data + name_at, strnlen(data + name_at, size - name_at)))
        return 0;
    t->total += path->length > 0;
    return size;
}

static bool
take_piece(teller *t, const char *data, size_t size)
{
    for (size_t at = 0, taken; at < size; at += taken)
        if ((taken = take_report(t, data + at, size - at)) == 0)
            return false;
    return true;
}

/* A fact that cannot be written is lost, as any event is where recording is off. */
static void
write_fact(teller *t, const told_path *path, uint64_t when, const char *since, size_t since_length)
{
    char record[sizeof(fact_head) + FP_FACT_MOST_BODY];
    fact_head head = {FP_FACT_MAGIC, FP_FACT_PATH, 0, (uint16_t)(path->length + since_length), path->tid, when};
    memcpy(record, &head, sizeof head);
    memcpy(record + sizeof head, path->body, path->length);
    memcpy(record + sizeof head + path->length, since, since_length);
    ssize_t done = write(t->fd, record, sizeof head + head.length);
    (void)done;
    t->told++;
}

static bool
write_round(teller *t, uint64_t after)
{
    char since[SINCE_BYTES] = "";
    size_t length = t->reached ? 1 + (size_t)snprintf(since + 1, sizeof since - 1, "%llu", (unsigned long long)t->reached) : 0;
    for (size_t i = 0; i < t->total; i++)
        if (t->paths[i].length + length > FP_FACT_MOST_BODY)
            return false;
    for (size_t i = 0; i < t->total; i++)
        if (!t->paths[i].own)
            write_fact(t, &t->paths[i], after + i, since, length);
    return true;
}

/* The round at data[at:]; where it ends, or `at` where it is not for here, not whole, or with an exception. */
static size_t
take_round(teller *t, const char *data, size_t at, size_t size)
{
    fp_relay_head head;
    uint64_t left_out;
    t->total = 0;
    for (size_t here = at; size - here >= sizeof head; here += head.size) {
        memcpy(&head, data + here, sizeof head);
        here += sizeof head;
        if (head.size > size - here)
            return at;
        if (head.kind == FP_RELAY_HANDLES && take_piece(t, data + here, head.size))
            continue;
        if (head.kind != FP_RELAY_FENCE || head.size != sizeof left_out)
            return at;
        memcpy(&left_out, data + here, sizeof left_out);
        if (left_out || !write_round(t, head.after))
            return at;
        t->reached = head.before;
        return here + head.size;
    }
    return at;
}

static PyObject *
tell_rounds(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer data;
    Py_ssize_t at;
    unsigned long long reached;
    teller *t = PyMem_Malloc(sizeof *t);
    if (t == NULL)
        return PyErr_NoMemory();
    *t = (teller){.fd = -1};
    PyObject *made = NULL;
    if (PyArg_ParseTuple(args, "y*niO!O!K:tell_rounds", &data, &at, &t->fd, &PyDict_Type, &t->folders, &PyDict_Type, &t->own,
                         &reached)) {
        t->reached = reached;
        size_t from = at < 0 ? 0 : (size_t)at, size = (size_t)data.len;
        for (size_t end; from < size && (end = take_round(t, data.buf, from, size)) > from; from = end)
            ;
        if (!PyErr_Occurred())
            made = Py_BuildValue("nKk", (Py_ssize_t)from, (unsigned long long)t->reached, t->told);
        PyBuffer_Release(&data);
    }
    PyMem_Free(t);
    return made;
}

static PyMethodDef tell_methods[] = {
    {"tell_rounds", tell_rounds, METH_VARARGS,
     "tell_rounds(data, at, fd, folders, own, reached) -> (at, reached, told): rounds written as facts, up to an unusual one."},
    {NULL, NULL, 0, NULL},
};

int
fp_bind_tell(PyObject *module)
{
    return PyModule_AddFunctions(module, tell_methods);
}
