/* What the kernels do, without Python. */
#ifndef IMAGELOOM_KERNELS_H
#define IMAGELOOM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define WEIGHT_BITS 22 /* of the fractions of weights, as Pillow's PRECISION_BITS */

/* Which of the values before become each of the values after, and how much of each. */
typedef struct {
    ptrdiff_t count;        /* of values after */
    ptrdiff_t size;         /* room for weights of each */
    const int32_t *bounds;  /* (count, 2): the first value before, and how many */
    const int32_t *weights; /* (count, size), in fractions of 2**WEIGHT_BITS */
} Windows;

/* Resizes the height of an image. */
void resize_columns(const uint8_t *from, uint8_t *to, ptrdiff_t row_bytes, const Windows *windows);

/* Resizes the width of an image (rows, columns, channels); -1 without memory. */
int resize_rows(
    const uint8_t *from, uint8_t *to, ptrdiff_t rows, ptrdiff_t columns, int channels,
    const Windows *windows
);

/* Undoes the filters of a PNG file's rows, which have a byte for their filter before them. There are
 * `rows` of them, of `row_bytes` without that byte. Returns -1 without memory, -2 for an unknown
 * filter. */
int unfilter(const uint8_t *from, uint8_t *to, ptrdiff_t rows, ptrdiff_t row_bytes, int pixel_bytes);

/* How an image is continued beyond its border. With WRAP, its first row and column follow its last
 * ones. */
typedef enum { NEAREST, REFLECT, MIRROR, WRAP } Fill;

typedef struct {
    ptrdiff_t rows, columns, out_rows, out_columns;
    int channels;
    Fill fill;
    int rounds;       /* to the nearest whole value; else fractions are cut off */
    double matrix[6]; /* from (column, row, 1) of the result to column and row of the image */
} Warp;

/* Warps an image (rows, columns, channels) with at least two rows and columns, and less than 2**31
 * bytes. */
void warp(const uint8_t *from, uint8_t *to, const Warp *warp);

#endif
