/* Decoder: buffers are fed per CPU, batches come out; the work is done without the GIL. */
#include <stdlib.h>

#include "bind_types.h"

void
fp_buffer_release(fp_buffer *buffer)
{
    if (--buffer->refs > 0)
        return;
    PyBuffer_Release(&buffer->view);
    free(buffer);
}

void
fp_decoder_lock(DecoderObject *self)
{
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static int
compare_cpus(const void *left, const void *right)
{
    return ((const fp_stream *)left)->cpu - ((const fp_stream *)right)->cpu;
}

static int
init_streams(DecoderObject *self, PyObject *cpus)
{
    Py_ssize_t n = PySequence_Size(cpus);
    if (n < 0)
        return -1;
    self->streams = calloc((size_t)n + 1, sizeof *self->streams);
    self->heap = calloc((size_t)n + 1, sizeof *self->heap);
    if (self->streams == NULL || self->heap == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(cpus, i);
        long cpu = item != NULL ? PyLong_AsLong(item) : -1;
        Py_XDECREF(item);
        if (cpu == -1 && PyErr_Occurred())
            return -1;
        if (cpu < 0 || cpu > UINT16_MAX) {
            PyErr_SetString(PyExc_ValueError, "a CPU number is 0 to 65535");
            return -1;
        }
        self->streams[self->streams_total++].cpu = (uint16_t)cpu;
    }
    qsort(self->streams, self->streams_total, sizeof *self->streams, compare_cpus);
    return 0;
}

static PyObject *
decoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"layout", "events", "cpus", NULL};
    PyObject *layout, *events, *cpus;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O:Decoder", names, &PyTuple_Type, &layout, &PyList_Type, &events, &cpus))
        return NULL;
    DecoderObject *self = PyObject_New(DecoderObject, type);
    if (self == NULL)
        return NULL;
    self->streams = NULL;
    self->heap = NULL;
    self->streams_total = self->queued_bytes = 0;
    self->lock = PyThread_allocate_lock();
    self->formats = fp_formats_new(fp_state_of(type), layout, events);
    if (self->lock == NULL)
        PyErr_NoMemory();
    if (self->lock == NULL || self->formats == NULL || init_streams(self, cpus) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
release_chunks(DecoderObject *self, fp_chunk *chunk)
{
    while (chunk != NULL) {
        fp_chunk *next = chunk->next;
        self->queued_bytes -= chunk->bytes;
        fp_buffer_release((fp_buffer *)chunk);
        chunk = next;
    }
}

void
fp_decoder_release(DecoderObject *self)
{
    for (size_t i = 0; i < self->streams_total; i++)
        release_chunks(self, fp_stream_finished(&self->streams[i]));
}

static void
decoder_dealloc(DecoderObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (size_t i = 0; i < self->streams_total; i++)
        release_chunks(self, self->streams[i].first);
    free(self->streams);
    free(self->heap);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    Py_XDECREF((PyObject *)self->formats);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

int
fp_parse_u64(PyObject *given, void *value)
{
    unsigned long long number = PyLong_AsUnsignedLongLong(given);
    if (number == (unsigned long long)-1 && PyErr_Occurred())
        return 0;
    *(unsigned long long *)value = number;
    return 1;
}

static fp_stream *
find_stream(DecoderObject *self, int cpu)
{
    fp_stream wanted = {.cpu = (uint16_t)cpu};
    if (cpu >= 0 && cpu <= UINT16_MAX) {
        fp_stream *found = bsearch(&wanted, self->streams, self->streams_total, sizeof wanted, compare_cpus);
        if (found != NULL)
            return found;
    }
    PyErr_Format(PyExc_ValueError, "CPU %d is not one of this decoder's", cpu);
    return NULL;
}

static PyObject *
decoder_feed(DecoderObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"cpu", "data", "offset_bytes", NULL};
    int cpu;
    PyObject *data;
    unsigned long long offset = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO|O&:feed", names, &cpu, &data, fp_parse_u64, &offset))
        return NULL;
    fp_stream *stream = find_stream(self, cpu);
    if (stream == NULL)
        return NULL;
    fp_buffer *buffer = malloc(sizeof *buffer);
    if (buffer == NULL)
        return PyErr_NoMemory();
    if (PyObject_GetBuffer(data, &buffer->view, PyBUF_SIMPLE) < 0) {
        free(buffer);
        return NULL;
    }
    buffer->refs = 1;
    buffer->chunk = (fp_chunk){NULL, buffer->view.buf, (size_t)buffer->view.len, offset};
    fp_decoder_lock(self);
    fp_stream_feed(stream, &buffer->chunk);
    self->queued_bytes += buffer->chunk.bytes;
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static BatchObject *
new_batch(DecoderObject *self)
{
    BatchObject *batch = PyObject_New(BatchObject, fp_state_of(Py_TYPE((PyObject *)self))->batch_type);
    if (batch == NULL)
        return NULL;
    fp_batch_clear(batch);
    Py_INCREF((PyObject *)self->formats);
    batch->formats = self->formats;
    return batch;
}

/* A guess at the room needed: events are mostly 24 to 60 bytes long. */
static void
take_room(DecoderObject *self, fp_output *out, size_t most)
{
    FormatsObject *formats = self->formats;
    size_t guess = self->queued_bytes / 24 + 16;
    out->most = most;
    if (guess > most)
        guess = most;
    if (formats->spare_room >= guess && formats->spare_room <= most && guess * 8 >= formats->spare_room) {
        out->records = formats->spare;
        out->room = formats->spare_room;
        formats->spare = NULL;
        formats->spare_room = 0;
        return;
    }
    out->records = malloc(guess * sizeof *out->records);
    out->room = out->records != NULL ? guess : 0;
}

/* The chunks from `first` to `now` of a stream that handed out records; counted only where `into` is NULL. */
static size_t
used_buffers(const fp_stream *stream, fp_buffer **into)
{
    size_t n = 0;
    for (fp_chunk *chunk = stream->used ? stream->first : NULL; chunk != NULL; chunk = chunk == stream->now ? NULL : chunk->next) {
        if (into != NULL) {
            into[n] = (fp_buffer *)chunk;
            into[n]->refs++;
        }
        n++;
    }
    return n;
}

static int
hold_buffers(DecoderObject *self, BatchObject *batch)
{
    size_t n = 0;
    if (batch->out.n == 0)
        return 0;
    for (size_t i = 0; i < self->streams_total; i++)
        n += used_buffers(&self->streams[i], NULL);
    batch->buffers = malloc((n + 1) * sizeof *batch->buffers);
    if (batch->buffers == NULL)
        return -1;
    for (size_t i = 0; i < self->streams_total; i++)
        batch->buffers_total += used_buffers(&self->streams[i], batch->buffers + batch->buffers_total);
    return 0;
}

static int
finish_batch(DecoderObject *self, BatchObject *batch, bool complete, unsigned long long until_ns)
{
    const fp_output *out = &batch->out;
    bool held = hold_buffers(self, batch) == 0;
    if (!held)
        batch->out.n = 0;
    fp_decoder_release(self);
    if (!held || out->no_memory) {
        PyErr_NoMemory();
        return -1;
    }
    batch->until_ns = complete ? until_ns : out->records[out->n - 1].ts;
    batch->losses = fp_losses_list(out);
    batch->faults = fp_faults_list(out);
    return batch->losses != NULL && batch->faults != NULL ? 0 : -1;
}

static PyObject *
decoder_batch(DecoderObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"until_ns", "max_events", NULL};
    unsigned long long until_ns = UINT64_MAX;
    Py_ssize_t most = 65536;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O&n:batch", names, fp_parse_u64, &until_ns, &most))
        return NULL;
    if (most < 1 || (uint64_t)most > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "max_events is 1 to 4294967295");
        return NULL;
    }
    BatchObject *batch = new_batch(self);
    if (batch == NULL)
        return NULL;
    bool complete = true;
    fp_decoder_lock(self);
    take_room(self, &batch->out, (size_t)most);
    Py_BEGIN_ALLOW_THREADS
    uint64_t last = until_ns == UINT64_MAX ? UINT64_MAX : until_ns - 1;
    if (until_ns > 0)
        complete = fp_merge(self->streams, self->streams_total, &self->formats->layout, last, self->heap, &batch->out);
    Py_END_ALLOW_THREADS
    if (finish_batch(self, batch, complete, until_ns) < 0)
        Py_CLEAR(batch);
    PyThread_release_lock(self->lock);
    return (PyObject *)batch;
}

static PyMethodDef decoder_methods[] = {
    {"feed", (PyCFunction)(void (*)(void))decoder_feed, METH_VARARGS | METH_KEYWORDS,
     "feed(cpu, data, offset_bytes=0): queue whole sub-buffers of a CPU; the buffer is kept, not copied."},
    {"batch", (PyCFunction)(void (*)(void))decoder_batch, METH_VARARGS | METH_KEYWORDS,
     "batch(until_ns=2**64-1, max_events=65536): what is queued and older than until_ns, in time order."},
    {"want", (PyCFunction)(void (*)(void))fp_decoder_want, METH_VARARGS | METH_KEYWORDS,
     "want(fields, only=False): what columns() gives from now on: {id: names of number fields}; events of other ids too, or not."},
    {"columns", (PyCFunction)(void (*)(void))fp_decoder_columns, METH_VARARGS | METH_KEYWORDS,
     "columns(until_ns=2**64-1, max_events=65536): as batch(), but what is wanted alone, as columns and nothing else."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot decoder_slots[] = {
    {Py_tp_new, decoder_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_doc, "Decoder(layout, events, cpus): sub-buffers of one instance to batches of events."},
    {Py_tp_methods, decoder_methods},
    {0, NULL},
};

PyType_Spec fp_decoder_spec = {
    .name = "ftracepy._fastparse._core.Decoder",
    .basicsize = sizeof(DecoderObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = decoder_slots,
};
