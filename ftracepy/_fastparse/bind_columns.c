/* ColumnBatch: what Decoder.columns gives, numbers and no events. */
#include <stddef.h>
#include <stdlib.h>

#include "bind_types.h"

#include <structmember.h>

#define LEAST_BYTES 12 /* of an event: its header and common fields */

typedef struct {
    PyObject_HEAD
    FormatsObject *formats;
    fp_columns *columns;
    unsigned long wish;
    size_t n;
    unsigned long long until_ns;
    PyObject *losses, *faults;
} ColumnBatchObject;

static void
free_columns(fp_columns *columns)
{
    if (columns != NULL)
        fp_columns_deinit(columns);
    free(columns);
}

void
fp_forget_wanted(FormatsObject *formats)
{
    free_columns(formats->wanted);
    free_columns(formats->spare_columns);
    formats->wanted = formats->spare_columns = NULL;
    formats->wish++;
}

static int
choose_field(FormatsObject *formats, fp_columns *columns, Py_ssize_t id, PyObject *name)
{
    const fp_field *field = fp_number_field(formats, id, name);
    if (field == NULL)
        return -1;
    fp_type_rows *type = fp_columns_choose(columns, (uint16_t)id);
    if (type != NULL && fp_columns_choose_field(type, field))
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* An id and an iterable of names. */
static int
choose_type(FormatsObject *formats, fp_columns *columns, PyObject *item)
{
    PyObject *key, *names;
    if (!PyArg_ParseTuple(item, "OO:want", &key, &names))
        return -1;
    Py_ssize_t id = PyNumber_AsSsize_t(key, PyExc_OverflowError);
    if (id == -1 && PyErr_Occurred())
        return -1;
    if (id < 0 || id > UINT16_MAX) {
        PyErr_SetObject(PyExc_KeyError, key);
        return -1;
    }
    PyObject *list = PySequence_List(names);
    int done = list != NULL ? 0 : -1;
    if (done == 0 && fp_columns_choose(columns, (uint16_t)id) == NULL) {
        PyErr_NoMemory();
        done = -1;
    }
    for (Py_ssize_t i = 0; done == 0 && i < PyList_Size(list); i++)
        done = choose_field(formats, columns, id, PyList_GetItem(list, i));
    Py_XDECREF(list);
    return done;
}

PyObject *
fp_decoder_want(PyObject *decoder, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"fields", "only", NULL};
    FormatsObject *formats = ((DecoderObject *)decoder)->formats;
    PyObject *fields;
    int only = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:want", keywords, &fields, &only))
        return NULL;
    PyObject *items = PyMapping_Items(fields);
    if (items == NULL)
        return NULL;
    fp_columns *columns = calloc(1, sizeof *columns);
    int done = columns != NULL && fp_columns_init(columns, &formats->layout, only) ? 0 : -1;
    if (done < 0)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; done == 0 && i < PyList_Size(items); i++)
        done = choose_type(formats, columns, PyList_GetItem(items, i));
    Py_DECREF(items);
    if (done < 0) {
        free_columns(columns);
        return NULL;
    }
    fp_forget_wanted(formats);
    formats->wanted = columns;
    Py_RETURN_NONE;
}

/* Memory for what is wanted: that of a batch that is gone, or new. NULL without memory. */
static fp_columns *
take_columns(FormatsObject *formats)
{
    fp_columns *columns = formats->spare_columns;
    formats->spare_columns = NULL;
    if (columns != NULL)
        return columns;
    columns = calloc(1, sizeof *columns);
    if (columns != NULL && fp_columns_like(columns, formats->wanted, &formats->layout))
        return columns;
    free_columns(columns);
    return NULL;
}

static ColumnBatchObject *
new_batch(DecoderObject *decoder)
{
    FormatsObject *formats = decoder->formats;
    ColumnBatchObject *batch = PyObject_New(ColumnBatchObject, fp_state_of(Py_TYPE((PyObject *)decoder))->columns_type);
    if (batch == NULL)
        return NULL;
    Py_INCREF((PyObject *)formats);
    batch->formats = formats;
    batch->columns = take_columns(formats);
    batch->wish = formats->wish;
    batch->n = 0;
    batch->until_ns = 0;
    batch->losses = batch->faults = NULL;
    if (batch->columns != NULL)
        return batch;
    Py_DECREF((PyObject *)batch);
    PyErr_NoMemory();
    return NULL;
}

static bool
merge(DecoderObject *decoder, unsigned long long until_ns, fp_output *out)
{
    uint64_t last = until_ns == UINT64_MAX ? UINT64_MAX : until_ns - 1;
    bool complete = until_ns == 0 || fp_merge(decoder->streams, decoder->streams_total, &decoder->formats->layout, last, decoder->heap, out);
    fp_columns_settle(out->columns, out->n);
    return complete;
}

static int
fill(DecoderObject *decoder, ColumnBatchObject *batch, unsigned long long until_ns, size_t most)
{
    size_t enough = decoder->queued_bytes / LEAST_BYTES + decoder->streams_total;
    fp_output out = {.columns = batch->columns, .most = most};
    bool complete = true;
    Py_BEGIN_ALLOW_THREADS
    fp_columns_reserve(out.columns, enough < most ? enough + 1 : most); /* where that fails, it grows as far as it can */
    out.room = out.columns->room < most ? out.columns->room : most;
    complete = merge(decoder, until_ns, &out);
    Py_END_ALLOW_THREADS
    fp_decoder_release(decoder);
    batch->n = out.n;
    batch->until_ns = complete ? until_ns : out.n ? out.columns->ts[out.n - 1] : 0;
    batch->losses = fp_losses_list(&out);
    batch->faults = fp_faults_list(&out);
    bool no_memory = out.no_memory;
    out.columns = NULL;
    fp_output_deinit(&out);
    if (no_memory)
        PyErr_NoMemory();
    return !no_memory && batch->losses != NULL && batch->faults != NULL ? 0 : -1;
}

PyObject *
fp_decoder_columns(PyObject *decoder, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"until_ns", "max_events", NULL};
    DecoderObject *self = (DecoderObject *)decoder;
    unsigned long long until_ns = UINT64_MAX;
    Py_ssize_t most = 65536;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O&n:columns", names, fp_parse_u64, &until_ns, &most))
        return NULL;
    if (most < 1 || (uint64_t)most > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "max_events is 1 to 4294967295");
        return NULL;
    }
    if (self->formats->wanted == NULL) {
        PyErr_SetString(PyExc_ValueError, "want() says what columns() gives");
        return NULL;
    }
    fp_decoder_lock(self);
    ColumnBatchObject *batch = new_batch(self);
    if (batch != NULL && fill(self, batch, until_ns, (size_t)most) < 0)
        Py_CLEAR(batch);
    PyThread_release_lock(self->lock);
    return (PyObject *)batch;
}

static void
batch_dealloc(ColumnBatchObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    FormatsObject *formats = self->formats;
    if (self->columns != NULL && self->wish == formats->wish && formats->spare_columns == NULL) {
        fp_columns_clear(self->columns);
        formats->spare_columns = self->columns;
    } else {
        free_columns(self->columns);
    }
    Py_DECREF((PyObject *)formats);
    Py_XDECREF(self->losses);
    Py_XDECREF(self->faults);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

static Py_ssize_t
batch_length(ColumnBatchObject *self)
{
    return (Py_ssize_t)self->n;
}

static PyObject *
view(ColumnBatchObject *self, const void *start, size_t n, size_t stride, char format)
{
    Py_INCREF((PyObject *)self);
    return fp_column_view(fp_state_of(Py_TYPE((PyObject *)self)), (PyObject *)self, NULL, start, n, stride, format);
}

static PyObject *
batch_ts(ColumnBatchObject *self, void *Py_UNUSED(closure))
{
    return view(self, self->columns->ts, self->n, sizeof *self->columns->ts, 'Q');
}

static PyObject *
batch_cpu(ColumnBatchObject *self, void *Py_UNUSED(closure))
{
    return view(self, self->columns->cpu, self->n, sizeof *self->columns->cpu, 'H');
}

static PyObject *
batch_id(ColumnBatchObject *self, void *Py_UNUSED(closure))
{
    return view(self, &self->columns->common->id, self->n, sizeof *self->columns->common, 'H');
}

static PyObject *
batch_pid(ColumnBatchObject *self, void *Py_UNUSED(closure))
{
    return view(self, &self->columns->common->pid, self->n, sizeof *self->columns->common, 'i');
}

static PyObject *
batch_column(ColumnBatchObject *self, PyObject *args)
{
    Py_ssize_t id;
    PyObject *name;
    if (!PyArg_ParseTuple(args, "nU:column", &id, &name))
        return NULL;
    const fp_field *field = fp_number_field(self->formats, id, name);
    const fp_type_rows *type = field != NULL ? fp_columns_of(self->columns, (uint16_t)id) : NULL;
    for (size_t i = 0; type != NULL && i < type->total; i++) {
        if (type->columns[i].field != field)
            continue;
        PyObject *index = view(self, type->index, type->n, sizeof *type->index, 'I');
        PyObject *values = view(self, type->columns[i].values, type->n, sizeof(uint64_t), field->is_signed ? 'q' : 'Q');
        PyObject *pair = index != NULL && values != NULL ? PyTuple_Pack(2, index, values) : NULL;
        Py_XDECREF(index);
        Py_XDECREF(values);
        return pair;
    }
    if (!PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return NULL;
}

static PyMemberDef batch_members[] = {
    {"losses", T_OBJECT_EX, offsetof(ColumnBatchObject, losses), READONLY, "(index, cpu, count): lost on that CPU before row index; -1 = unknown"},
    {"faults", T_OBJECT_EX, offsetof(ColumnBatchObject, faults), READONLY, "(cpu, offset_bytes, reason): the rest of that sub-buffer was skipped"},
    {"until_ns", T_ULONGLONG, offsetof(ColumnBatchObject, until_ns), READONLY, "all fed events older than this have been handed out"},
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
    {"column", (PyCFunction)batch_column, METH_VARARGS, "column(id, field): (rows 'I', values 'q' or 'Q') of a field that was wanted."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_doc, "Columns of events of all CPUs in time order, with what was lost and what could not be read."},
    {Py_tp_members, batch_members},
    {Py_tp_getset, batch_getset},
    {Py_tp_methods, batch_methods},
    {Py_sq_length, batch_length},
    {0, NULL},
};

PyType_Spec fp_columns_spec = {
    .name = "ftracepy._fastparse._core.ColumnBatch",
    .basicsize = sizeof(ColumnBatchObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = batch_slots,
};
