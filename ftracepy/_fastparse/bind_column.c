/* Columns: memory of ours, or the records of a batch seen with a stride, as memoryviews. */
#include <stdlib.h>

#include "bind_types.h"

typedef struct {
    PyObject_HEAD
    PyObject *owner;
    void *memory;
    const void *start;
    Py_ssize_t shape, stride, itemsize;
    char format[2];
} ColumnObject;

static Py_ssize_t
item_bytes(char format)
{
    switch (format) {
    case 'H':
        return 2;
    case 'i':
    case 'I':
        return 4;
    default:
        return 8;
    }
}

PyObject *
fp_column_view(fp_state *state, PyObject *owner, void *memory, const void *start, size_t n, size_t stride, char format)
{
    static const uint64_t nothing = 0;
    ColumnObject *column = PyObject_New(ColumnObject, state->column_type);
    if (column == NULL) {
        Py_XDECREF(owner);
        free(memory);
        return NULL;
    }
    column->owner = owner;
    column->memory = memory;
    column->start = n ? start : &nothing;
    column->shape = (Py_ssize_t)n;
    column->stride = (Py_ssize_t)stride;
    column->itemsize = item_bytes(format);
    column->format[0] = format;
    column->format[1] = '\0';
    PyObject *view = PyMemoryView_FromObject((PyObject *)column);
    Py_DECREF((PyObject *)column);
    return view;
}

static int
column_getbuffer(ColumnObject *self, Py_buffer *view, int flags)
{
    bool contiguous = self->stride == self->itemsize;
    view->obj = NULL;
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only");
        return -1;
    }
    bool must_be_contiguous = (flags & PyBUF_STRIDES) != PyBUF_STRIDES || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS ||
                              (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS ||
                              (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
    if (!contiguous && must_be_contiguous) {
        PyErr_SetString(PyExc_BufferError, "this column has gaps: take it as a memoryview, or copy it with tobytes()");
        return -1;
    }
    view->buf = (void *)self->start;
    view->len = self->shape * self->itemsize;
    view->readonly = 1;
    view->itemsize = self->itemsize;
    view->format = flags & PyBUF_FORMAT ? self->format : NULL;
    view->ndim = 1;
    view->shape = flags & PyBUF_ND ? &self->shape : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->stride : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    Py_INCREF((PyObject *)self);
    view->obj = (PyObject *)self;
    return 0;
}

static void
column_dealloc(ColumnObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->owner);
    free(self->memory);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

static PyType_Slot column_slots[] = {
    {Py_tp_dealloc, column_dealloc},
    {Py_bf_getbuffer, column_getbuffer},
    {0, NULL},
};

PyType_Spec fp_column_spec = {
    .name = "ftracepy._fastparse._core._Column",
    .basicsize = sizeof(ColumnObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = column_slots,
};
