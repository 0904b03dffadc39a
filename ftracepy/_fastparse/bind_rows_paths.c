/* Opens whose paths are told later: core/rows_paths.c as Python sees it, and Python as it is asked by it. */
#include "bind_rows.h"

#include "core/text_out.h"

PyObject *
fp_maker_failed(void)
{
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

static PyObject *
done(bool ok)
{
    return ok ? Py_NewRef(Py_None) : fp_maker_failed();
}

/* What the core knows itself is not asked. */
static bool
in_open(void *whom, int32_t tid, bool *answer)
{
    MakerObject *self = whom;
    const fp_row_task *task = fp_rows_task(&self->rows, tid, false);
    *answer = task != NULL && task->enter != 0;
    if (*answer || (task != NULL && task->known && !task->taken))
        return true;
    PyObject *said = PyObject_CallFunction(self->in_open, "i", (int)tid);
    int truth = said ? PyObject_IsTrue(said) : -1;
    Py_XDECREF(said);
    *answer = truth > 0;
    return truth >= 0;
}

static PyObject *
open_of(const fp_held *open)
{
    PyObject *keys = PyTuple_New((Py_ssize_t)open->keys_total);
    for (size_t i = 0; keys != NULL && i < open->keys_total; i++) {
        PyObject *key = PyLong_FromUnsignedLongLong(open->keys[i]);
        if (key == NULL || PyTuple_SetItem(keys, (Py_ssize_t)i, key) < 0)
            Py_CLEAR(keys);
    }
    if (keys == NULL)
        return NULL;
    const char *passed = open->has_passed ? (const char *)open->bytes + open->head_length : NULL;
    return Py_BuildValue("KKNy#", (unsigned long long)open->start, (unsigned long long)open->end, keys, passed,
                         (Py_ssize_t)open->passed_length);
}

static PyObject *
told_of(const fp_told *told)
{
    return Py_BuildValue("y#KKK", (const char *)told->path, (Py_ssize_t)told->length, (unsigned long long)told->when,
                         (unsigned long long)told->written, (unsigned long long)told->since);
}

static bool
append_new(PyObject *list, PyObject *item)
{
    bool ok = item != NULL && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return ok;
}

static bool
take_share(PyObject *said, size_t told_total, fp_share *share)
{
    int sure;
    if (!PyTuple_Check(said)) {
        PyErr_SetString(PyExc_TypeError, "a share must be a tuple");
        return false;
    }
    if (!PyArg_ParseTuple(said, "np", &share->told, &sure))
        return false;
    if (share->told >= (ptrdiff_t)told_total) {
        PyErr_SetString(PyExc_IndexError, "no such path was told");
        return false;
    }
    share->sure = sure;
    return true;
}

static bool
settle(void *whom, fp_held *const *opens, size_t opens_total, fp_told *const *told, size_t told_total, fp_share *shares)
{
    PyObject *asked = PyList_New(0), *paths = PyList_New(0), *said = NULL;
    bool ok = asked != NULL && paths != NULL;
    for (size_t i = 0; ok && i < opens_total; i++)
        ok = append_new(asked, open_of(opens[i]));
    for (size_t i = 0; ok && i < told_total; i++)
        ok = append_new(paths, told_of(told[i]));
    if (ok)
        ok = (said = PyObject_CallFunctionObjArgs(((MakerObject *)whom)->settle, asked, paths, NULL)) != NULL;
    if (ok && (!PyList_Check(said) || (size_t)PyList_Size(said) != opens_total)) {
        PyErr_SetString(PyExc_ValueError, "each open must have its share");
        ok = false;
    }
    for (size_t i = 0; ok && i < opens_total; i++)
        ok = take_share(PyList_GetItem(said, (Py_ssize_t)i), told_total, &shares[i]);
    Py_XDECREF(asked);
    Py_XDECREF(paths);
    Py_XDECREF(said);
    return ok;
}

static bool
tail(void *whom, const uint8_t *path, size_t length, unsigned by, fp_text_out *out)
{
    char *data;
    Py_ssize_t size;
    PyObject *said = PyObject_CallFunction(((MakerObject *)whom)->tail, "y#I", (const char *)path, (Py_ssize_t)length, by);
    bool ok = said != NULL && PyBytes_AsStringAndSize(said, &data, &size) == 0;
    if (ok)
        fp_out_bytes(out, data, (size_t)size);
    Py_XDECREF(said);
    return ok && !out->failed;
}

bool
fp_maker_can_ask(MakerObject *self)
{
    if (self->settle == NULL)
        PyErr_SetString(PyExc_ValueError, "nobody is there to be asked about paths");
    return self->settle != NULL;
}

PyObject *
fp_maker_asks(MakerObject *self, PyObject *args)
{
    PyObject *in_open_of, *settle_by, *tail_by;
    if (!PyArg_ParseTuple(args, "OOO:asks", &in_open_of, &settle_by, &tail_by))
        return NULL;
    PyObject *before[] = {self->in_open, self->settle, self->tail};
    self->in_open = Py_NewRef(in_open_of);
    self->settle = Py_NewRef(settle_by);
    self->tail = Py_NewRef(tail_by);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        Py_XDECREF(before[i]);
    self->rows.paths.rules = (fp_paths_rules){.whom = self, .in_open = in_open, .settle = settle};
    self->rows.tail = tail;
    Py_RETURN_NONE;
}

PyObject *
fp_maker_hold(MakerObject *self, PyObject *unused)
{
    (void)unused;
    return done(fp_paths_hold(&self->rows.paths, &(fp_to_hold){.kind = FP_HELD_ELSE}, false));
}

PyObject *
fp_maker_hold_open(MakerObject *self, PyObject *args)
{
    unsigned long long start, end;
    const char *passed;
    Py_ssize_t length;
    int tid;
    PyObject *given;
    uint64_t keys[FP_HELD_KEYS];
    if (!PyArg_ParseTuple(args, "iKKO!z#:hold_open", &tid, &start, &end, &PyTuple_Type, &given, &passed, &length))
        return NULL;
    Py_ssize_t total = PyTuple_Size(given);
    for (Py_ssize_t i = 0; i < total && i < FP_HELD_KEYS; i++)
        keys[i] = PyLong_AsUnsignedLongLongMask(PyTuple_GetItem(given, i));
    if (!PyErr_Occurred() && total > FP_HELD_KEYS)
        PyErr_SetString(PyExc_ValueError, "no call has so many arguments");
    if (PyErr_Occurred())
        return NULL;
    fp_to_hold held = {.kind = FP_HELD_ELSE_OPEN, .tid = tid, .start = start, .end = end, .keys = keys, .keys_total = (size_t)total,
                       .passed = (const uint8_t *)passed, .passed_length = (size_t)length};
    return done(fp_paths_hold(&self->rows.paths, &held, true));
}

PyObject *
fp_maker_tell(MakerObject *self, PyObject *args)
{
    unsigned long long when, written, since;
    const char *path;
    Py_ssize_t length;
    int tid;
    if (!PyArg_ParseTuple(args, "iKKKy#:tell", &tid, &when, &written, &since, &path, &length))
        return NULL;
    fp_told told = {.when = when, .written = written, .since = since, .length = (size_t)length};
    return done(fp_paths_tell(&self->rows.paths, tid, &told, (const uint8_t *)path));
}

PyObject *
fp_maker_caught_up(MakerObject *self, PyObject *args)
{
    unsigned long long when, now;
    if (!PyArg_ParseTuple(args, "KK:caught_up", &when, &now) || !fp_maker_can_ask(self))
        return NULL;
    return done(fp_paths_caught_up(&self->rows.paths, when, now));
}

PyObject *
fp_maker_give_up(MakerObject *self, PyObject *args)
{
    unsigned long long before;
    if (!PyArg_ParseTuple(args, "K:give_up", &before))
        return NULL;
    fp_paths_give_up(&self->rows.paths, before);
    Py_RETURN_NONE;
}

PyObject *
fp_maker_forget_paths(MakerObject *self, PyObject *unused)
{
    (void)unused;
    fp_paths_lost(&self->rows.paths);
    Py_RETURN_NONE;
}

PyObject *
fp_maker_waiting(MakerObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(fp_paths_waiting(&self->rows.paths));
}

/* What is Python's and first in the order, taken out of it. */
static PyObject *
head_of(fp_paths *paths)
{
    const fp_held *first = fp_paths_ready(paths);
    PyObject *head = NULL;
    if (first->kind == FP_HELD_ELSE)
        head = PyTuple_New(0);
    else
        head = Py_BuildValue("y#i", first->path ? (const char *)first->path->path : NULL,
                             (Py_ssize_t)(first->path ? first->path->length : 0), (int)first->sure);
    if (head != NULL)
        fp_paths_drop_first(paths);
    return head;
}

PyObject *
fp_maker_flush(MakerObject *self, PyObject *unused)
{
    (void)unused;
    fp_rows *rows = &self->rows;
    rows->out.used = 0;
    rows->out.failed = false;
    fp_rows_why why = fp_rows_flush(rows);
    if (why == FP_ROWS_FAILED)
        return fp_maker_failed();
    const char *lines = rows->out.data ? (const char *)rows->out.data : "";
    PyObject *head = why == FP_ROWS_HELD ? head_of(&rows->paths) : Py_NewRef(Py_None);
    return head == NULL ? NULL : Py_BuildValue("y#Ni", lines, (Py_ssize_t)rows->out.used, head, why == FP_ROWS_FULL);
}
