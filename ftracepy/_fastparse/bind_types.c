/* Making the decoder's types and adding the public ones to the module. */
#include "bind_types.h"

static int
make_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type != NULL ? 0 : -1;
}

int
fp_bind_decoder(PyObject *module)
{
    fp_state *state = PyModule_GetState(module);
    if (make_type(module, &fp_formats_spec, &state->formats_type) < 0 ||
        make_type(module, &fp_column_spec, &state->column_type) < 0 ||
        make_type(module, &fp_columns_spec, &state->columns_type) < 0 ||
        make_type(module, &fp_iterator_spec, &state->iterator_type) < 0 ||
        make_type(module, &fp_event_spec, &state->event_type) < 0 ||
        make_type(module, &fp_batch_spec, &state->batch_type) < 0 ||
        make_type(module, &fp_decoder_spec, &state->decoder_type) < 0)
        return -1;
    if (PyModule_AddType(module, state->event_type) < 0 || PyModule_AddType(module, state->batch_type) < 0 ||
        PyModule_AddType(module, state->columns_type) < 0)
        return -1;
    return PyModule_AddType(module, state->decoder_type);
}
