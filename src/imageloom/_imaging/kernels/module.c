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

/* What both directions of resizing get. */
typedef struct {
    Py_buffer pixels, resized, bounds, weights;
    Py_ssize_t rows, columns;
    int channels;
    Windows windows;
} Resizing;

static void release(Resizing *given) {
    PyBuffer_Release(&given->pixels);
    PyBuffer_Release(&given->resized);
    PyBuffer_Release(&given->bounds);
    PyBuffer_Release(&given->weights);
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

/* Parses the arguments, and holds their buffers if they are valid. */
static int parse(PyObject *args, Resizing *given, int vertical) {
    if (!PyArg_ParseTuple(
            args, "y*w*nniy*y*", &given->pixels, &given->resized, &given->rows, &given->columns,
            &given->channels, &given->bounds, &given->weights
        ))
        return 0;
    Windows *const windows = &given->windows;
    const Py_ssize_t count = given->bounds.len / (Py_ssize_t)(2 * sizeof(int32_t));
    windows->count = count;
    windows->size = count ? given->weights.len / ((Py_ssize_t)sizeof(int32_t) * count) : 0;
    windows->bounds = given->bounds.buf;
    windows->weights = given->weights.buf;
    int valid = given->channels >= 1 && given->channels <= MOST_CHANNELS;
    if (!valid) PyErr_Format(PyExc_ValueError, "%d channels", given->channels);
    valid = valid && has_length(&given->pixels, given->rows, given->columns, given->channels, "pixels")
            && has_length(
                &given->resized, vertical ? count : given->rows, vertical ? given->columns : count,
                given->channels, "resized"
            )
            && within(windows, vertical ? given->rows : given->columns);
    if (!valid) release(given);
    return valid;
}

static PyObject *py_resize_columns(PyObject *Py_UNUSED(module), PyObject *args) {
    Resizing given;
    if (!parse(args, &given, 1)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    resize_columns(given.pixels.buf, given.resized.buf, given.columns * given.channels, &given.windows);
    Py_END_ALLOW_THREADS
    release(&given);
    Py_RETURN_NONE;
}

static PyObject *py_resize_rows(PyObject *Py_UNUSED(module), PyObject *args) {
    Resizing given;
    int code;
    if (!parse(args, &given, 0)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    code = resize_rows(
        given.pixels.buf, given.resized.buf, given.rows, given.columns, given.channels, &given.windows
    );
    Py_END_ALLOW_THREADS
    release(&given);
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
    {"resize_columns", py_resize_columns, METH_VARARGS, NULL},
    {"resize_rows", py_resize_rows, METH_VARARGS, NULL},
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
