/* RowMaker: core/rows.c as Python sees it. */
#include "bind_rows.h"

#include <string.h>

static int
maker_traverse(PyObject *object, visitproc visit, void *arg)
{
    MakerObject *self = (MakerObject *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->machine);
    Py_VISIT(self->in_open);
    Py_VISIT(self->settle);
    Py_VISIT(self->tail);
    return 0;
}

static int
maker_clear(PyObject *object)
{
    MakerObject *self = (MakerObject *)object;
    Py_CLEAR(self->in_open);
    Py_CLEAR(self->settle);
    Py_CLEAR(self->tail);
    return 0;
}

static void
maker_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    maker_clear(self);
    fp_rows_deinit(&((MakerObject *)self)->rows);
    Py_XDECREF(((MakerObject *)self)->machine);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int
take_cell(fp_rows *rows, PyObject *given)
{
    unsigned char kind, quote;
    const char *before, *none;
    Py_ssize_t before_length, none_length, width;
    int right;
    if (!PyArg_ParseTuple(given, "by#y#npb", &kind, &before, &before_length, &none, &none_length, &width, &right, &quote))
        return -1;
    if (kind >= FP_CELL_KINDS || width < 0 || width > FP_WIDEST || rows->cells_total == FP_ROW_CELLS) {
        PyErr_SetString(PyExc_ValueError, "no such cell");
        return -1;
    }
    if (rows->path_cell == rows->cells_total && kind != FP_CELL_PATH && kind != FP_CELL_PATH_BY)
        rows->path_cell++;
    fp_cell *cell = &rows->cells[rows->cells_total++];
    *cell = (fp_cell){.kind = kind, .quote = quote, .right = right, .width = (size_t)width};
    return fp_take_row_text(&cell->before, before, before_length) < 0 ? -1 : fp_take_row_text(&cell->none, none, none_length);
}

static int
take_cells(fp_rows *rows, PyObject *cells)
{
    for (Py_ssize_t i = 0; i < PyList_Size(cells); i++) {
        PyObject *cell = PyList_GetItem(cells, i);
        if (!PyTuple_Check(cell)) {
            PyErr_SetString(PyExc_TypeError, "a cell must be a tuple");
            return -1;
        }
        if (take_cell(rows, cell) < 0)
            return -1;
    }
    return 0;
}

static void
refuse(fp_rows *rows, const char *refused, Py_ssize_t length)
{
    for (unsigned byte = 0; byte < 256; byte++)
        rows->refused[byte] = byte < ' ' || byte > '~';
    for (Py_ssize_t i = 0; i < length; i++)
        rows->refused[(uint8_t)refused[i]] = true;
}

static PyObject *
maker_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *cells, *machine;
    const char *end, *refused;
    Py_ssize_t end_length, refused_length;
    unsigned long long mult;
    unsigned shift;
    long long offset;
    int big_endian, failed_only;
    if (!PyArg_ParseTuple(args, "O!y#y#(KIL)ppO:RowMaker", &PyList_Type, &cells, &end, &end_length, &refused, &refused_length, &mult,
                          &shift, &offset, &big_endian, &failed_only, &machine))
        return NULL;
    if (shift > 63) {
        PyErr_SetString(PyExc_ValueError, "no such shift");
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    MakerObject *self = (MakerObject *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    fp_rows *rows = &self->rows;
    bool made = fp_rows_init(rows);
    if (!made)
        PyErr_NoMemory();
    refuse(rows, refused, refused_length);
    rows->mult = mult;
    rows->shift = shift;
    rows->offset = offset;
    rows->big_endian = big_endian;
    rows->failed_only = failed_only;
    self->machine = Py_NewRef(machine);
    if (made && machine != Py_None)
        made = (rows->machine = fp_text_machine_of(machine, fp_state_of(type))) != NULL;
    if (!made || take_cells(rows, cells) < 0 || fp_take_row_text(&rows->end, end, end_length) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static PyObject *
maker_task(MakerObject *self, PyObject *args)
{
    int tid, pid, own, shown, nameless, taken;
    const char *comm;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "iiy#pppp:task", &tid, &pid, &comm, &length, &own, &shown, &nameless, &taken))
        return NULL;
    fp_row_task *task = fp_rows_task(&self->rows, tid, true);
    if (task == NULL)
        return PyErr_NoMemory();
    task->known = true;
    task->pid = pid;
    task->own = own;
    task->shown = shown;
    task->nameless = nameless;
    task->taken = taken;
    task->odd = length > FP_ROW_COMM || !fp_rows_plain(&self->rows, (const uint8_t *)comm, (size_t)length);
    task->comm_length = task->odd ? 0 : (uint8_t)length;
    memcpy(task->comm, comm, task->comm_length);
    Py_RETURN_NONE;
}

static PyObject *
maker_nobody(MakerObject *self, PyObject *args)
{
    if (!PyArg_ParseTuple(args, "i:nobody", &self->rows.nobody))
        return NULL;
    Py_RETURN_NONE;
}

/* Places in the batch, sorted; those that are none left out. */
static PyObject *
places_of(const fp_row_task *task)
{
    PyObject *list = PyList_New(0);
    const size_t places[] = {task->site, task->enter, task->note, task->copy};
    for (size_t i = 0; list != NULL && i < sizeof places / sizeof *places; i++) {
        PyObject *place = places[i] ? PyLong_FromSize_t(places[i] - 1) : NULL;
        if (place != NULL && PyList_Append(list, place) < 0)
            Py_CLEAR(list);
        Py_XDECREF(place);
    }
    if (list != NULL && (PyErr_Occurred() || PyList_Sort(list) < 0))
        Py_CLEAR(list);
    return list;
}

static PyObject *
maker_give(MakerObject *self, PyObject *args)
{
    int tid;
    if (!PyArg_ParseTuple(args, "i:give", &tid))
        return NULL;
    fp_row_task *task = fp_rows_task(&self->rows, tid, false);
    self->rows.nobody = 0;
    if (task == NULL)
        Py_RETURN_NONE;
    PyObject *places = places_of(task);
    if (places == NULL)
        return NULL;
    PyObject *given = Py_BuildValue("iLLN", (int)task->settled, (long long)task->nr, (long long)task->ret, places);
    if (given != NULL)
        *task = (fp_row_task){.tid = tid, .used = true};
    return given;
}

static PyObject *
maker_tids(MakerObject *self, PyObject *args)
{
    int all;
    if (!PyArg_ParseTuple(args, "p:tids", &all))
        return NULL;
    PyObject *tids = PyList_New(0);
    for (size_t i = 0; tids != NULL && i < self->rows.tasks_room; i++) {
        const fp_row_task *task = &self->rows.tasks[i];
        bool wanted = task->used && (task->enter || task->site || (all && (task->known || task->settled)));
        PyObject *tid = wanted ? PyLong_FromLong(task->tid) : NULL;
        if (tid != NULL && PyList_Append(tids, tid) < 0)
            Py_CLEAR(tids);
        Py_XDECREF(tid);
    }
    return tids != NULL && PyErr_Occurred() ? NULL : tids;
}

static PyObject *
maker_lost(MakerObject *self, PyObject *Py_UNUSED(ignored))
{
    memset(self->rows.tasks, 0, self->rows.tasks_room * sizeof *self->rows.tasks);
    self->rows.tasks_total = 0;
    self->rows.nobody = 0;
    Py_RETURN_NONE;
}

static PyObject *
maker_name(MakerObject *self, PyObject *args)
{
    Py_ssize_t cell, length;
    unsigned long long number;
    const char *text;
    if (!PyArg_ParseTuple(args, "nKy#:name", &cell, &number, &text, &length))
        return NULL;
    if (cell < 0 || (size_t)cell >= self->rows.cells_total) {
        PyErr_SetString(PyExc_IndexError, "no such cell");
        return NULL;
    }
    if (!fp_text_map_add(&self->rows.cells[cell].names, number, (const uint8_t *)text, (size_t)length))
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *
maker_copies_only(MakerObject *self, PyObject *args)
{
    int only, elsewhere;
    unsigned long long told_from;
    if (!PyArg_ParseTuple(args, "pKp:copies_only", &only, &told_from, &elsewhere) || (only && !fp_maker_can_ask(self)))
        return NULL;
    self->rows.copies_only = only;
    self->rows.told_from = told_from;
    self->rows.facts_elsewhere = elsewhere;
    Py_RETURN_NONE;
}

static PyObject *
maker_asked(MakerObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("nK", (Py_ssize_t)self->rows.asked_cell, (unsigned long long)self->rows.asked);
}

static PyObject *
maker_make(MakerObject *self, PyObject *args)
{
    PyObject *batch;
    Py_ssize_t start, stop;
    const fp_record *records;
    size_t n;
    fp_rows *rows = &self->rows;
    if (!PyArg_ParseTuple(args, "Onn:make", &batch, &start, &stop) || fp_batch_records(batch, &records, &n) < 0)
        return NULL;
    if (start < 0 || stop < start || (size_t)stop > n) {
        PyErr_SetString(PyExc_IndexError, "no such events in this batch");
        return NULL;
    }
    fp_rows_why why;
    rows->out.used = 0;
    rows->out.failed = false;
    size_t at = fp_rows_make(rows, records, (size_t)start, (size_t)stop, &why);
    if (why == FP_ROWS_FAILED)
        return fp_maker_failed();
    return Py_BuildValue("y#ni", rows->out.data ? (const char *)rows->out.data : "", (Py_ssize_t)rows->out.used, (Py_ssize_t)at,
                         (int)why);
}

static PyMethodDef maker_methods[] = {
    {"event", (PyCFunction)fp_maker_event, METH_VARARGS, "event(id, way, name, number, ret, text, args, keys, flags_key, untold): what an event is."},
    {"task", (PyCFunction)maker_task, METH_VARARGS, "task(tid, pid, comm, own, shown, nameless, taken): whose a thread is."},
    {"nobody", (PyCFunction)maker_nobody, METH_VARARGS, "nobody(tid): no thread has this number, till the next give() or lost()."},
    {"give", (PyCFunction)maker_give, METH_VARARGS, "give(tid) -> (settled, nr, ret, places) or None; forgotten here."},
    {"tids", (PyCFunction)maker_tids, METH_VARARGS, "tids(all): the threads in a call, or all of which something is known."},
    {"lost", (PyCFunction)maker_lost, METH_NOARGS, "Forget every thread."},
    {"name", (PyCFunction)maker_name, METH_VARARGS, "name(cell, number, text): what a number is called."},
    {"copies_only", (PyCFunction)maker_copies_only, METH_VARARGS, "copies_only(only, told_from, elsewhere): whether paths are told later."},
    {"asked", (PyCFunction)maker_asked, METH_NOARGS, "(cell, number): the name that make() stopped for."},
    {"make", (PyCFunction)maker_make, METH_VARARGS, "make(batch, start, stop) -> (rows, where it came to, why it stopped)."},
    {"asks", (PyCFunction)fp_maker_asks, METH_VARARGS, "asks(in_open, settle, tail): who knows what the core does not."},
    {"hold", (PyCFunction)fp_maker_hold, METH_NOARGS, "Keep a place in the order for something made elsewhere."},
    {"hold_open", (PyCFunction)fp_maker_hold_open, METH_VARARGS, "hold_open(tid, start, end, keys, passed): an open of elsewhere."},
    {"tell", (PyCFunction)fp_maker_tell, METH_VARARGS, "tell(tid, when, written, since, path): a path was told."},
    {"caught_up", (PyCFunction)fp_maker_caught_up, METH_VARARGS, "caught_up(when, now): all before `when` has been told."},
    {"give_up", (PyCFunction)fp_maker_give_up, METH_VARARGS, "give_up(before): wait no more for what ended until then."},
    {"forget_paths", (PyCFunction)fp_maker_forget_paths, METH_NOARGS, "Wait for nothing any more."},
    {"waiting", (PyCFunction)fp_maker_waiting, METH_NOARGS, "Whether anything is held back."},
    {"flush", (PyCFunction)fp_maker_flush, METH_NOARGS, "flush() -> (rows, what of elsewhere is next, whether there is more)."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot maker_slots[] = {
    {Py_tp_new, maker_new},
    {Py_tp_dealloc, maker_dealloc},
    {Py_tp_traverse, maker_traverse},
    {Py_tp_clear, maker_clear},
    {Py_tp_methods, maker_methods},
    {Py_tp_doc, "Rows of plain text made of batches."},
    {0, NULL},
};

static PyType_Spec maker_spec = {
    .name = "ftracepy._fastparse._core.RowMaker",
    .basicsize = sizeof(MakerObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = maker_slots,
};

int
fp_bind_rows(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &maker_spec, NULL);
    if (type == NULL)
        return -1;
    int added = PyModule_AddObjectRef(module, "RowMaker", type);
    Py_DECREF(type);
    return added;
}
