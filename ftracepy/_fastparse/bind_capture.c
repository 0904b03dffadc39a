/* Capture and Slice: the capture thread of core/capture.c as Python sees it. */
#include "bind.h"

#include <errno.h>

#include "core/capture.h"

enum { TAKE_BYTES = 8 << 20 }; /* rounds that wait are handed over together, up to this much */

typedef struct {
    PyObject_HEAD
    fp_arena *arena;
    uint8_t *data;
    Py_ssize_t size;
} SliceObject;

typedef struct {
    PyObject_HEAD
    fp_capture *capture;
    PyTypeObject *slice_type;
} CaptureObject;

static void
free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static void
slice_dealloc(PyObject *self)
{
    SliceObject *slice = (SliceObject *)self;
    if (slice->arena != NULL)
        fp_arena_unref(slice->arena);
    free_object(self);
}

static int
slice_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    SliceObject *slice = (SliceObject *)self;
    return PyBuffer_FillInfo(view, self, slice->data, slice->size, 1, flags);
}

static PyType_Slot slice_slots[] = {
    {Py_tp_doc, "What a view from Capture.take() looks at: memory that the capture thread has filled and never touches again."},
    {Py_tp_dealloc, slice_dealloc},
    {Py_bf_getbuffer, slice_getbuffer},
    {0, NULL},
};

static PyType_Spec slice_spec = {
    .name = "ftracepy._fastparse._core.Slice",
    .basicsize = sizeof(SliceObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slice_slots,
};

/* A memoryview of the slice's bytes, which keeps them. */
static PyObject *
slice_of(CaptureObject *self, const fp_slice *from)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(self->slice_type, Py_tp_alloc);
    SliceObject *slice = (SliceObject *)alloc(self->slice_type, 0);
    if (slice == NULL)
        return NULL;
    fp_arena_ref(from->arena);
    slice->arena = from->arena;
    slice->data = from->data;
    slice->size = (Py_ssize_t)from->size;
    PyObject *view = PyMemoryView_FromObject((PyObject *)slice);
    Py_DECREF(slice);
    return view;
}

/* A sequence of file descriptors as a new array; *count of them. NULL with an exception set. */
static int *
fds_of(PyObject *sequence, size_t *count)
{
    Py_ssize_t size = PySequence_Size(sequence);
    if (size < 0)
        return NULL;
    int *fds = PyMem_Malloc(((size_t)size + 1) * sizeof *fds);
    if (fds == NULL)
        return (int *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        fds[i] = item == NULL ? -1 : (int)PyLong_AsLong(item);
        Py_XDECREF(item);
        if (PyErr_Occurred()) {
            PyMem_Free(fds);
            return NULL;
        }
    }
    *count = (size_t)size;
    return fds;
}

static int
setup_from(fp_capture_setup *setup, PyObject *args, PyObject *kwargs, PyObject **pipes, PyObject **stats)
{
    static char *names[] = {"pipes",       "page_bytes",  "clock_id",    "stats_fds",   "margin_ns",
                            "budget_bytes", "queue_bytes", "pace_min_ns", "pace_max_ns", NULL};
    Py_ssize_t page_bytes, budget, queue;
    int clock_id;
    unsigned long long margin, pace_min, pace_max;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OniOKnnKK:Capture", names, pipes, &page_bytes, &clock_id, stats, &margin,
                                     &budget, &queue, &pace_min, &pace_max))
        return -1;
    if (page_bytes < 64 || budget < page_bytes || queue < page_bytes) {
        PyErr_SetString(PyExc_ValueError, "page_bytes, budget_bytes and queue_bytes must each hold at least a page");
        return -1;
    }
    setup->page_bytes = (size_t)page_bytes;
    setup->budget_bytes = (size_t)budget;
    setup->queue_bytes = (size_t)queue;
    setup->pace_min_ns = pace_min;
    setup->pace_max_ns = pace_max;
    setup->clock.clock_id = (clockid_t)clock_id;
    setup->clock.margin_ns = margin;
    return 0;
}

static PyObject *
capture_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    fp_capture_setup setup = {0};
    PyObject *pipes, *stats;
    if (setup_from(&setup, args, kwargs, &pipes, &stats) < 0)
        return NULL;
    int *pipe_fds = fds_of(pipes, &setup.count);
    if (pipe_fds == NULL)
        return NULL;
    int *stats_fds = fds_of(stats, &setup.clock.cpus);
    PyObject *slice_type = stats_fds ? PyObject_GetAttrString((PyObject *)type, "Slice") : NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    CaptureObject *self = slice_type ? (CaptureObject *)alloc(type, 0) : NULL;
    if (self != NULL) {
        self->slice_type = (PyTypeObject *)slice_type;
        setup.pipes = pipe_fds;
        setup.clock.stats_fds = setup.clock.cpus ? stats_fds : NULL;
        self->capture = fp_capture_new(&setup);
        if (self->capture == NULL) {
            PyErr_SetFromErrno(PyExc_OSError);
            Py_CLEAR(self);
        }
    } else {
        Py_XDECREF(slice_type);
    }
    PyMem_Free(stats_fds);
    PyMem_Free(pipe_fds);
    return (PyObject *)self;
}

static void
release_capture(CaptureObject *self)
{
    fp_capture *capture = self->capture;
    self->capture = NULL;
    Py_BEGIN_ALLOW_THREADS
    fp_capture_free(capture);
    Py_END_ALLOW_THREADS
}

static void
capture_dealloc(PyObject *self)
{
    release_capture((CaptureObject *)self);
    Py_XDECREF((PyObject *)((CaptureObject *)self)->slice_type);
    free_object(self);
}

static fp_capture *
open_capture(PyObject *self)
{
    fp_capture *capture = ((CaptureObject *)self)->capture;
    if (capture == NULL)
        PyErr_SetString(PyExc_ValueError, "the capture is closed");
    return capture;
}

static PyObject *
capture_start(PyObject *self, PyObject *unused)
{
    (void)unused;
    fp_capture *capture = open_capture(self);
    if (capture == NULL)
        return NULL;
    errno = fp_capture_start(capture);
    return errno ? PyErr_SetFromErrno(PyExc_OSError) : Py_NewRef(Py_None);
}

static PyObject *
capture_finish(PyObject *self, PyObject *bounded)
{
    int is_bounded = PyObject_IsTrue(bounded);
    if (is_bounded < 0)
        return NULL;
    fp_capture *capture = ((CaptureObject *)self)->capture;
    if (capture != NULL)
        fp_capture_finish(capture, is_bounded);
    Py_RETURN_NONE;
}

static PyObject *
capture_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    release_capture((CaptureObject *)self);
    Py_RETURN_NONE;
}

/* Append a new reference and give it up, also when it or the list is NULL. */
static int
append_new(PyObject *list, PyObject *item)
{
    int done = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return done;
}

static int
add_round(CaptureObject *self, const fp_round *round, PyObject *pieces, PyObject *faults)
{
    for (size_t i = 0; i < round->count; i++) {
        const fp_slice *slice = &round->slices[i];
        if (append_new(pieces, Py_BuildValue("(IN)", (unsigned)slice->pipe, slice_of(self, slice))) < 0)
            return -1;
    }
    for (size_t i = 0; i < round->fault_count; i++)
        if (append_new(faults, Py_BuildValue("(Ii)", (unsigned)round->faults[i].pipe, round->faults[i].error)) < 0)
            return -1;
    return 0;
}

static PyObject *
capture_take(PyObject *self, PyObject *unused)
{
    (void)unused;
    fp_capture *capture = open_capture(self);
    fp_round *round = capture ? fp_capture_take(capture) : NULL;
    if (round == NULL)
        return capture ? Py_NewRef(Py_None) : NULL;
    PyObject *pieces = PyList_New(0), *faults = PyList_New(0);
    size_t bytes = 0;
    uint64_t until = 0;
    int last = 0, failed = pieces == NULL || faults == NULL;
    while (round != NULL) {
        failed = failed || add_round((CaptureObject *)self, round, pieces, faults) < 0;
        bytes += round->bytes;
        until = round->until;
        last = round->last;
        fp_round_free(round);
        round = failed || bytes >= TAKE_BYTES ? NULL : fp_capture_take(capture);
    }
    if (failed) {
        Py_XDECREF(pieces);
        Py_XDECREF(faults);
        return NULL;
    }
    return Py_BuildValue("(NKNN)", pieces, (unsigned long long)until, PyBool_FromLong(last), faults);
}

static PyObject *
capture_ready_fd(PyObject *self, void *unused)
{
    (void)unused;
    fp_capture *capture = open_capture(self);
    return capture ? PyLong_FromLong(fp_capture_ready_fd(capture)) : NULL;
}

static PyMethodDef capture_methods[] = {
    {"start", capture_start, METH_NOARGS, "Start the thread. Raises OSError."},
    {"take", capture_take, METH_NOARGS, "What was captured: (pieces, until, last, faults), or None where nothing waits."},
    {"finish", capture_finish, METH_O, "Drain, then end; if `bounded`, what is there now. Any thread may ask."},
    {"close", capture_close, METH_NOARGS, "End the thread at once; pages handed out stay valid."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef capture_getset[] = {
    {"ready_fd", capture_ready_fd, NULL, "Readable while rounds wait to be taken.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot capture_slots[] = {
    {Py_tp_doc, "A thread that reads sub-buffers from each of `pipes` without the interpreter; see core/capture.h."},
    {Py_tp_new, capture_new},
    {Py_tp_dealloc, capture_dealloc},
    {Py_tp_methods, capture_methods},
    {Py_tp_getset, capture_getset},
    {0, NULL},
};

static PyType_Spec capture_spec = {
    .name = "ftracepy._fastparse._core.Capture",
    .basicsize = sizeof(CaptureObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = capture_slots,
};

int
fp_bind_capture(PyObject *module)
{
    PyObject *slice = PyType_FromModuleAndSpec(module, &slice_spec, NULL);
    PyObject *capture = slice ? PyType_FromModuleAndSpec(module, &capture_spec, NULL) : NULL;
    int done = capture ? PyObject_SetAttrString(capture, "Slice", slice) : -1;
    if (done == 0)
        done = PyModule_AddType(module, (PyTypeObject *)capture);
    Py_XDECREF(slice);
    Py_XDECREF(capture);
    return done;
}
