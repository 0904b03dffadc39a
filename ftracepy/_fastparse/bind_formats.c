/* Layout and event types, from plain tuples: what batch.py made of the kernel's format texts. */
#include <stdlib.h>

#include "bind_types.h"

static int
fault(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

static uint32_t
end_of(uint32_t so_far, uint32_t offset, uint32_t bytes)
{
    return offset + bytes > so_far ? offset + bytes : so_far;
}

static int
parse_layout(PyObject *given, fp_layout *layout)
{
    unsigned int page, commit, commit_bytes, data, type, flags, preempt, pid;
    int big;
    if (!PyArg_ParseTuple(given, "IIIIpIIII;layout", &page, &commit, &commit_bytes, &data, &big, &type, &flags, &preempt, &pid))
        return -1;
    if (commit_bytes != 4 && commit_bytes != 8)
        return fault("layout: commit is neither 4 nor 8 bytes wide");
    if (data > 4096 || page <= data || page > 1u << 30)
        return fault("layout: data lies outside the sub-buffer");
    if (commit > data || commit + commit_bytes > data || data < 8)
        return fault("layout: commit lies outside the header");
    if (type > 256 || flags > 256 || preempt > 256 || pid > 256)
        return fault("layout: a common field lies outside the record");
    uint32_t common = end_of(end_of(end_of(end_of(0, type, 2), flags, 1), preempt, 1), pid, 4);
    *layout = (fp_layout){page, commit, commit_bytes, data, type, flags, preempt, pid, common, big != 0};
    return 0;
}

static PyObject *
interned(PyObject *name)
{
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    return name;
}

static int
parse_field(PyObject *given, fp_event_type *type)
{
    PyObject *name;
    unsigned int offset, size, element, kind, shape;
    int is_signed;
    if (!PyArg_ParseTuple(given, "UIIpIII;field", &name, &offset, &size, &is_signed, &kind, &element, &shape))
        return -1;
    if (kind >= FP_KINDS || shape >= FP_SHAPES || element > 1u << 16)
        return fault("field: unknown kind or shape");
    if ((shape == FP_SCALAR || shape == FP_INTS) && element != 1 && element != 2 && element != 4 && element != 8)
        return fault("field: a number of neither 1, 2, 4 nor 8 bytes");
    type->fields[type->total] = (fp_field){offset, size, element, (uint8_t)kind, (uint8_t)shape, is_signed != 0};
    type->names[type->total++] = interned(name);
    return 0;
}

static int
parse_fields(PyObject *given, fp_event_type *type)
{
    Py_ssize_t n = PyTuple_Size(given);
    for (Py_ssize_t i = 0; i < n; i++)
        if (parse_field(PyTuple_GetItem(given, i), type) < 0)
            return -1;
    return 0;
}

static PyObject *
own_names(const fp_event_type *type)
{
    PyObject *keys = PyTuple_New((Py_ssize_t)type->own);
    for (size_t i = 0; keys != NULL && i < type->own; i++) {
        Py_INCREF(type->names[i]);
        PyTuple_SetItem(keys, (Py_ssize_t)i, type->names[i]);
    }
    return keys;
}

static void
fields_deinit(fp_event_type *type)
{
    for (size_t i = 0; i < type->total; i++)
        Py_XDECREF(type->names[i]);
    Py_XDECREF(type->keys);
    free(type->names);
    free(type->fields);
}

/* Fill in the fields; where that fails, `type` has none and an exception is set. */
static int
fields_init(fp_event_type *type, PyObject *own, PyObject *common)
{
    size_t total = (size_t)PyTuple_Size(own) + (size_t)PyTuple_Size(common);
    fp_event_type found = {.names = calloc(total + 1, sizeof *found.names), .fields = calloc(total + 1, sizeof *found.fields)};
    if (found.names == NULL || found.fields == NULL) {
        PyErr_NoMemory();
    } else if (parse_fields(own, &found) == 0) {
        found.own = found.total;
        found.keys = parse_fields(common, &found) == 0 ? own_names(&found) : NULL;
    }
    if (found.keys == NULL) {
        fields_deinit(&found);
        return -1;
    }
    Py_XDECREF(type->keys);
    type->keys = found.keys;
    type->names = found.names;
    type->fields = found.fields;
    type->own = found.own;
    type->total = found.total;
    return 0;
}

static int
parse_event(PyObject *given, FormatsObject *formats)
{
    unsigned int id;
    PyObject *system, *name, *own, *common;
    if (!PyArg_ParseTuple(given, "IUUOO!;event", &id, &system, &name, &own, &PyTuple_Type, &common))
        return -1;
    if (id > UINT16_MAX)
        return fault("event: an id is 16 bits wide");
    fp_event_type *type = &formats->types[formats->types_total++];
    type->system = interned(system);
    type->name = interned(name);
    type->id = PyLong_FromUnsignedLong(id);
    if (type->id == NULL)
        return -1;
    formats->by_id[id] = type;
    if (PyTuple_Check(own))
        return fields_init(type, own, common);
    Py_INCREF(own);
    type->late = own;
    type->keys = PyTuple_New(0);
    return type->keys != NULL ? 0 : -1;
}

/* Ask for the late fields; an event whose fields contradict themselves has none. */
static void
fetch_fields(fp_event_type *type)
{
    PyObject *own, *common, *late = type->late;
    Py_INCREF(late);
    PyObject *given = PyObject_CallNoArgs(late);
    Py_DECREF(late);
    if (type->late != NULL) { /* else another thread was here while that ran */
        Py_CLEAR(type->late);
        if (given != NULL && PyArg_ParseTuple(given, "O!O!;late fields", &PyTuple_Type, &own, &PyTuple_Type, &common))
            fields_init(type, own, common);
    }
    Py_XDECREF(given);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear();
    else if (PyErr_Occurred())
        PyErr_WriteUnraisable(type->name);
}

static int
parse_events(PyObject *given, FormatsObject *formats)
{
    Py_ssize_t n = PyList_Size(given);
    if (n < 0)
        return -1;
    formats->ids = UINT16_MAX + 1;
    formats->types = calloc((size_t)n + 1, sizeof *formats->types);
    formats->by_id = calloc(formats->ids, sizeof *formats->by_id);
    if (formats->types == NULL || formats->by_id == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (parse_event(PyList_GetItem(given, i), formats) < 0)
            return -1;
    return 0;
}

static int
name_attributes(FormatsObject *formats)
{
    static const char *const names[FP_ATTRIBUTES] = {[FP_ID] = "id", [FP_PID] = "pid", [FP_TS] = "ts", [FP_CPU] = "cpu"};
    for (size_t i = 0; i < FP_ATTRIBUTES; i++)
        if ((formats->attributes[i] = PyUnicode_InternFromString(names[i])) == NULL)
            return -1;
    return 0;
}

FormatsObject *
fp_formats_new(fp_state *state, PyObject *layout, PyObject *events)
{
    FormatsObject *formats = PyObject_New(FormatsObject, state->formats_type);
    if (formats == NULL)
        return NULL;
    formats->types = NULL;
    formats->by_id = NULL;
    formats->types_total = formats->ids = 0;
    formats->spare = NULL;
    formats->wanted = formats->spare_columns = NULL;
    formats->wish = 0;
    formats->counts = NULL;
    formats->spare_room = 0;
    for (size_t i = 0; i < FP_ATTRIBUTES; i++)
        formats->attributes[i] = NULL;
    if (parse_layout(layout, &formats->layout) < 0 || parse_events(events, formats) < 0 || name_attributes(formats) < 0) {
        Py_DECREF((PyObject *)formats);
        return NULL;
    }
    return formats;
}

static void
event_type_deinit(fp_event_type *type)
{
    Py_XDECREF(type->system);
    Py_XDECREF(type->name);
    Py_XDECREF(type->late);
    Py_XDECREF(type->id);
    fields_deinit(type);
}

static void
formats_dealloc(FormatsObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (size_t i = 0; i < self->types_total; i++)
        event_type_deinit(&self->types[i]);
    for (size_t i = 0; i < FP_ATTRIBUTES; i++)
        Py_XDECREF(self->attributes[i]);
    free(self->types);
    free(self->by_id);
    free(self->spare);
    fp_forget_wanted(self);
    free(self->counts);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

const fp_event_type *
fp_event_type_of(const FormatsObject *formats, uint16_t id)
{
    fp_event_type *type = id < formats->ids ? formats->by_id[id] : NULL;
    if (type != NULL && type->late != NULL)
        fetch_fields(type);
    return type;
}

const fp_field *
fp_find_field(const fp_event_type *type, PyObject *name)
{
    for (size_t i = 0; i < type->total; i++)
        if (type->names[i] == name)
            return &type->fields[i];
    if (!PyUnicode_Check(name))
        return NULL;
    for (size_t i = 0; i < type->total; i++)
        if (PyUnicode_Compare(type->names[i], name) == 0)
            return &type->fields[i];
    return NULL;
}

static PyType_Slot formats_slots[] = {
    {Py_tp_dealloc, formats_dealloc},
    {0, NULL},
};

PyType_Spec fp_formats_spec = {
    .name = "ftracepy._fastparse._core._Formats",
    .basicsize = sizeof(FormatsObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = formats_slots,
};
