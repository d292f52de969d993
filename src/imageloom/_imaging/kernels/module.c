/* The kernels as a Python module. It is compiled once for each kind of processor, with the name
 * VARIANT. */

#define Py_LIMITED_API 0x030B0000 /* one file for all versions of Python from 3.11 on */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

#include <string.h>

#define MOST_CHANNELS 4

static int has_length(
    const Py_buffer *buffer, Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, const char *name
) {
    /* Dividing cannot overflow. */
    const int fits = a >= 0 && b > 0 && c > 0 && buffer->len % b == 0 && buffer->len / b % c == 0
                     && buffer->len / b / c == a;
    if (!fits)
        PyErr_Format(
            PyExc_ValueError, "%s has %zd bytes, not %zd * %zd * %zd", name, buffer->len, a, b, c
        );
    return fits;
}

static PyObject *failure(int code) {
    if (code == -1) return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError, "a row has an unknown filter");
    return NULL;
}

static PyObject *py_unfilter(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer filtered, pixels;
    Py_ssize_t rows, row_bytes;
    int pixel_bytes, code = 0, valid;
    if (!PyArg_ParseTuple(args, "y*w*nni", &filtered, &pixels, &rows, &row_bytes, &pixel_bytes))
        return NULL;
    valid = has_length(&filtered, rows, row_bytes + 1, 1, "filtered")
            && has_length(&pixels, rows, row_bytes, 1, "pixels");
    if (valid && (pixel_bytes < 1 || pixel_bytes > MOST_CHANNELS)) {
        PyErr_Format(PyExc_ValueError, "pixels of %d bytes", pixel_bytes);
        valid = 0;
    }
    if (valid) {
        Py_BEGIN_ALLOW_THREADS
        code = unfilter(filtered.buf, pixels.buf, rows, row_bytes, pixel_bytes);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&filtered);
    PyBuffer_Release(&pixels);
    if (!valid) return NULL;
    if (code) return failure(code);
    Py_RETURN_NONE;
}

/* Whether all windows lie within `before` values. */
static int within(const Windows *windows, Py_ssize_t before) {
    for (Py_ssize_t i = 0; i < windows->count; i++) {
        const int32_t first = windows->bounds[2 * i], count = windows->bounds[2 * i + 1];
        if (first < 0 || count < 0 || count > windows->size || first > before - count) {
            PyErr_SetString(PyExc_ValueError, "a window does not lie within the image");
            return 0;
        }
    }
    return 1;
}

static PyObject *py_resize(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer pixels, resized, bounds, weights;
    Py_ssize_t rows, columns;
    int channels, vertical, code = 0, valid;
    if (!PyArg_ParseTuple(
            args, "y*w*nnipy*y*", &pixels, &resized, &rows, &columns, &channels, &vertical, &bounds,
            &weights
        ))
        return NULL;
    const Py_ssize_t count = bounds.len / (Py_ssize_t)(2 * sizeof(int32_t));
    const Windows windows = {
        .count = count,
        .size = count ? weights.len / ((Py_ssize_t)sizeof(int32_t) * count) : 0,
        .bounds = bounds.buf,
        .weights = weights.buf,
    };
    valid = channels >= 1 && channels <= MOST_CHANNELS;
    if (!valid) PyErr_Format(PyExc_ValueError, "%d channels", channels);
    valid = valid && has_length(&pixels, rows, columns, channels, "pixels")
            && has_length(
                &resized, vertical ? count : rows, vertical ? columns : count, channels, "resized"
            )
            && within(&windows, vertical ? rows : columns);
    if (valid) {
        Py_BEGIN_ALLOW_THREADS
        if (vertical)
            resize_columns(pixels.buf, resized.buf, columns * channels, &windows);
        else
            code = resize_rows(pixels.buf, resized.buf, rows, columns, channels, &windows);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pixels);
    PyBuffer_Release(&resized);
    PyBuffer_Release(&bounds);
    PyBuffer_Release(&weights);
    if (!valid) return NULL;
    if (code) return failure(code);
    Py_RETURN_NONE;
}

static PyObject *py_warp(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer pixels, warped, matrix;
    Warp given;
    Py_ssize_t rows, columns, out_rows, out_columns;
    int fill, rounds;
    if (!PyArg_ParseTuple(
            args, "y*w*nninnipy*", &pixels, &warped, &rows, &columns, &given.channels, &out_rows,
            &out_columns, &fill, &rounds, &matrix
        ))
        return NULL;
    int valid = has_length(&pixels, rows, columns, given.channels, "pixels")
                && has_length(&warped, out_rows, out_columns, given.channels, "warped");
    if (valid
        && (rows < 2 || columns < 2 || given.channels > MOST_CHANNELS || pixels.len > INT32_MAX
            || fill < NEAREST || fill > WRAP || matrix.len != sizeof given.matrix)) {
        PyErr_SetString(PyExc_ValueError, "an image or a matrix that cannot be warped");
        valid = 0;
    }
    if (valid) {
        given.rows = rows;
        given.columns = columns;
        given.out_rows = out_rows;
        given.out_columns = out_columns;
        given.fill = (Fill)fill;
        given.rounds = rounds;
        memcpy(given.matrix, matrix.buf, sizeof given.matrix);
        Py_BEGIN_ALLOW_THREADS
        warp(pixels.buf, warped.buf, &given);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pixels);
    PyBuffer_Release(&warped);
    PyBuffer_Release(&matrix);
    if (!valid) return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_has_avx2(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
#ifdef __x86_64__
    __builtin_cpu_init();
    return PyBool_FromLong(__builtin_cpu_supports("avx2"));
#else
    Py_RETURN_FALSE;
#endif
}

static PyMethodDef methods[] = {
    {"unfilter", py_unfilter, METH_VARARGS, NULL},
    {"resize", py_resize, METH_VARARGS, NULL},
    {"warp", py_warp, METH_VARARGS, NULL},
    {"has_avx2", py_has_avx2, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)
#define INIT_(name) PyInit_##name
#define INIT(name) INIT_(name)

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = TEXT(VARIANT),
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC INIT(VARIANT)(void) { return PyModuleDef_Init(&definition); }
