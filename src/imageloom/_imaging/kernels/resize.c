/* Resizing of bytes with Pillow's arithmetic: whole numbers, rounded after each direction. */

#include "kernels.h"
#include "vectors.h"

#include <stdlib.h>

#define HALF ((int32_t)1 << (WEIGHT_BITS - 1))

/* 16 sums of bytes that lie `step` apart, times weights. */
INLINE bytes weighted(const uint8_t *from, ptrdiff_t step, const int32_t *weights, int32_t count) {
    ints sums[PARTS], values[PARTS];
    for (int part = 0; part < PARTS; part++) sums[part] = (ints){0} + HALF;
    for (int32_t i = 0; i < count; i++, from += step) {
        widen(from, values);
        for (int part = 0; part < PARTS; part++) sums[part] += values[part] * weights[i];
    }
    for (int part = 0; part < PARTS; part++) sums[part] >>= WEIGHT_BITS;
    return narrow(sums);
}

INLINE uint8_t
weighted_one(const uint8_t *from, ptrdiff_t step, const int32_t *weights, int32_t count) {
    int32_t sum = HALF;
    for (int32_t i = 0; i < count; i++) sum += from[step * i] * weights[i];
    sum >>= WEIGHT_BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

void resize_columns(const uint8_t *from, uint8_t *to, ptrdiff_t row_bytes, const Windows *windows) {
    for (ptrdiff_t row = 0; row < windows->count; row++, to += row_bytes) {
        const int32_t *weights = windows->weights + row * windows->size;
        const int32_t count = windows->bounds[2 * row + 1];
        const uint8_t *first = from + row_bytes * windows->bounds[2 * row];
        ptrdiff_t place = 0;
        for (; place + LANES <= row_bytes; place += LANES)
            store(to + place, weighted(first + place, row_bytes, weights, count));
        for (; place < row_bytes; place++)
            to[place] = weighted_one(first + place, row_bytes, weights, count);
    }
}

/* Writes 16 rows of bytes as columns of 16 bytes each. They are filled up with zeros. */
INLINE void to_columns(const uint8_t *const rows[LANES], ptrdiff_t row_bytes, uint8_t *columns) {
    const uint8_t *from[LANES];
    ptrdiff_t place = 0;
    for (; place + LANES <= row_bytes; place += LANES) {
        for (int row = 0; row < LANES; row++) from[row] = rows[row] + place;
        transpose(from, columns + LANES * place);
    }
    if (place < row_bytes) {
        uint8_t rest[LANES][LANES] = {{0}};
        for (int row = 0; row < LANES; row++) {
            memcpy(rest[row], rows[row] + place, (size_t)(row_bytes - place));
            from[row] = rest[row];
        }
        transpose(from, columns + LANES * place);
    }
}

/* The reverse; only the first `count` rows are written. */
INLINE void to_rows(const uint8_t *columns, uint8_t *to, ptrdiff_t row_bytes, ptrdiff_t count) {
    const uint8_t *from[LANES];
    uint8_t rows[LANES][LANES];
    for (ptrdiff_t place = 0; place < row_bytes; place += LANES) {
        for (int column = 0; column < LANES; column++)
            from[column] = columns + LANES * (place + column);
        transpose(from, rows[0]);
        const ptrdiff_t left = row_bytes - place;
        if (left >= LANES) /* a copy of constant size is one instruction */
            for (ptrdiff_t row = 0; row < count; row++)
                memcpy(to + row * row_bytes + place, rows[row], LANES);
        else
            for (ptrdiff_t row = 0; row < count; row++)
                memcpy(to + row * row_bytes + place, rows[row], (size_t)left);
    }
}

INLINE void narrow_rows(const uint8_t *columns, uint8_t *to, int channels, const Windows *windows) {
    for (ptrdiff_t column = 0; column < windows->count; column++) {
        const int32_t *weights = windows->weights + column * windows->size;
        const uint8_t *first = columns + (ptrdiff_t)LANES * channels * windows->bounds[2 * column];
        for (int channel = 0; channel < channels; channel++, to += LANES)
            store(
                to,
                weighted(
                    first + LANES * channel, LANES * channels, weights, windows->bounds[2 * column + 1]
                )
            );
    }
}

int resize_rows(
    const uint8_t *from, uint8_t *to, ptrdiff_t rows, ptrdiff_t columns, int channels,
    const Windows *windows
) {
    const ptrdiff_t before = columns * channels, after = windows->count * channels;
    const ptrdiff_t padded = (before + LANES - 1) / LANES * LANES,
                    padded_after = (after + LANES - 1) / LANES * LANES;
    uint8_t *turned = malloc((size_t)LANES * (size_t)(padded + padded_after));
    if (turned == NULL) return -1;
    uint8_t *resized = turned + LANES * padded;
    for (ptrdiff_t row = 0; row < rows; row += LANES) {
        const ptrdiff_t count = rows - row < LANES ? rows - row : LANES;
        const uint8_t *block[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) block[i] = from + before * (row + (i < count ? i : 0));
        to_columns(block, before, turned);
        if (channels == 1)
            narrow_rows(turned, resized, 1, windows);
        else if (channels == 3)
            narrow_rows(turned, resized, 3, windows);
        else
            narrow_rows(turned, resized, channels, windows);
        to_rows(resized, to + after * row, after, count);
    }
    free(turned);
    return 0;
}
