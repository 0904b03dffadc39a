/* From Python values to what the text machine takes: settings, maps, losses. Each sets an exception where it fails. */
#ifndef FP_BIND_TEXT_VALUES_H
#define FP_BIND_TEXT_VALUES_H

#include "bind.h"
#include "core/text.h"

int fp_text_settings_of(PyObject *given, fp_text_settings *settings);

int fp_graph_settings_of(PyObject *given, fp_graph_settings *settings);

/* A bit per id of a sequence, to be freed. */
uint8_t *fp_plain_ids_of(PyObject *ids);

/* A dict of numbers to bytes; `map` must be empty and stays so on failure. */
int fp_text_map_of(PyObject *dict, fp_text_map *map);

/* A sequence of (index, cpu, count), to be freed. */
/* (process, start, end, path) of each to areas sorted by process and end; -1 with an error set. */
int fp_areas_of(PyObject *list, fp_areas *areas);

fp_text_lost *fp_text_losses_of(PyObject *list, Py_ssize_t *total);

#endif
