/* adler32: core/adler.c as Python calls it. */
#include "bind.h"

#include "core/adler.h"

static PyObject *
adler32(PyObject *module, PyObject *data)
{
    (void)module;
    Py_buffer bytes;
    uint32_t sum;
    if (PyObject_GetBuffer(data, &bytes, PyBUF_SIMPLE) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    sum = fp_adler32(1, bytes.buf, (size_t)bytes.len);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&bytes);
    return PyLong_FromUnsignedLong(sum);
}

static PyMethodDef adler_methods[] = {
    {"adler32", adler32, METH_O, "The checksum that ends a zlib stream of these bytes (RFC 1950)."},
    {NULL, NULL, 0, NULL},
};

int
fp_bind_adler(PyObject *module)
{
    return PyModule_AddFunctions(module, adler_methods);
}
