/* Batch.select: a smaller batch over the same pages. */
#include <stdlib.h>

#include "bind_types.h"
#include "core/select.h"

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* None, or any iterable of ints: a sorted array in `list`, to be freed. 0, or -1 with an exception set. */
static int
parse_numbers(PyObject *given, int64_t **list, size_t *n)
{
    *list = NULL;
    *n = 0;
    if (given == Py_None)
        return 0;
    PyObject *items = PySequence_List(given);
    if (items == NULL)
        return -1;
    Py_ssize_t total = PyList_Size(items);
    *list = malloc(((size_t)total + 1) * sizeof **list);
    if (*list == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; *list != NULL && i < total && !PyErr_Occurred(); i++)
        (*list)[(*n)++] = PyLong_AsLongLong(PyList_GetItem(items, i));
    Py_DECREF(items);
    if (PyErr_Occurred())
        return -1;
    qsort(*list, *n, sizeof **list, compare);
    return 0;
}

static BatchObject *
same_pages(BatchObject *self)
{
    BatchObject *batch = PyObject_New(BatchObject, Py_TYPE((PyObject *)self));
    if (batch == NULL)
        return NULL;
    fp_batch_clear(batch);
    Py_INCREF((PyObject *)self->formats);
    Py_XINCREF(self->faults);
    batch->formats = self->formats;
    batch->until_ns = self->until_ns;
    batch->faults = self->faults;
    batch->buffers = malloc((self->buffers_total + 1) * sizeof *batch->buffers);
    if (batch->buffers == NULL) {
        PyErr_NoMemory();
        Py_CLEAR(batch);
        return NULL;
    }
    for (size_t i = 0; i < self->buffers_total; i++) {
        batch->buffers[i] = self->buffers[i];
        batch->buffers[i]->refs++;
    }
    batch->buffers_total = self->buffers_total;
    return batch;
}

static PyObject *
chosen(BatchObject *self, const fp_choice *choice)
{
    BatchObject *batch = same_pages(self);
    if (batch == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    fp_select(&self->out, choice, &batch->out);
    Py_END_ALLOW_THREADS
    if (batch->out.no_memory)
        PyErr_NoMemory();
    else
        batch->losses = fp_losses_list(&batch->out);
    if (batch->losses == NULL)
        Py_CLEAR(batch);
    return (PyObject *)batch;
}

PyObject *
fp_batch_select(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"cpus", "ids", "pids", "since_ns", "until_ns", NULL};
    PyObject *cpus = Py_None, *ids = Py_None, *pids = Py_None;
    unsigned long long since = 0, until = UINT64_MAX;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO&O&:select", names, &cpus, &ids, &pids, fp_parse_u64, &since, fp_parse_u64, &until))
        return NULL;
    int64_t *lists[3] = {NULL, NULL, NULL};
    size_t n[3] = {0, 0, 0};
    PyObject *result = NULL;
    if (parse_numbers(cpus, &lists[0], &n[0]) == 0 && parse_numbers(ids, &lists[1], &n[1]) == 0
        && parse_numbers(pids, &lists[2], &n[2]) == 0)
        result = chosen((BatchObject *)self, &(fp_choice){lists[0], lists[1], lists[2], n[0], n[1], n[2], since, until});
    for (int i = 0; i < 3; i++)
        free(lists[i]);
    return result;
}
