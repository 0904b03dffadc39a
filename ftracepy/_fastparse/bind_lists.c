/* What was lost and what could not be read, as Python lists. */
#include "bind_types.h"

PyObject *
fp_losses_list(const fp_output *out)
{
    PyObject *list = PyList_New((Py_ssize_t)out->losses_n);
    for (size_t i = 0; list != NULL && i < out->losses_n; i++) {
        const fp_loss *loss = &out->losses[i];
        PyObject *item = Py_BuildValue("niL", (Py_ssize_t)loss->index, (int)loss->cpu, (long long)loss->count);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *
fp_faults_list(const fp_output *out)
{
    PyObject *list = PyList_New((Py_ssize_t)out->faults_n);
    for (size_t i = 0; list != NULL && i < out->faults_n; i++) {
        const fp_fault *fault = &out->faults[i];
        PyObject *item = Py_BuildValue("iKs", (int)fault->cpu, (unsigned long long)fault->offset, fault->reason);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}
