/* From Python values to what the text machine takes. */
#include "bind_text_values.h"

#include <stdlib.h>
#include <string.h>

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

int
fp_text_settings_of(PyObject *given, fp_text_settings *settings)
{
    static const char *const names[] = {"kernel", "big_endian", "lazy_bit", "is_ns", "long_bytes", "flag_columns", "digits", "shift",
                                        "flags_at", "preempt_at", "mult", "offset", "latency", "migrate_at", "lazy_count_at",
                                        "bare"};
    enum { NAMES = sizeof names / sizeof *names };
    long long values[NAMES];
    for (size_t at = 0; at < NAMES; at++)
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
        .offset = (uint64_t)values[11], .latency = values[12], .migrate_at = (unsigned)values[13], .lazy_count_at = (unsigned)values[14],
        .bare = values[15],
    };
    return 0;
}

int
fp_graph_settings_of(PyObject *given, fp_graph_settings *settings)
{
    static const char *const names[] = {
        "entry", "exit", "cpu_digits", "abstime", "cpu", "proc", "duration", "overhead", "tail", "overrun", "retval",
        "entry_func_at", "entry_func_bytes", "entry_depth_at", "entry_depth_bytes", "exit_func_at", "exit_func_bytes",
        "exit_depth_at", "exit_depth_bytes", "calltime_at", "calltime_bytes", "rettime_at", "rettime_bytes",
        "exit_overrun_at", "exit_overrun_bytes", "exit_retval_at", "exit_retval_bytes", "entry_retaddr_at", "entry_retaddr_bytes",
        "flags", "retaddr", "retaddr_entry", "irq_start", "irq_end",
    };
    enum { NAMES = sizeof names / sizeof *names, SMALL = NAMES - 2, FIELDS = 9 };
    long long v[NAMES];
    for (size_t at = 0; at < NAMES; at++) {
        if (setting(given, names[at], &v[at]) < 0)
            return -1;
        bool size = at >= 12 && at < 12 + 2 * FIELDS && at % 2 == 0;
        if (at >= SMALL)
            continue;
        if (v[at] < 0 || v[at] > UINT16_MAX || (size && v[at] != 0 && v[at] != 1 && v[at] != 2 && v[at] != 4 && v[at] != 8)) {
            PyErr_Format(PyExc_ValueError, "%s is out of range", names[at]);
            return -1;
        }
    }
    fp_graph_field fields[FIELDS];
    for (size_t at = 0; at < FIELDS; at++)
        fields[at] = (fp_graph_field){(unsigned)v[11 + at * 2], (unsigned)v[12 + at * 2]};
    *settings = (fp_graph_settings){
        .on = true, .entry = (unsigned)v[0], .exit = (unsigned)v[1], .cpu_digits = v[2] < 1 ? 1 : v[2] > 5 ? 5 : (unsigned)v[2],
        .abstime = v[3], .cpu = v[4], .proc = v[5], .duration = v[6], .overhead = v[7], .tail = v[8], .overrun = v[9],
        .retval = (unsigned)v[10], .entry_func = fields[0], .entry_depth = fields[1], .exit_func = fields[2],
        .exit_depth = fields[3], .calltime = fields[4], .rettime = fields[5], .exit_overrun = fields[6], .exit_retval = fields[7],
        .entry_retaddr = fields[8], .flags = v[SMALL - 3], .retaddr = v[SMALL - 2], .retaddr_entry = (unsigned)v[SMALL - 1],
        .irq_start = (uint64_t)v[SMALL], .irq_end = (uint64_t)v[SMALL + 1],
    };
    return 0;
}

uint8_t *
fp_plain_ids_of(PyObject *ids)
{
    Py_ssize_t total = PySequence_Size(ids);
    if (total < 0)
        return NULL;
    uint8_t *bits = calloc(FP_PLAIN_BYTES, 1);
    if (bits == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t at = 0; bits && at < total; at++) {
        PyObject *item = PySequence_GetItem(ids, at);
        unsigned long id = item ? PyLong_AsUnsignedLong(item) : 0;
        Py_XDECREF(item);
        if (!PyErr_Occurred() && id <= UINT16_MAX) {
            bits[id / 8] |= (uint8_t)(1U << id % 8);
            continue;
        }
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "an event id is at most 65535");
        free(bits);
        return NULL;
    }
    return bits;
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

int
fp_text_map_of(PyObject *dict, fp_text_map *map)
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

fp_text_lost *
fp_text_losses_of(PyObject *list, Py_ssize_t *total)
{
    *total = PySequence_Size(list);
    if (*total < 0)
        return NULL;
    fp_text_lost *losses = calloc((size_t)*total + 1, sizeof *losses);
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

static int
by_process_and_end(const void *left, const void *right)
{
    const fp_area *a = left, *b = right;
    if (a->process != b->process)
        return a->process < b->process ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

static int
area_of(PyObject *item, fp_areas *areas, size_t *used)
{
    unsigned int process;
    unsigned long long start, end;
    const char *path;
    Py_ssize_t length;
    if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "IKKy#", &process, &start, &end, &path, &length)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "an area is (process, start, end, path)");
        return -1;
    }
    uint8_t *text = *used + (size_t)length < UINT32_MAX ? realloc(areas->text, *used + (size_t)length + 1) : NULL;
    if (text == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    areas->text = text;
    memcpy(text + *used, path, (size_t)length);
    areas->areas[areas->total++] = (fp_area){start, end, process, (uint32_t)*used, (uint32_t)length};
    *used += (size_t)length;
    return 0;
}

int
fp_areas_of(PyObject *list, fp_areas *areas)
{
    Py_ssize_t total = PySequence_Size(list);
    size_t used = 0;
    *areas = (fp_areas){0};
    if (total < 0)
        return -1;
    areas->areas = calloc((size_t)total + 1, sizeof *areas->areas);
    if (areas->areas == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t at = 0; areas->areas && at < total; at++) {
        PyObject *item = PySequence_GetItem(list, at);
        int added = item ? area_of(item, areas, &used) : -1;
        Py_XDECREF(item);
        if (added == 0)
            continue;
        free(areas->areas);
        free(areas->text);
        return -1;
    }
    if (areas->areas)
        qsort(areas->areas, areas->total, sizeof *areas->areas, by_process_and_end);
    return areas->areas ? 0 : -1;
}
