/* What an event is to a RowMaker. */
#include "bind_rows.h"

#include <stdlib.h>
#include <string.h>

int
fp_take_row_text(fp_row_text *text, const char *from, Py_ssize_t length)
{
    text->data = malloc((size_t)length + 1);
    if (text->data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(text->data, from, (size_t)length);
    text->length = (size_t)length;
    return 0;
}

/* A field as batch.py describes it, or None. */
static int
take_field(PyObject *given, bool scalar, fp_field *field)
{
    PyObject *name;
    unsigned kind, shape;
    int is_signed;
    if (given == Py_None)
        return 0;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a field must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(given, "OIIpIII", &name, &field->offset, &field->size, &is_signed, &kind, &field->element_bytes, &shape))
        return -1;
    uint32_t bytes = field->element_bytes;
    bool is_size = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    if (kind >= FP_KINDS || shape >= FP_SHAPES || !is_size || (scalar && (shape != FP_SCALAR || kind != FP_FIXED))) {
        PyErr_SetString(PyExc_ValueError, "no such field");
        return -1;
    }
    field->kind = (uint8_t)kind;
    field->shape = (uint8_t)shape;
    field->is_signed = is_signed;
    return 0;
}

static int
take_args(PyObject *args, fp_field *fields)
{
    PyObject *place, *field;
    for (Py_ssize_t at = 0; PyDict_Next(args, &at, &place, &field);) {
        size_t cell = PyLong_AsSize_t(place);
        if (!PyErr_Occurred() && cell >= FP_ROW_CELLS)
            PyErr_SetString(PyExc_IndexError, "no such cell");
        if (PyErr_Occurred() || take_field(field, true, &fields[cell]) < 0)
            return -1;
    }
    return 0;
}

static int
take_keys(PyObject *keys, fp_row_event *event)
{
    for (Py_ssize_t i = 0; i < PyList_Size(keys); i++) {
        if (event->keys_total == FP_HELD_KEYS) {
            PyErr_SetString(PyExc_ValueError, "no call has so many arguments");
            return -1;
        }
        if (take_field(PyList_GetItem(keys, i), true, &event->keys[event->keys_total++]) < 0)
            return -1;
    }
    if (event->flags_key <= event->keys_total)
        return 0;
    PyErr_SetString(PyExc_IndexError, "no such key");
    return -1;
}

PyObject *
fp_maker_event(MakerObject *self, PyObject *given)
{
    unsigned short id;
    unsigned char way;
    const char *name;
    Py_ssize_t length;
    Py_ssize_t flags_key;
    unsigned long long untold;
    PyObject *number, *ret, *text, *args, *keys;
    if (!PyArg_ParseTuple(given, "Hby#OOOO!O!nK:event", &id, &way, &name, &length, &number, &ret, &text, &PyDict_Type, &args,
                          &PyList_Type, &keys, &flags_key, &untold))
        return NULL;
    fp_row_event made = {.way = way, .has_text = text != Py_None, .flags_key = (size_t)flags_key, .untold = untold};
    if (way >= FP_ROW_WAYS) {
        PyErr_SetString(PyExc_ValueError, "no such way");
        return NULL;
    }
    if (take_field(number, true, &made.number) < 0 || take_field(ret, true, &made.ret) < 0 ||
        take_field(text, false, &made.text) < 0 || take_args(args, made.args) < 0 || take_keys(keys, &made) < 0 || fp_take_row_text(&made.name, name, length) < 0)
        return NULL;
    fp_row_event *event = fp_rows_event(&self->rows, id);
    if (event == NULL) {
        free(made.name.data);
        return PyErr_NoMemory();
    }
    free(event->name.data);
    *event = made;
    Py_RETURN_NONE;
}
