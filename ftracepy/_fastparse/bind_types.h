/* The module's state and its objects, as bind_*.c share them. */
#ifndef FP_BIND_TYPES_H
#define FP_BIND_TYPES_H

#include "bind.h"
#include "core/field.h"
#include "core/merge.h"
#include "core/text.h"

typedef struct {
    PyTypeObject *formats_type, *decoder_type, *batch_type, *iterator_type, *event_type, *column_type, *columns_type, *text_type;
} fp_state;

/* The state of the module that made `type`; NULL, without an exception, for a type that is not ours. */
fp_state *fp_state_of(PyTypeObject *type);

/* One fed buffer. Its chunk comes first, so that a chunk of the core is a buffer of ours. `refs` counts
 * the decoder's queue and every batch with records in it, and is touched with the GIL only. */
typedef struct {
    fp_chunk chunk;
    Py_buffer view;
    Py_ssize_t refs;
} fp_buffer;

void fp_buffer_release(fp_buffer *buffer);

/* What one event type is called; `names` are interned, the event's own fields before the common ones.
 * `late` is the callable that gives the fields at their first use; NULL where they are known. */
typedef struct {
    PyObject *system, *name, *keys, *late, *id;
    PyObject **names;
    fp_field *fields;
    size_t own, total;
} fp_event_type;

enum { FP_ID, FP_PID, FP_TS, FP_CPU, FP_ATTRIBUTES };

/* Layout and event types: shared by a decoder, its batches and their events. */
typedef struct {
    PyObject_HEAD
    fp_layout layout;
    fp_event_type *types;
    fp_event_type **by_id;
    size_t types_total, ids;
    fp_record *spare; /* one big records array that a batch gave back: saves its page faults */
    size_t spare_room;
    fp_columns *wanted; /* what Decoder.columns is to give, without rows; NULL: nobody said */
    fp_columns *spare_columns; /* the same with memory, of a batch that is gone */
    unsigned long wish; /* the number of `wanted`: what was made for an earlier one is no spare */
    PyObject *attributes[FP_ATTRIBUTES]; /* the interned names of what an event is asked for most */
    uint32_t *counts; /* a place for every id, zero whenever the GIL may go; NULL: not needed yet */
} FormatsObject;

FormatsObject *fp_formats_new(fp_state *state, PyObject *layout, PyObject *events);
/* NULL for an id without a format; needs the GIL, since it may fetch late fields. */
const fp_event_type *fp_event_type_of(const FormatsObject *formats, uint16_t id);
/* The field called `name`, or NULL (no exception unless one is already set by the comparison). */
const fp_field *fp_find_field(const fp_event_type *type, PyObject *name);

typedef struct {
    PyObject_HEAD
    FormatsObject *formats;
    fp_output out;
    fp_buffer **buffers;
    size_t buffers_total;
    unsigned long long until_ns;
    PyObject *losses, *faults;
    unsigned asked; /* columns so far: an index pays from the third on */
    fp_index index;
} BatchObject;

typedef struct {
    PyObject_HEAD
    FormatsObject *formats;
    fp_stream *streams; /* in order of their CPU */
    fp_waiting *heap;
    size_t streams_total;
    size_t queued_bytes;
    PyThread_type_lock lock; /* held by whoever touches streams; never waited for with the GIL held */
} DecoderObject;

void fp_decoder_lock(DecoderObject *self);
/* Give back the buffers that were read to their end. */
void fp_decoder_release(DecoderObject *self);

PyObject *fp_decoder_want(PyObject *decoder, PyObject *args, PyObject *kwargs);
PyObject *fp_decoder_columns(PyObject *decoder, PyObject *args, PyObject *kwargs);
/* Forget what was wanted, and its spare memory. */
void fp_forget_wanted(FormatsObject *formats);

/* An object without records, columns or pages yet. */
void fp_batch_clear(BatchObject *batch);

PyObject *fp_batch_column(PyObject *batch, PyObject *args);

/* `formats` and, where the event was kept on its own, the copied record's bytes stand behind `owner`. */
typedef struct {
    PyObject_HEAD
    PyObject *owner;
    FormatsObject *formats;
    fp_record record;
} EventObject;

PyObject *fp_event_new(fp_state *state, PyObject *owner, FormatsObject *formats, const fp_record *record);

/* A memoryview of `n` items, `stride` bytes apart; takes over `memory` (may be NULL) and a reference to `owner` (may be NULL). */
PyObject *fp_column_view(fp_state *state, PyObject *owner, void *memory, const void *start, size_t n, size_t stride, char format);

/* Batch.losses and Batch.faults: new lists of tuples, or NULL with an exception set. */
PyObject *fp_losses_list(const fp_output *out);
PyObject *fp_faults_list(const fp_output *out);

/* The id's field, where it is a single number; NULL with KeyError or TypeError set. */
const fp_field *fp_number_field(const FormatsObject *formats, Py_ssize_t id, PyObject *name);

/* For O&, into an unsigned long long: the format K would let -1 pass for "all of time". */
int fp_parse_u64(PyObject *given, void *value);

PyObject *fp_batch_select(PyObject *batch, PyObject *args, PyObject *kwargs);

/* The machine of a TextMachine; NULL with TypeError where it is none. */
fp_text_machine *fp_text_machine_of(PyObject *object, const fp_state *state);

extern PyType_Spec fp_formats_spec, fp_decoder_spec, fp_batch_spec, fp_iterator_spec, fp_event_spec, fp_column_spec, fp_columns_spec;

#endif
