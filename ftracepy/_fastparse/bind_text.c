/* TextMachine: the text programs for Python. Records are read and text is made without the GIL. */
#include "bind_text_values.h"
#include "bind_types.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    fp_text_machine machine;
    PyObject *kallsyms, *prefix;
    PyThread_type_lock lock;
} TextMachineObject;

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
    if (fp_text_settings_of(settings, &self->machine.settings) < 0) {
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
    free(machine->graph_cpus);
    for (size_t at = 0; at < machine->cpu_calls_total; at++)
        free(machine->cpu_calls[at]);
    free(machine->cpu_calls);
    free(machine->plain_ids);
    free(machine->out.data);
    fp_text_map_clear(&machine->strings);
    fp_text_map_clear(&machine->comms);
    fp_text_map_clear(&machine->prototypes);
    fp_text_map_clear(&machine->tgids);
    free(machine->areas.areas);
    free(machine->areas.text);
    fp_symbols_clear(&machine->symbols);
    Py_XDECREF(self->kallsyms);
    Py_XDECREF(self->prefix);
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
    for (size_t at = 0; at < self->machine.cpu_calls_total; at++)
        if (self->machine.cpu_calls[at])
            self->machine.cpu_calls[at]->total = 0;
    PyObject *old = self->kallsyms;
    self->kallsyms = Py_NewRef(text);
    self->machine.symbols.text = (const uint8_t *)PyBytes_AsString(text);
    self->machine.symbols.length = (size_t)PyBytes_Size(text);
    PyThread_release_lock(self->lock);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *
set_prefix(PyObject *object, PyObject *text)
{
    TextMachineObject *self = (TextMachineObject *)object;
    if (!PyBytes_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "a prefix must be bytes");
        return NULL;
    }
    lock(self);
    PyObject *old = self->prefix;
    self->prefix = Py_NewRef(text);
    self->machine.prefix = (const uint8_t *)PyBytes_AsString(text);
    self->machine.prefix_length = (size_t)PyBytes_Size(text);
    memset(self->machine.heads, 0, FP_HEADS * sizeof *self->machine.heads);
    PyThread_release_lock(self->lock);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *
replace_map(TextMachineObject *self, fp_text_map *old, PyObject *dict)
{
    fp_text_map map = {0};
    if (fp_text_map_of(dict, &map) < 0)
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

static PyObject *
set_tgids(PyObject *object, PyObject *dict)
{
    TextMachineObject *self = (TextMachineObject *)object;
    self->machine.with_tgids = true;
    return replace_map(self, &self->machine.tgids, dict);
}

static PyObject *
set_areas(PyObject *object, PyObject *list)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_areas areas;
    if (fp_areas_of(list, &areas) < 0)
        return NULL;
    lock(self);
    free(self->machine.areas.areas);
    free(self->machine.areas.text);
    self->machine.areas = areas;
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static fp_program *
program_of(Py_buffer *parts, const fp_text_settings *settings, bool nested)
{
    const char *why;
    fp_program *program = fp_program_new(parts[1].buf, (size_t)parts[1].len, parts[2].buf, (size_t)parts[2].len, parts[3].buf,
                                         (size_t)parts[3].len, parts[0].buf, (size_t)parts[0].len,
                                         settings, nested, &why);
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
    fp_program *program = program_of(parts, &machine->settings, false);
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
    fp_program *program = program_of(parts, &machine->settings, true);
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

static PyObject *
machine_lines(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    PyObject *batch, *list, *following = Py_None;
    Py_ssize_t start, stop, losses_total;
    int hold = 0;
    fp_text_span span = {0};
    if (!PyArg_ParseTuple(args, "OnnO|Op:lines", &batch, &start, &stop, &list, &following, &hold) ||
        fp_batch_records(batch, &span.records, &span.total) < 0)
        return NULL;
    if (following != Py_None && fp_batch_records(following, &span.following, &span.following_total) < 0)
        return NULL;
    span.start = start < 0 ? 0 : (size_t)start;
    span.stop = stop < 0 ? 0 : (size_t)stop > span.total ? span.total : (size_t)stop;
    span.hold = hold;
    fp_text_lost *losses = fp_text_losses_of(list, &losses_total);
    if (losses == NULL)
        return NULL;
    span.losses = losses;
    span.losses_total = (size_t)losses_total;
    lock(self);
    fp_text_out *out = &self->machine.out;
    size_t reached;
    long why;
    Py_BEGIN_ALLOW_THREADS
    reached = fp_text_lines(&self->machine, &span, &why);
    Py_END_ALLOW_THREADS
    free(losses);
    PyObject *text = out->failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)out->used);
    out->failed = false;
    PyThread_release_lock(self->lock);
    return text ? Py_BuildValue("(Nnl)", text, (Py_ssize_t)reached, why) : NULL;
}

static PyObject *
machine_set_graph(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_text_machine *machine = &self->machine;
    PyObject *given, *ids;
    fp_graph_settings settings;
    if (!PyArg_ParseTuple(args, "OO:set_graph", &given, &ids) || fp_graph_settings_of(given, &settings) < 0)
        return NULL;
    uint8_t *plain = fp_plain_ids_of(ids);
    if (plain == NULL)
        return NULL;
    lock(self);
    uint8_t *old = machine->plain_ids;
    machine->plain_ids = plain;
    machine->graph = settings;
    PyThread_release_lock(self->lock);
    free(old);
    Py_RETURN_NONE;
}

static PyObject *
machine_set_arguments(PyObject *object, PyObject *places)
{
    TextMachineObject *self = (TextMachineObject *)object;
    fp_argument_event events[FP_ARGUMENT_EVENTS];
    PyObject *id, *place;
    Py_ssize_t at = 0;
    size_t total = 0;
    if (!PyDict_Check(places) || PyDict_Size(places) > FP_ARGUMENT_EVENTS) {
        PyErr_SetString(PyExc_TypeError, "a small dict of event ids to places is wanted");
        return NULL;
    }
    while (PyDict_Next(places, &at, &id, &place)) {
        fp_argument_event *event = events + total++;
        event->id = (unsigned)PyLong_AsUnsignedLong(id);
        if (PyErr_Occurred() || !PyArg_ParseTuple(place, "II", &event->function_at, &event->arguments_at))
            return NULL;
    }
    lock(self);
    memcpy(self->machine.argument_events, events, total * sizeof *events);
    self->machine.argument_events_total = total;
    self->machine.argument_ids = 0;
    for (size_t one = 0; one < total; one++)
        self->machine.argument_ids |= UINT64_C(1) << (events[one].id & 63);
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static PyObject *
machine_add_prototype(PyObject *object, PyObject *args)
{
    TextMachineObject *self = (TextMachineObject *)object;
    unsigned long long address;
    const char *rows;
    Py_ssize_t length;
    size_t known;
    if (!PyArg_ParseTuple(args, "Ky#:add_prototype", &address, &rows, &length))
        return NULL;
    lock(self);
    fp_text_map *map = &self->machine.prototypes;
    bool added = fp_text_map_find(map, address, &known) || fp_text_map_add(map, address, (const uint8_t *)rows, (size_t)length);
    PyThread_release_lock(self->lock);
    if (!added)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *
machine_asked(PyObject *object, PyObject *Py_UNUSED(none))
{
    return PyLong_FromUnsignedLongLong(((TextMachineObject *)object)->machine.asked);
}

static PyObject *
machine_symbol(PyObject *object, PyObject *address)
{
    TextMachineObject *self = (TextMachineObject *)object;
    uint64_t value = PyLong_AsUnsignedLongLong(address);
    if (PyErr_Occurred())
        return NULL;
    lock(self);
    const fp_symbol *found = fp_symbols_find(&self->machine.symbols, value);
    const uint8_t *name = found ? self->machine.symbols.text + found->at : NULL;
    const uint8_t *tab = found ? memchr(name, '\t', found->length) : NULL;
    PyObject *text = PyBytes_FromStringAndSize((const char *)name, !found ? 0 : tab ? tab - name : (Py_ssize_t)found->length);
    PyThread_release_lock(self->lock);
    return text;
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
    {"set_prefix", set_prefix, METH_O, "What stands before every line."},
    {"set_strings", set_strings, METH_O, "Texts by kernel address, from printk_formats."},
    {"set_comms", set_comms, METH_O, "Task names by pid."},
    {"set_tgids", set_tgids, METH_O, "The number of each thread's process as text, by pid: a column of its own."},
    {"set_areas", set_areas, METH_O, "What lay in processes' memory: (process, start, end, path) of each file."},
    {"add", machine_add, METH_VARARGS, "add(id, name, code, entries, literals): the program of one event type."},
    {"add_format", machine_add_format, METH_VARARGS, "add_format(address, code, entries, literals): a binary printk's format."},
    {"set_graph", machine_set_graph, METH_VARARGS, "set_graph(settings, plain_ids): from here on a function_graph listing."},
    {"set_arguments", machine_set_arguments, METH_O, "By event id where its function's address is, and where its arguments begin."},
    {"add_prototype", machine_add_prototype, METH_VARARGS, "add_prototype(address, rows): how a function's arguments are shown."},
    {"asked", machine_asked, METH_NOARGS, "The address of the function whose prototype lines() stopped for."},
    {"symbol", machine_symbol, METH_O, "The name that an address lies in, without its module; b\"\" where there is none."},
    {"lines", machine_lines, METH_VARARGS,
     "lines(batch, start, stop, losses, following, hold) -> (text, next, id without a program, -1, -2: held, -3: asks for a prototype)."},
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

fp_text_machine *
fp_text_machine_of(PyObject *object, const fp_state *state)
{
    if (Py_TYPE(object) == state->text_type)
        return &((TextMachineObject *)object)->machine;
    PyErr_SetString(PyExc_TypeError, "a TextMachine of this module is needed");
    return NULL;
}

int
fp_bind_text(PyObject *module)
{
    fp_state *state = PyModule_GetState(module);
    state->text_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &machine_spec, NULL);
    return state->text_type != NULL ? PyModule_AddType(module, state->text_type) : -1;
}
