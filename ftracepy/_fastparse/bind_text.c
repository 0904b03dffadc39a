/* TextMachine: the text programs for Python. Records are read and text is made without the GIL. */
#include "bind.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    fp_text_machine machine;
    PyObject *kallsyms;
    PyThread_type_lock lock;
} TextMachineObject;

static int
setting(PyObject *settings, const char *name, long long *value)
{
    PyObject *key = PyUnicode_FromString(name);
    if (key == NULL)
        return -1;
    PyObject *found = PyObject_GetItem(settings, key);
    Py_DECREF(key);
    if (found == NULL)
        return -1;
    *value = PyLong_AsLongLong(found);
    Py_DECREF(found);
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
read_settings(PyObject *given, fp_text_settings *settings)
{
    static const char *const names[] = {"kernel", "big_endian", "lazy_bit", "is_ns", "long_bytes", "flag_columns", "digits", "shift",
                                        "flags_at", "preempt_at", "mult", "offset"};
    long long values[12];
    for (size_t at = 0; at < 12; at++)
        if (setting(given, names[at], &values[at]) < 0)
            return -1;
    if ((values[4] != 4 && values[4] != 8) || (values[6] != 6 && values[6] != 9) || values[7] < 0 || values[7] > 63) {
        PyErr_SetString(PyExc_ValueError, "long_bytes is 4 or 8, digits 6 or 9, shift below 64");
        return -1;
    }
    *settings = (fp_text_settings){
        .kernel = values[0], .big_endian = values[1], .lazy_bit = values[2], .is_ns = values[3], .long_bytes = (unsigned)values[4],
        .flag_columns = (unsigned)values[5], .digits = (unsigned)values[6], .shift = (unsigned)values[7],
        .flags_at = (unsigned)values[8], .preempt_at = (unsigned)values[9], .mult = (uint64_t)values[10],
        .offset = (uint64_t)values[11],
    };
    return 0;
}

static PyObject *
machine_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *settings;
    if (!PyArg_ParseTuple(args, "O:TextMachine", &settings))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    TextMachineObject *self = (TextMachineObject *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    self->lock = PyThread_allocate_lock();
    self->machine.heads = calloc(FP_HEADS, sizeof *self->machine.heads);
    if (self->lock == NULL || self->machine.heads == NULL) {
        PyErr_NoMemory();
        Py_DECREF(self);
        return NULL;
    }
    if (read_settings(settings, &self->machine.settings) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->machine.symbols.exact = self->machine.settings.kernel;
    return (PyObject *)self;
}

static void
machine_dealloc(PyObject *object)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_text_machine *machine = &self->machine;
    PyTypeObject *type = Py_TYPE(object);
    for (size_t at = 0; at < machine->programs_total; at++)
        free(machine->programs[at]);
    for (size_t at = 0; at < machine->formats_total; at++)
        free(machine->formats[at]);
    free(machine->programs);
    free(machine->formats);
    free(machine->format_addresses);
    free(machine->heads);
    free(machine->out.data);
    fp_text_map_clear(&machine->strings);
    fp_text_map_clear(&machine->comms);
    fp_symbols_clear(&machine->symbols);
    Py_XDECREF(self->kallsyms);
    if (self->lock)
        PyThread_free_lock(self->lock);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* Another thread may be writing lines with this machine: wait for it, without the GIL. */
static void
lock(TextMachineObject *self)
{
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static PyObject *
set_symbols(PyObject *object, PyObject *text)
{
    TextMachineObject *self = (TextMachineObject *)object;
    if (!PyBytes_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "kallsyms must be bytes");
        return NULL;
    }
    lock(self);
    fp_symbols_clear(&self->machine.symbols);
    PyObject *old = self->kallsyms;
    self->kallsyms = Py_NewRef(text);
    self->machine.symbols.text = (const uint8_t *)PyBytes_AsString(text);
    self->machine.symbols.length = (size_t)PyBytes_Size(text);
    PyThread_release_lock(self->lock);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static int
by_value(const void *left, const void *right)
{
    const fp_entry *a = left, *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

static int
map_add(fp_text_map *map, size_t *used, size_t *room, PyObject *key, PyObject *text)
{
    char *bytes;
    Py_ssize_t length;
    uint64_t value = PyLong_AsUnsignedLongLongMask(key);
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(text, &bytes, &length) < 0)
        return -1;
    if (*room - *used < (size_t)length) {
        size_t wanted = (*room + (size_t)length) * 2;
        uint8_t *texts = wanted < UINT32_MAX ? realloc(map->texts, wanted) : NULL;
        if (texts == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        map->texts = texts;
        *room = wanted;
    }
    if (length)
        memcpy(map->texts + *used, bytes, (size_t)length);
    map->entries[map->total++] = (fp_entry){value, (uint32_t)*used, (uint32_t)length};
    *used += (size_t)length;
    return 0;
}

/* A dict of numbers to bytes. */
static int
map_of(PyObject *dict, fp_text_map *map)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    size_t used = 0, room = 0;
    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "a dict of int to bytes is wanted");
        return -1;
    }
    map->entries = malloc(((size_t)PyDict_Size(dict) + 1) * sizeof *map->entries);
    if (map->entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (PyDict_Next(dict, &at, &key, &text)) {
        if (map_add(map, &used, &room, key, text) < 0) {
            fp_text_map_clear(map);
            return -1;
        }
    }
    qsort(map->entries, map->total, sizeof *map->entries, by_value);
    return 0;
}

static PyObject *
replace_map(TextMachineObject *self, fp_text_map *old, PyObject *dict)
{
    fp_text_map map = {0};
    if (map_of(dict, &map) < 0)
        return NULL;
    lock(self);
    fp_text_map_clear(old);
    *old = map;
    memset(self->machine.heads, 0, FP_HEADS * sizeof *self->machine.heads);
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static PyObject *
set_strings(PyObject *object, PyObject *dict)
{
    TextMachineObject *self = (TextMachineObject *)object;
    return replace_map(self, &self->machine.strings, dict);
}

static PyObject *
set_comms(PyObject *object, PyObject *dict)
{
    TextMachineObject *self = (TextMachineObject *)object;
    return replace_map(self, &self->machine.comms, dict);
}

static fp_program *
program_of(Py_buffer *parts, bool nested)
{
    const char *why;
    fp_program *program = fp_program_new(parts[1].buf, (size_t)parts[1].len, parts[2].buf, (size_t)parts[2].len, parts[3].buf,
                                         (size_t)parts[3].len, parts[0].buf, (size_t)parts[0].len, nested, &why);
    if (program == NULL && strcmp(why, "memory") == 0)
        PyErr_NoMemory();
    else if (program == NULL)
        PyErr_SetString(PyExc_ValueError, why);
    return program;
}

static void
release_parts(Py_buffer *parts)
{
    for (int at = 0; at < 4; at++)
        if (parts[at].obj)
            PyBuffer_Release(&parts[at]);
}

static PyObject *
machine_add(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_text_machine *machine = &self->machine;
    unsigned short id;
    Py_buffer parts[4] = {0};
    if (!PyArg_ParseTuple(args, "Hy*y*y*y*:add", &id, &parts[0], &parts[1], &parts[2], &parts[3]))
        return NULL;
    fp_program *program = program_of(parts, false);
    release_parts(parts);
    if (program == NULL)
        return NULL;
    lock(self);
    if (id >= machine->programs_total) {
        fp_program **programs = realloc(machine->programs, (id + 1U) * sizeof *programs);
        if (programs == NULL) {
            PyThread_release_lock(self->lock);
            free(program);
            return PyErr_NoMemory();
        }
        memset(programs + machine->programs_total, 0, (id + 1U - machine->programs_total) * sizeof *programs);
        machine->programs = programs;
        machine->programs_total = id + 1U;
    }
    free(machine->programs[id]);
    machine->programs[id] = program;
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static PyObject *
machine_add_format(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_text_machine *machine = &self->machine;
    unsigned long long address;
    Py_buffer parts[4] = {0};
    if (!PyArg_ParseTuple(args, "Ky*y*y*:add_format", &address, &parts[1], &parts[2], &parts[3]))
        return NULL;
    fp_program *program = program_of(parts, true);
    release_parts(parts);
    if (program == NULL)
        return NULL;
    lock(self);
    size_t total = machine->formats_total + 1;
    fp_program **formats = realloc(machine->formats, total * sizeof *formats);
    if (formats)
        machine->formats = formats;
    uint64_t *addresses = realloc(machine->format_addresses, total * sizeof *addresses);
    if (addresses)
        machine->format_addresses = addresses;
    if (formats && addresses) {
        machine->formats[total - 1] = program;
        machine->format_addresses[total - 1] = address;
        machine->formats_total = total;
    }
    PyThread_release_lock(self->lock);
    if (formats && addresses)
        Py_RETURN_NONE;
    free(program);
    return PyErr_NoMemory();
}

typedef struct {
    Py_ssize_t index, cpu;
    long long count;
} loss;

static loss *
losses_of(PyObject *list, Py_ssize_t *total)
{
    *total = PySequence_Size(list);
    if (*total < 0)
        return NULL;
    loss *losses = calloc((size_t)*total + 1, sizeof *losses);
    if (losses == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t at = 0; losses && at < *total; at++) {
        PyObject *item = PySequence_GetItem(list, at);
        int good = item && PyTuple_Check(item) && PyArg_ParseTuple(item, "nnL", &losses[at].index, &losses[at].cpu, &losses[at].count);
        if (item && !good && !PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a loss is (index, cpu, count)");
        Py_XDECREF(item);
        if (!good) {
            free(losses);
            return NULL;
        }
    }
    return losses;
}

/* Writes until `stop` or an event without a program: its position is returned and *missing set. */
static Py_ssize_t
write_lines(fp_text_machine *machine, const fp_record *records, Py_ssize_t start, Py_ssize_t stop, const loss *losses,
            Py_ssize_t losses_total, long *missing)
{
    Py_ssize_t lost = 0;
    machine->out.used = 0;
    for (Py_ssize_t at = start; at < stop; at++) {
        const fp_record *record = records + at;
        const fp_program *program = record->id < machine->programs_total ? machine->programs[record->id] : NULL;
        if (program == NULL) {
            *missing = record->id;
            return at;
        }
        for (; lost < losses_total && losses[lost].index <= at; lost++)
            fp_text_loss(machine, (uint32_t)losses[lost].cpu, losses[lost].count, &machine->out);
        fp_text_line(machine, program, record, &machine->out);
    }
    return stop;
}

static PyObject *
machine_lines(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    PyObject *batch, *list;
    Py_ssize_t start, stop, losses_total;
    const fp_record *records;
    size_t total;
    long missing = -1;
    if (!PyArg_ParseTuple(args, "OnnO:lines", &batch, &start, &stop, &list) || fp_batch_records(batch, &records, &total) < 0)
        return NULL;
    start = start < 0 ? 0 : start;
    stop = stop > (Py_ssize_t)total ? (Py_ssize_t)total : stop;
    loss *losses = losses_of(list, &losses_total);
    if (losses == NULL)
        return NULL;
    lock(self);
    fp_text_out *out = &self->machine.out;
    Py_BEGIN_ALLOW_THREADS
    start = write_lines(&self->machine, records, start, stop, losses, losses_total, &missing);
    Py_END_ALLOW_THREADS
    free(losses);
    PyObject *text = out->failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)out->used);
    out->failed = false;
    PyThread_release_lock(self->lock);
    return text ? Py_BuildValue("(Nnl)", text, start, missing) : NULL;
}

static PyObject *
machine_text(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_text_machine *machine = &self->machine;
    fp_text_out *out = &machine->out;
    unsigned short id;
    const char *raw;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "Hy#:text", &id, &raw, &length))
        return NULL;
    if (id >= machine->programs_total || machine->programs[id] == NULL || length > UINT32_MAX)
        Py_RETURN_NONE;
    fp_record record = {.data = (const uint8_t *)raw, .length = (uint32_t)length, .id = id};
    lock(self);
    out->used = 0;
    fp_text_run(machine, machine->programs[id], &record, out);
    size_t used = out->used && out->data[out->used - 1] == '\n' ? out->used - 1 : out->used;
    PyObject *text = out->failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)used);
    out->failed = false;
    PyThread_release_lock(self->lock);
    return text;
}

static PyMethodDef machine_methods[] = {
    {"set_symbols", set_symbols, METH_O, "kallsyms text to name addresses with."},
    {"set_strings", set_strings, METH_O, "Texts by kernel address, from printk_formats."},
    {"set_comms", set_comms, METH_O, "Task names by pid."},
    {"add", machine_add, METH_VARARGS, "add(id, name, code, entries, literals): the program of one event type."},
    {"add_format", machine_add_format, METH_VARARGS, "add_format(address, code, entries, literals): a binary printk's format."},
    {"lines", machine_lines, METH_VARARGS, "lines(batch, start, stop, losses) -> (text, next, id without a program or -1)."},
    {"text", machine_text, METH_VARARGS, "text(id, record) -> the event's text, or None without a program."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot machine_slots[] = {
    {Py_tp_new, machine_new},
    {Py_tp_dealloc, machine_dealloc},
    {Py_tp_methods, machine_methods},
    {Py_tp_doc, "Text programs by event id, run over records."},
    {0, NULL},
};

static PyType_Spec machine_spec = {
    .name = "ftracepy._fastparse._core.TextMachine",
    .basicsize = sizeof(TextMachineObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = machine_slots,
};

int
fp_bind_text(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &machine_spec, NULL);
    if (type == NULL)
        return -1;
    int added = PyModule_AddObjectRef(module, "TextMachine", type);
    Py_DECREF(type);
    return added;
}
