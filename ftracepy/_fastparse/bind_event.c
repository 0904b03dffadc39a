/* Event: points at its record and decodes a field when asked. */
#include <stddef.h>

#include "bind_types.h"

#include <structmember.h>

PyObject *
fp_event_new(fp_state *state, PyObject *owner, FormatsObject *formats, const fp_record *record)
{
    EventObject *event = PyObject_New(EventObject, state->event_type);
    if (event == NULL)
        return NULL;
    Py_INCREF(owner);
    Py_INCREF((PyObject *)formats);
    event->owner = owner;
    event->formats = formats;
    event->record = *record;
    return (PyObject *)event;
}

int
fp_event_record(PyObject *event, const fp_record **record)
{
    fp_state *state = fp_state_of(Py_TYPE(event));
    if (state == NULL || Py_TYPE(event) != state->event_type) {
        PyErr_SetString(PyExc_TypeError, "an Event of this module is needed");
        return -1;
    }
    *record = &((EventObject *)event)->record;
    return 0;
}

static void
event_dealloc(EventObject *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_DECREF(self->owner);
    Py_DECREF((PyObject *)self->formats);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

static PyObject *
number_value(const fp_field *field, uint64_t value)
{
    if (field->is_signed || (int64_t)value >= 0) /* the quicker of the two */
        return PyLong_FromLongLong((int64_t)value);
    return PyLong_FromUnsignedLongLong(value);
}

static PyObject *
numbers_value(const fp_field *field, const uint8_t *at, size_t bytes, bool big_endian)
{
    Py_ssize_t n = (Py_ssize_t)(bytes / field->element_bytes);
    PyObject *values = PyTuple_New(n);
    for (Py_ssize_t i = 0; values != NULL && i < n; i++, at += field->element_bytes) {
        PyObject *value = number_value(field, fp_load_number(at, field->element_bytes, field->is_signed, big_endian));
        if (value == NULL)
            Py_CLEAR(values);
        else
            PyTuple_SetItem(values, i, value);
    }
    return values;
}

static PyObject *
field_value(const EventObject *self, const fp_field *field)
{
    bool big = self->formats->layout.big_endian;
    size_t bytes;
    if (field->shape == FP_SCALAR)
        return number_value(field, fp_field_number(field, &self->record, big));
    const uint8_t *at = fp_field_bytes(field, &self->record, big, &bytes);
    if (field->shape == FP_INTS)
        return numbers_value(field, at, bytes, big);
    if (field->shape == FP_BYTES)
        return PyBytes_FromStringAndSize((const char *)at, (Py_ssize_t)bytes);
    const uint8_t *nul = bytes ? memchr(at, 0, bytes) : NULL;
    return PyUnicode_DecodeUTF8((const char *)at, nul != NULL ? nul - at : (Py_ssize_t)bytes, "backslashreplace");
}

static const fp_field *
find(const EventObject *self, PyObject *name)
{
    const fp_event_type *type = self->formats->by_id[self->record.id];
    for (size_t i = 0; type != NULL && i < type->total; i++) /* literals in code are interned, as these are */
        if (type->names[i] == name)
            return &type->fields[i];
    type = fp_event_type_of(self->formats, self->record.id);
    return type != NULL ? fp_find_field(type, name) : NULL;
}

static PyObject *
event_subscript(EventObject *self, PyObject *name)
{
    const fp_field *field = find(self, name);
    if (field != NULL)
        return field_value(self, field);
    PyErr_SetObject(PyExc_KeyError, name);
    return NULL;
}

static int
event_contains(EventObject *self, PyObject *name)
{
    return find(self, name) != NULL;
}

static PyObject *
event_get(EventObject *self, PyObject *args)
{
    PyObject *name, *otherwise = Py_None;
    if (!PyArg_ParseTuple(args, "O|O:get", &name, &otherwise))
        return NULL;
    const fp_field *field = find(self, name);
    if (field != NULL)
        return field_value(self, field);
    Py_INCREF(otherwise);
    return otherwise;
}

static PyObject *
event_memory(EventObject *self, PyObject *name)
{
    const fp_field *field = find(self, name);
    size_t bytes = 0;
    const uint8_t *at = field != NULL ? fp_field_bytes(field, &self->record, self->formats->layout.big_endian, &bytes) : NULL;
    return PyBytes_FromStringAndSize((const char *)at, (Py_ssize_t)bytes);
}

static PyObject *
event_keys(EventObject *self, PyObject *Py_UNUSED(ignored))
{
    const fp_event_type *type = fp_event_type_of(self->formats, self->record.id);
    if (type == NULL)
        return PyTuple_New(0);
    Py_INCREF(type->keys);
    return type->keys;
}

static PyObject *
event_raw(EventObject *self, void *Py_UNUSED(closure))
{
    return PyBytes_FromStringAndSize((const char *)self->record.data, (Py_ssize_t)self->record.length);
}

static PyObject *
event_keep(EventObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *copy = event_raw(self, NULL);
    fp_state *state = fp_state_of(Py_TYPE((PyObject *)self));
    if (copy == NULL || state == NULL) {
        Py_XDECREF(copy);
        return NULL;
    }
    fp_record record = self->record;
    record.data = (const uint8_t *)PyBytes_AsString(copy);
    PyObject *kept = fp_event_new(state, copy, self->formats, &record);
    Py_DECREF(copy);
    return kept;
}

static PyObject *
event_name(EventObject *self, void *Py_UNUSED(closure))
{
    const fp_event_type *type = fp_event_type_of(self->formats, self->record.id);
    if (type == NULL)
        return PyUnicode_InternFromString("");
    Py_INCREF(type->name);
    return type->name;
}

static PyObject *
event_system(EventObject *self, void *Py_UNUSED(closure))
{
    const fp_event_type *type = fp_event_type_of(self->formats, self->record.id);
    if (type == NULL)
        return PyUnicode_InternFromString("");
    Py_INCREF(type->system);
    return type->system;
}

static PyObject *
event_flags(EventObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(self->record.data[self->formats->layout.flags_offset]);
}

static PyObject *
event_preempt_count(EventObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(self->record.data[self->formats->layout.preempt_offset]);
}

/* The attributes that loops ask for: found by their interned names, at half of what a member's descriptor costs. */
static PyObject *
event_getattro(PyObject *object, PyObject *name)
{
    const EventObject *self = (const EventObject *)object;
    const FormatsObject *formats = self->formats;
    if (name == formats->attributes[FP_PID])
        return PyLong_FromLong(self->record.pid);
    if (name == formats->attributes[FP_TS])
        return PyLong_FromUnsignedLongLong(self->record.ts);
    if (name == formats->attributes[FP_CPU])
        return PyLong_FromLong(self->record.cpu);
    const fp_event_type *type = name == formats->attributes[FP_ID] ? formats->by_id[self->record.id] : NULL;
    if (type == NULL)
        return PyObject_GenericGetAttr(object, name);
    return Py_NewRef(type->id);
}

static PyObject *
event_repr(EventObject *self)
{
    const fp_event_type *type = fp_event_type_of(self->formats, self->record.id);
    if (type == NULL)
        return PyUnicode_FromFormat("<Event of unknown id %d cpu=%d pid=%d ts=%llu>", (int)self->record.id, (int)self->record.cpu,
                                    (int)self->record.pid, (unsigned long long)self->record.ts);
    return PyUnicode_FromFormat("<Event %U:%U cpu=%d pid=%d ts=%llu>", type->system, type->name, (int)self->record.cpu,
                                (int)self->record.pid, (unsigned long long)self->record.ts);
}

static PyMemberDef event_members[] = {
    {"ts", T_ULONGLONG, offsetof(EventObject, record.ts), READONLY, "raw time stamp, in the trace clock's unit"},
    {"cpu", T_USHORT, offsetof(EventObject, record.cpu), READONLY, "the CPU that wrote it"},
    {"pid", T_INT, offsetof(EventObject, record.pid), READONLY, "common_pid: the thread"},
    {"id", T_USHORT, offsetof(EventObject, record.id), READONLY, "common_type"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef event_getset[] = {
    {"system", (getter)event_system, NULL, "the event's system; \"\" for an id without a format", NULL},
    {"name", (getter)event_name, NULL, "the event's name; \"\" for an id without a format", NULL},
    {"flags", (getter)event_flags, NULL, "common_flags", NULL},
    {"preempt_count", (getter)event_preempt_count, NULL, "common_preempt_count", NULL},
    {"raw", (getter)event_raw, NULL, "the whole record, from its common fields on", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef event_methods[] = {
    {"get", (PyCFunction)event_get, METH_VARARGS, "get(field, default=None): the field's value, or the default."},
    {"memory", (PyCFunction)event_memory, METH_O, "memory(field): the field's bytes as they lie in the record; b\"\" if there is none."},
    {"keys", (PyCFunction)event_keys, METH_NOARGS, "keys(): the names of the event's own fields."},
    {"keep", (PyCFunction)event_keep, METH_NOARGS, "keep(): the same event on a copy of its record, free of the batch and its pages."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_doc, "One event: attributes of its header, event[field] for what the format names."},
    {Py_tp_repr, event_repr},
    {Py_tp_getattro, event_getattro},
    {Py_tp_members, event_members},
    {Py_tp_getset, event_getset},
    {Py_tp_methods, event_methods},
    {Py_mp_subscript, event_subscript},
    {Py_sq_contains, event_contains},
    {0, NULL},
};

PyType_Spec fp_event_spec = {
    .name = "ftracepy._fastparse._core.Event",
    .basicsize = sizeof(EventObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = event_slots,
};
