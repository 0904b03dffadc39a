/* RowMaker, as bind_rows.c and bind_rows_paths.c share it. */
#ifndef FP_BIND_ROWS_H
#define FP_BIND_ROWS_H

#include "bind_types.h"
#include "core/rows.h"

typedef struct {
    PyObject_HEAD
    fp_rows rows;
    PyObject *machine; /* keeps rows.machine alive */
    PyObject *in_open, *settle, *tail; /* who is asked about paths that are told later; NULL: nobody yet */
} MakerObject;

/* A copy of the text; -1 and MemoryError without memory. */
int fp_take_row_text(fp_row_text *text, const char *from, Py_ssize_t length);

PyObject *fp_maker_event(MakerObject *self, PyObject *given);

/* Why rows could not be made: an exception that is set already, or no memory. Returns NULL. */
PyObject *fp_maker_failed(void);

/* Whether asks() has been called; sets ValueError where not. */
bool fp_maker_can_ask(MakerObject *self);

PyObject *fp_maker_asks(MakerObject *self, PyObject *args);
PyObject *fp_maker_hold(MakerObject *self, PyObject *unused);
PyObject *fp_maker_hold_open(MakerObject *self, PyObject *args);
PyObject *fp_maker_tell(MakerObject *self, PyObject *args);
PyObject *fp_maker_caught_up(MakerObject *self, PyObject *args);
PyObject *fp_maker_give_up(MakerObject *self, PyObject *args);
PyObject *fp_maker_forget_paths(MakerObject *self, PyObject *unused);
PyObject *fp_maker_waiting(MakerObject *self, PyObject *unused);
PyObject *fp_maker_flush(MakerObject *self, PyObject *unused);

#endif
