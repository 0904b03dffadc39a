/* relay: core/relay.c as Python calls it, from a thread of its own. */
#include "bind.h"

#include <errno.h>

#include "core/relay.h"

static PyObject *
relay(PyObject *module, PyObject *args)
{
    (void)module;
    fp_relay setup;
    int error;
    if (!PyArg_ParseTuple(args, "iiiiiii:relay", &setup.by_handle, &setup.by_fd, &setup.control, &setup.out, &setup.tid,
                          &setup.tasks, &setup.proc))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = fp_relay_run(&setup);
    Py_END_ALLOW_THREADS
    if (error == 0)
        Py_RETURN_NONE;
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyMethodDef relay_methods[] = {
    {"relay", relay, METH_VARARGS, "Hand on fanotify's reports until `control` is at its end; see core/relay.h. Raises OSError."},
    {NULL, NULL, 0, NULL},
};

int
fp_bind_relay(PyObject *module)
{
    return PyModule_AddFunctions(module, relay_methods);
}
