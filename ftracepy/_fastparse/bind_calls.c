/* CallCounter: core/calls.c as Python sees it. */
#include "bind_types.h"
#include "core/calls.h"

typedef struct {
    PyObject_HEAD
    fp_calls calls;
} CounterObject;

static void
counter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    fp_calls_deinit(&((CounterObject *)self)->calls);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* An event id that is one; -1 with an exception set otherwise. */
static Py_ssize_t
as_id(PyObject *number)
{
    Py_ssize_t id = PyLong_AsSsize_t(number);
    if (!PyErr_Occurred() && (id < 0 || id > UINT16_MAX))
        PyErr_Format(PyExc_ValueError, "%zd is no event id", id);
    return PyErr_Occurred() ? -1 : id;
}

/* A dict of event ids to keys. */
static int
take_keys(fp_calls *calls, PyObject *keys, uint8_t way)
{
    PyObject *id, *key;
    for (Py_ssize_t at = 0; PyDict_Next(keys, &at, &id, &key);) {
        Py_ssize_t number = as_id(id);
        int64_t value = number < 0 ? 0 : PyLong_AsLongLong(key);
        if (PyErr_Occurred())
            return -1;
        calls->events[number].way = way;
        calls->events[number].key = value;
    }
    return 0;
}

static int
take_handled(fp_calls *calls, PyObject *ids)
{
    PyObject *list = PySequence_List(ids);
    for (Py_ssize_t i = 0; list != NULL && i < PyList_Size(list); i++) {
        Py_ssize_t id = as_id(PyList_GetItem(list, i));
        if (id < 0)
            break;
        calls->events[id].handled = true;
    }
    Py_XDECREF(list);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
counter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"raw_enter", "raw_exit", "enters", "exits", "handled", NULL};
    int raw_enter, raw_exit;
    PyObject *enters, *exits, *handled;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiO!O!O:CallCounter", names, &raw_enter, &raw_exit, &PyDict_Type, &enters,
                                     &PyDict_Type, &exits, &handled))
        return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    CounterObject *self = (CounterObject *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    fp_calls *calls = &self->calls;
    bool made = fp_calls_init(calls, UINT16_MAX + 1);
    if (!made)
        PyErr_NoMemory();
    if (!made || take_keys(calls, enters, FP_ENTER) < 0 || take_keys(calls, exits, FP_EXIT) < 0 || take_handled(calls, handled) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    if (raw_enter >= 0 && raw_enter <= UINT16_MAX)
        calls->events[raw_enter].way = FP_RAW_ENTER;
    if (raw_exit >= 0 && raw_exit <= UINT16_MAX)
        calls->events[raw_exit].way = FP_RAW_EXIT;
    return (PyObject *)self;
}

static bool
find_number(const fp_event_type *type, const char *name, fp_field *found)
{
    PyObject *word = PyUnicode_InternFromString(name);
    const fp_field *field = word != NULL && type != NULL ? fp_find_field(type, word) : NULL;
    Py_XDECREF(word);
    bool is_number = field != NULL && field->shape == FP_SCALAR;
    if (is_number)
        *found = *field;
    return is_number;
}

/* Find the fields of the events that are there; one that lacks a number it should have counts for nothing. */
static void
resolve(fp_calls *calls, const BatchObject *batch, size_t start, size_t stop)
{
    for (size_t at = start; at < stop; at++) {
        uint16_t id = batch->out.records[at].id;
        fp_call_event *event = &calls->events[id];
        if (event->resolved || event->way == FP_NO_CALL)
            continue;
        event->resolved = true;
        const fp_event_type *type = fp_event_type_of(batch->formats, id);
        bool whole = event->way < FP_RAW_ENTER || find_number(type, "id", &event->nr);
        if (event->way == FP_EXIT || event->way == FP_RAW_EXIT)
            whole = find_number(type, "ret", &event->ret) && whole;
        if (!whole)
            event->way = FP_NO_CALL;
    }
}

static PyObject *
counter_count(CounterObject *self, PyObject *args)
{
    PyObject *given;
    Py_ssize_t start, stop;
    int raw;
    const fp_record *records;
    size_t n;
    bool no_memory = false;
    if (!PyArg_ParseTuple(args, "Onnp:count", &given, &start, &stop, &raw) || fp_batch_records(given, &records, &n) < 0)
        return NULL;
    if (start < 0 || stop < start || (size_t)stop > n) {
        PyErr_SetString(PyExc_IndexError, "no such events in this batch");
        return NULL;
    }
    BatchObject *batch = (BatchObject *)given;
    resolve(&self->calls, batch, (size_t)start, (size_t)stop);
    if (PyErr_Occurred())
        return NULL;
    bool big_endian = batch->formats->layout.big_endian;
    size_t at = fp_calls_count(&self->calls, records, (size_t)start, (size_t)stop, raw, big_endian, &no_memory);
    return no_memory ? PyErr_NoMemory() : PyLong_FromSize_t(at);
}

static PyObject *
counter_leave_out(CounterObject *self, PyObject *tids)
{
    PyObject *list = PySequence_List(tids);
    for (Py_ssize_t i = 0; list != NULL && i < PyList_Size(list); i++) {
        long tid = PyLong_AsLong(PyList_GetItem(list, i));
        fp_caller *caller = PyErr_Occurred() ? NULL : fp_calls_caller(&self->calls, (int32_t)tid, true);
        if (caller == NULL)
            break;
        caller->own = true;
    }
    Py_XDECREF(list);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
counter_tids(CounterObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *tids = PyList_New(0);
    for (size_t i = 0; tids != NULL && i < self->calls.callers_room; i++) {
        const fp_caller *caller = &self->calls.callers[i];
        PyObject *tid = caller->used && caller->tallies_total ? PyLong_FromLong(caller->tid) : NULL;
        if (tid != NULL && PyList_Append(tids, tid) < 0)
            Py_CLEAR(tids);
        Py_XDECREF(tid);
    }
    return PyErr_Occurred() ? NULL : tids;
}

static PyObject *
counter_take(CounterObject *self, PyObject *args)
{
    int tid;
    if (!PyArg_ParseTuple(args, "i:take", &tid))
        return NULL;
    fp_caller *caller = fp_calls_caller(&self->calls, tid, false);
    Py_ssize_t total = caller != NULL ? (Py_ssize_t)caller->tallies_total : 0;
    PyObject *rows = PyList_New(total);
    for (Py_ssize_t i = 0; rows != NULL && i < total; i++) {
        const fp_tally *tally = &caller->tallies[i];
        PyObject *row = Py_BuildValue("LKKKK", (long long)tally->key, (unsigned long long)tally->calls,
                                      (unsigned long long)tally->errors, (unsigned long long)tally->total,
                                      (unsigned long long)tally->longest);
        if (row == NULL)
            Py_CLEAR(rows);
        else
            PyList_SetItem(rows, i, row);
    }
    if (rows != NULL && caller != NULL)
        fp_caller_clear(caller);
    return rows;
}

static PyObject *
counter_lost(CounterObject *self, PyObject *Py_UNUSED(ignored))
{
    fp_calls_lost(&self->calls);
    Py_RETURN_NONE;
}

static PyObject *
counter_trim(CounterObject *self, PyObject *Py_UNUSED(ignored))
{
    fp_calls_trim(&self->calls);
    Py_RETURN_NONE;
}

static PyMethodDef counter_methods[] = {
    {"count", (PyCFunction)counter_count, METH_VARARGS,
     "count(batch, start, stop, raw): count these events; how far it came: to `stop`, or to one that somebody else handles."},
    {"leave_out", (PyCFunction)counter_leave_out, METH_O, "leave_out(tids): count these threads' calls no more."},
    {"tids", (PyCFunction)counter_tids, METH_NOARGS, "tids(): the threads that have tallies."},
    {"take", (PyCFunction)counter_take, METH_VARARGS, "take(tid): (key, calls, errors, total, longest) of each call; forgotten here."},
    {"lost", (PyCFunction)counter_lost, METH_NOARGS, "lost(): which calls are open is not known any more."},
    {"trim", (PyCFunction)counter_trim, METH_NOARGS, "trim(): give up the places of threads of which nothing is kept."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot counter_slots[] = {
    {Py_tp_new, counter_new},
    {Py_tp_dealloc, counter_dealloc},
    {Py_tp_methods, counter_methods},
    {Py_tp_doc, "System calls counted and timed by thread; see _core.pyi."},
    {0, NULL},
};

static PyType_Spec counter_spec = {
    .name = "ftracepy._fastparse._core.CallCounter",
    .basicsize = sizeof(CounterObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = counter_slots,
};

int
fp_bind_calls(PyObject *module)
{
    PyObject *counter = PyType_FromModuleAndSpec(module, &counter_spec, NULL);
    int done = counter ? PyModule_AddType(module, (PyTypeObject *)counter) : -1;
    Py_XDECREF(counter);
    return done;
}
