/* Batch: merged records, their columns and lazy events. */
#include <stddef.h>
#include <stdlib.h>

#include "bind_types.h"

#include <structmember.h>

#define SPARE_WORTH 4096 /* records: smaller arrays come from malloc's own free lists */

typedef struct {
    PyObject_HEAD
    BatchObject *batch;
    fp_state *state; /* lives as long as our type */
    size_t at;
    PyObject *given[2]; /* the last events handed out: what nobody kept is handed out again, with another record */
} IteratorObject;

int
fp_batch_records(PyObject *batch, const fp_record **records, size_t *n)
{
    fp_state *state = fp_state_of(Py_TYPE(batch));
    if (state == NULL || Py_TYPE(batch) != state->batch_type) {
        PyErr_SetString(PyExc_TypeError, "a Batch of this module is needed");
        return -1;
    }
    *records = ((BatchObject *)batch)->out.records;
    *n = ((BatchObject *)batch)->out.n;
    return 0;
}

void
fp_batch_clear(BatchObject *batch)
{
    batch->formats = NULL;
    batch->out = (fp_output){0};
    batch->buffers = NULL;
    batch->buffers_total = 0;
    batch->until_ns = 0;
    batch->losses = batch->faults = NULL;
    batch->asked = 0;
    batch->index = (fp_index){0};
}

static void
give_back_records(BatchObject *self)
{
    FormatsObject *formats = self->formats;
    if (self->out.room < SPARE_WORTH || self->out.room <= formats->spare_room)
        return;
    free(formats->spare);
    formats->spare = self->out.records;
    formats->spare_room = self->out.room;
    self->out.records = NULL;
}

static void
batch_dealloc(BatchObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (size_t i = 0; i < self->buffers_total; i++)
        fp_buffer_release(self->buffers[i]);
    free(self->buffers);
    if (self->formats != NULL)
        give_back_records(self);
    fp_output_deinit(&self->out);
    fp_index_deinit(&self->index);
    Py_XDECREF((PyObject *)self->formats);
    Py_XDECREF(self->losses);
    Py_XDECREF(self->faults);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

static Py_ssize_t
batch_length(BatchObject *self)
{
    return (Py_ssize_t)self->out.n;
}

static PyObject *
batch_item(BatchObject *self, Py_ssize_t at)
{
    if (at < 0 || (size_t)at >= self->out.n) {
        PyErr_SetString(PyExc_IndexError, "no such event in this batch");
        return NULL;
    }
    return fp_event_new(fp_state_of(Py_TYPE((PyObject *)self)), (PyObject *)self, self->formats, &self->out.records[at]);
}

static PyObject *
batch_iter(BatchObject *self)
{
    fp_state *state = fp_state_of(Py_TYPE((PyObject *)self));
    IteratorObject *iterator = PyObject_New(IteratorObject, state->iterator_type);
    if (iterator == NULL)
        return NULL;
    Py_INCREF((PyObject *)self);
    iterator->batch = self;
    iterator->state = state;
    iterator->at = 0;
    iterator->given[0] = iterator->given[1] = NULL;
    return (PyObject *)iterator;
}

static PyObject *
iterator_next(IteratorObject *self)
{
    BatchObject *batch = self->batch;
    if (self->at >= batch->out.n)
        return NULL;
    PyObject **given = &self->given[self->at & 1]; /* a loop's variable still holds the other one */
    const fp_record *record = &batch->out.records[self->at++];
    if (*given != NULL && Py_REFCNT(*given) == 1) {
        ((EventObject *)*given)->record = *record;
        return Py_NewRef(*given);
    }
    PyObject *event = fp_event_new(self->state, (PyObject *)batch, batch->formats, record);
    Py_XDECREF(*given);
    *given = event;
    return Py_XNewRef(event);
}

static void
iterator_dealloc(IteratorObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->given[0]);
    Py_XDECREF(self->given[1]);
    Py_DECREF((PyObject *)self->batch);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

static PyObject *
header_column(BatchObject *self, size_t offset, char format)
{
    Py_INCREF((PyObject *)self);
    const char *start = (const char *)self->out.records + (self->out.n ? offset : 0);
    return fp_column_view(fp_state_of(Py_TYPE((PyObject *)self)), (PyObject *)self, NULL, start, self->out.n, sizeof(fp_record), format);
}

static PyObject *
batch_ts(BatchObject *self, void *Py_UNUSED(closure))
{
    return header_column(self, offsetof(fp_record, ts), 'Q');
}

static PyObject *
batch_cpu(BatchObject *self, void *Py_UNUSED(closure))
{
    return header_column(self, offsetof(fp_record, cpu), 'H');
}

static PyObject *
batch_id(BatchObject *self, void *Py_UNUSED(closure))
{
    return header_column(self, offsetof(fp_record, id), 'H');
}

static PyObject *
batch_pid(BatchObject *self, void *Py_UNUSED(closure))
{
    return header_column(self, offsetof(fp_record, pid), 'i');
}

static PyMemberDef batch_members[] = {
    {"losses", T_OBJECT_EX, offsetof(BatchObject, losses), READONLY, "(index, cpu, count): lost on that CPU before batch[index]; -1 = unknown"},
    {"faults", T_OBJECT_EX, offsetof(BatchObject, faults), READONLY, "(cpu, offset_bytes, reason): the rest of that sub-buffer was skipped"},
    {"until_ns", T_ULONGLONG, offsetof(BatchObject, until_ns), READONLY, "all fed events older than this have been handed out"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef batch_getset[] = {
    {"ts", (getter)batch_ts, NULL, "raw time stamps ('Q')", NULL},
    {"cpu", (getter)batch_cpu, NULL, "CPUs ('H')", NULL},
    {"id", (getter)batch_id, NULL, "common_type of each event ('H')", NULL},
    {"pid", (getter)batch_pid, NULL, "common_pid of each event ('i')", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef batch_methods[] = {
    {"column", fp_batch_column, METH_VARARGS,
     "column(id, field): (indices 'I', values 'q' or 'Q') of a number field, for the events of that id."},
    {"select", (PyCFunction)(void (*)(void))fp_batch_select, METH_VARARGS | METH_KEYWORDS,
     "select(*, cpus=None, ids=None, pids=None, since_ns=0, until_ns=2**64-1): the chosen events as a batch of their own."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_doc, "Events of all CPUs in time order, with what was lost and what could not be read."},
    {Py_tp_iter, batch_iter},
    {Py_tp_members, batch_members},
    {Py_tp_getset, batch_getset},
    {Py_tp_methods, batch_methods},
    {Py_sq_length, batch_length},
    {Py_sq_item, batch_item},
    {0, NULL},
};

PyType_Spec fp_batch_spec = {
    .name = "ftracepy._fastparse._core.Batch",
    .basicsize = sizeof(BatchObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = batch_slots,
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {0, NULL},
};

PyType_Spec fp_iterator_spec = {
    .name = "ftracepy._fastparse._core._BatchIterator",
    .basicsize = sizeof(IteratorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = iterator_slots,
};
