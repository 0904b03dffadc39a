/* Batch.column: one field of all events of an id, as numbers. */
#include <stdlib.h>
#include <string.h>

#include "bind_types.h"

enum { SEARCHES = 2 };

const fp_field *
fp_number_field(const FormatsObject *formats, Py_ssize_t id, PyObject *name)
{
    const fp_event_type *type = id >= 0 && id <= UINT16_MAX ? fp_event_type_of(formats, (uint16_t)id) : NULL;
    const fp_field *field = type != NULL ? fp_find_field(type, name) : NULL;
    if (field == NULL) {
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    if (field->shape != FP_SCALAR) {
        PyErr_Format(PyExc_TypeError, "field %R is not a single number", name);
        return NULL;
    }
    return field;
}

/* Takes over both arrays; NULL, with an exception set, where one of them is missing. */
static PyObject *
column_pair(BatchObject *self, uint32_t *indices, uint64_t *values, size_t n, char format)
{
    if (indices == NULL || values == NULL) {
        free(indices);
        free(values);
        return PyErr_NoMemory();
    }
    fp_state *state = fp_state_of(Py_TYPE((PyObject *)self));
    PyObject *left = fp_column_view(state, NULL, indices, indices, n, sizeof *indices, 'I');
    PyObject *right = fp_column_view(state, NULL, values, values, n, sizeof *values, format);
    PyObject *pair = left != NULL && right != NULL ? PyTuple_Pack(2, left, right) : NULL;
    Py_XDECREF(left);
    Py_XDECREF(right);
    return pair;
}

/* Memory of a column that holds `used` of `room` items, given back where it is more than the column is worth. */
static void *
fitted(void *memory, size_t room, size_t used, size_t item)
{
    void *less = used < room / 2 ? realloc(memory, (used + 1) * item) : NULL;
    return less != NULL ? less : memory;
}

/* Every record is looked at; without the GIL. */
static PyObject *
searched_column(BatchObject *self, const fp_field *field, uint16_t id)
{
    size_t n = self->out.n, found = 0;
    uint32_t *indices;
    uint64_t *values;
    Py_BEGIN_ALLOW_THREADS
    indices = malloc((n + 1) * sizeof *indices);
    values = malloc((n + 1) * sizeof *values);
    if (indices != NULL && values != NULL) {
        found = fp_field_column(field, id, self->out.records, n, self->formats->layout.big_endian, indices, values);
        indices = fitted(indices, n, found, sizeof *indices);
        values = fitted(values, n, found, sizeof *values);
    }
    Py_END_ALLOW_THREADS
    return column_pair(self, indices, values, found, field->is_signed ? 'q' : 'Q');
}

static int
make_index(BatchObject *self)
{
    FormatsObject *formats = self->formats;
    if (formats->counts == NULL)
        formats->counts = calloc(UINT16_MAX + 1, sizeof *formats->counts);
    if (formats->counts != NULL && fp_index_init(&self->index, self->out.records, self->out.n, formats->counts))
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* Only this id's records are looked at: for a batch that many columns are made of. */
static PyObject *
indexed_column(BatchObject *self, const fp_field *field, uint16_t id)
{
    if (self->index.order == NULL && make_index(self) < 0)
        return NULL;
    const fp_group *group = fp_index_find(&self->index, id);
    size_t n = group != NULL ? group->total : 0;
    uint32_t *indices = malloc((n + 1) * sizeof *indices);
    uint64_t *values = malloc((n + 1) * sizeof *values);
    if (indices != NULL && values != NULL && n > 0) {
        memcpy(indices, self->index.order + group->start, n * sizeof *indices);
        fp_field_values(field, self->out.records, indices, n, self->formats->layout.big_endian, values);
    }
    return column_pair(self, indices, values, n, field->is_signed ? 'q' : 'Q');
}

PyObject *
fp_batch_column(PyObject *batch, PyObject *args)
{
    BatchObject *self = (BatchObject *)batch;
    Py_ssize_t id;
    PyObject *name;
    if (!PyArg_ParseTuple(args, "nU:column", &id, &name))
        return NULL;
    const fp_field *field = fp_number_field(self->formats, id, name);
    if (field == NULL)
        return NULL;
    return self->asked++ < SEARCHES ? searched_column(self, field, (uint16_t)id) : indexed_column(self, field, (uint16_t)id);
}
