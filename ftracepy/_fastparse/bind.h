/* What the binding files tell each other. Nothing below core/ sees this file or Python.h. */
#ifndef FP_BIND_H
#define FP_BIND_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core/record.h"

/* Each adds its types to the module; 0, or -1 with an exception set. */
int fp_bind_decoder(PyObject *module);
int fp_bind_capture(PyObject *module);
int fp_bind_calls(PyObject *module);
int fp_bind_relay(PyObject *module);
int fp_bind_tell(PyObject *module);
int fp_bind_adler(PyObject *module);
int fp_bind_text(PyObject *module); /* only where bind_text.c is compiled in (FP_HAVE_TEXT), as the next */
int fp_bind_rows(PyObject *module);

/* The records of a Batch, in order: valid, unchanged and readable without the GIL as long as the
 * caller holds a reference to `batch`. 0, or -1 with TypeError where it is no Batch. */
int fp_batch_records(PyObject *batch, const fp_record **records, size_t *n);

/* The one record behind an Event: valid as long as the caller holds a reference to `event`. */
int fp_event_record(PyObject *event, const fp_record **record);

#endif
