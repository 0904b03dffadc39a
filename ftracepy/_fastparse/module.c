/* The extension module: its state, and the binding files that fill it. */
#include "bind_types.h"

static int
module_exec(PyObject *module)
{
    if (fp_bind_decoder(module) < 0 || fp_bind_capture(module) < 0 || fp_bind_calls(module) < 0 || fp_bind_relay(module) < 0 ||
        fp_bind_tell(module) < 0 || fp_bind_adler(module) < 0)
        return -1;
#ifdef FP_HAVE_TEXT
    if (fp_bind_text(module) < 0 || fp_bind_rows(module) < 0)
        return -1;
#endif
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    fp_state *state = PyModule_GetState(module);
    Py_VISIT(state->formats_type);
    Py_VISIT(state->decoder_type);
    Py_VISIT(state->batch_type);
    Py_VISIT(state->iterator_type);
    Py_VISIT(state->event_type);
    Py_VISIT(state->column_type);
    Py_VISIT(state->columns_type);
    Py_VISIT(state->text_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    fp_state *state = PyModule_GetState(module);
    Py_CLEAR(state->formats_type);
    Py_CLEAR(state->decoder_type);
    Py_CLEAR(state->batch_type);
    Py_CLEAR(state->iterator_type);
    Py_CLEAR(state->event_type);
    Py_CLEAR(state->column_type);
    Py_CLEAR(state->columns_type);
    Py_CLEAR(state->text_type);
    return 0;
}

static void
module_free(void *module)
{
    module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ftracepy._fastparse._core",
    .m_doc = "The C decoder: sub-buffers of the ftrace ring buffer to batches of events.",
    .m_size = sizeof(fp_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

fp_state *
fp_state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModule(type);
    if (module == NULL || PyModule_GetDef(module) != &module_def) {
        PyErr_Clear();
        return NULL;
    }
    return PyModule_GetState(module);
}

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}
