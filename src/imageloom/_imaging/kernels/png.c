/* Undoing the row filters of PNG files for 32 rows at once.
 *
 * A byte is predicted from its left neighbour and from those above, so a row cannot be computed at
 * once. But when row k is k pixels behind row k - 1, all that one step needs was computed by earlier
 * steps: the left neighbour in the row itself, the upper ones in the row before. So a step computes one
 * byte of each of 32 rows.
 */

#include "kernels.h"
#include "vectors.h"

#include <stdlib.h>

#define ROWS 32 /* a step waits for the one before, so that two vectors take no longer than one */
#define HALVES (ROWS / LANES)
#define VECTORS (ROWS / SHORTS)
#define MOST_PIXEL_BYTES 4
#define LAST_FILTER 4

enum { NONE, SUB, UP, AVERAGE, PAETH };

#ifdef __AVX2__
#define LEAST(a, b) ((shorts)_mm256_min_epi16((__m256i)(a), (__m256i)(b)))
#define MAGNITUDE(a) ((shorts)_mm256_abs_epi16((__m256i)(a)))
#else
INLINE shorts least(shorts a, shorts b) {
    const shorts less = a < b;
    return (a & less) | (b & ~less);
}
#define LEAST(a, b) least(a, b)
#define MAGNITUDE(a) (-least(a, -(a)))
#endif

INLINE shorts pick(shorts where, shorts yes, shorts no) { return (yes & where) | (no & ~where); }

/* Moves each value to the next row; `above` comes into the first one. */
INLINE shorts next_rows(shorts values, int16_t above) {
#ifdef __AVX2__
    const __m256i v = (__m256i)values;
    shorts moved = (shorts)_mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 14);
#else
    shorts moved = __builtin_shufflevector(values, values, 7, 0, 1, 2, 3, 4, 5, 6);
#endif
    moved[0] = above;
    return moved;
}

/* The neighbour that is nearest to left + up - corner. */
INLINE shorts paeth(shorts left, shorts up, shorts corner) {
    const shorts up_away = MAGNITUDE(left - corner), left_away = MAGNITUDE(up - corner);
    const shorts corner_away = MAGNITUDE((left - corner) + (up - corner));
    const shorts nearest = LEAST(left_away, LEAST(up_away, corner_away));
    return pick(left_away == nearest, left, pick(up_away == nearest, up, corner));
}

/* Which rows have which filter, as masks. */
typedef struct {
    shorts of[LAST_FILTER + 1][VECTORS];
    int mixed; /* whether there are others than PAETH */
} Filters;

/* Returns -2 if there is an unknown filter. Rows that are missing get NONE. */
INLINE int filters_of(const uint8_t *const rows[ROWS], ptrdiff_t count, Filters *filters) {
    memset(filters, 0, sizeof *filters);
    for (int row = 0; row < ROWS; row++) {
        const int filter = row < count ? *rows[row] : NONE;
        if (filter > LAST_FILTER) return -2;
        filters->of[filter][row / SHORTS][row % SHORTS] = -1;
        filters->mixed |= filter != PAETH && row < count;
    }
    return 0;
}

/* Turns the rows into a column for each step, in which row k has its byte of k pixels before, or 0. */
INLINE void slant(
    const uint8_t *const rows[ROWS], ptrdiff_t row_bytes, ptrdiff_t steps, int skew, uint8_t *to
) {
    uint8_t edge[LANES][LANES];
    const uint8_t *from[LANES];
    for (int half = 0; half < HALVES; half++)
        for (ptrdiff_t step = 0; step < steps; step += LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                const int row = half * LANES + lane;
                const ptrdiff_t place = step - (ptrdiff_t)skew * row;
                const uint8_t *values = rows[row] + 1;
                if (place >= 0 && place + LANES <= row_bytes) {
                    from[lane] = values + place;
                    continue;
                }
                for (int i = 0; i < LANES; i++)
                    edge[lane][i] = place + i >= 0 && place + i < row_bytes ? values[place + i] : 0;
                from[lane] = edge[lane];
            }
            transpose(from, to + (half * steps + step) * LANES);
        }
}

/* The reverse. */
INLINE void straighten(
    const uint8_t *from, ptrdiff_t row_bytes, ptrdiff_t steps, int skew, uint8_t *to, ptrdiff_t count
) {
    uint8_t rows[LANES][LANES];
    const uint8_t *columns[LANES];
    for (int half = 0; half < HALVES; half++)
        for (ptrdiff_t step = 0; step < steps; step += LANES) {
            for (int i = 0; i < LANES; i++) columns[i] = from + (half * steps + step + i) * LANES;
            transpose(columns, rows[0]);
            for (int lane = 0; lane < LANES && half * LANES + lane < count; lane++) {
                const int row = half * LANES + lane;
                const ptrdiff_t place = step - (ptrdiff_t)skew * row;
                uint8_t *values = to + row * row_bytes;
                if (place >= 0 && place + LANES <= row_bytes)
                    memcpy(values + place, rows[lane], LANES);
                else
                    for (int i = 0; i < LANES; i++)
                        if (place + i >= 0 && place + i < row_bytes) values[place + i] = rows[lane][i];
            }
        }
}

/* Computes the columns of all steps in place. `above` is the row before the first one. Rows that have
 * not begun stay 0, because their neighbours are. */
INLINE void predict(
    uint8_t *columns, const uint8_t *above, ptrdiff_t row_bytes, ptrdiff_t steps, int skew,
    const Filters *filters
) {
    /* What the last steps have computed, and their upper neighbours; `skew` of them. */
    shorts computed[MOST_PIXEL_BYTES][VECTORS] = {{{0}}}, upper[MOST_PIXEL_BYTES][VECTORS] = {{{0}}};
    for (ptrdiff_t begun = 0; begun < steps; begun += skew)
        for (int channel = 0; channel < skew; channel++) {
            const ptrdiff_t step = begun + channel;
            shorts left[VECTORS];
            memcpy(left, computed[channel], sizeof left);
            for (int part = 0; part < VECTORS; part++) {
                const int row = part * SHORTS;
                uint8_t *column = columns + (row / LANES * steps + step) * LANES + row % LANES;
                const int16_t before = part               ? left[part - 1][SHORTS - 1]
                                       : step < row_bytes ? above[step]
                                                          : 0;
                const shorts up = next_rows(left[part], before), corner = upper[channel][part];
                shorts found = paeth(left[part], up, corner);
                if (filters->mixed)
                    found = (found & filters->of[PAETH][part]) | (left[part] & filters->of[SUB][part])
                            | (up & filters->of[UP][part])
                            | (((left[part] + up) >> 1) & filters->of[AVERAGE][part]);
                found = (found + load_shorts(column)) & 255;
                upper[channel][part] = up;
                computed[channel][part] = found;
                store_shorts(column, found);
            }
        }
}

INLINE int unfilter_all(
    const uint8_t *from, uint8_t *to, ptrdiff_t rows, ptrdiff_t row_bytes, int skew
) {
    /* A multiple of the lanes and of the bytes of a pixel. */
    const ptrdiff_t whole = (ptrdiff_t)LANES * (skew == 3 ? 3 : 1);
    const ptrdiff_t steps = (row_bytes + (ptrdiff_t)skew * (ROWS - 1) + whole - 1) / whole * whole;
    uint8_t *columns = malloc((size_t)steps * ROWS + (size_t)row_bytes);
    if (columns == NULL) return -1;
    uint8_t *const zeros = columns + steps * ROWS;
    memset(zeros, 0, (size_t)row_bytes);
    const uint8_t *above = zeros;
    int failed = 0;
    for (ptrdiff_t row = 0; row < rows && !failed; row += ROWS) {
        const ptrdiff_t count = rows - row < ROWS ? rows - row : ROWS;
        const uint8_t *block[ROWS];
        for (int i = 0; i < ROWS; i++) block[i] = from + (row_bytes + 1) * (row + (i < count ? i : 0));
        Filters filters;
        failed = filters_of(block, count, &filters);
        if (failed) break;
        slant(block, row_bytes, steps, skew, columns);
        predict(columns, above, row_bytes, steps, skew, &filters);
        straighten(columns, row_bytes, steps, skew, to + row_bytes * row, count);
        above = to + row_bytes * (row + count - 1);
    }
    free(columns);
    return failed;
}

int unfilter(const uint8_t *from, uint8_t *to, ptrdiff_t rows, ptrdiff_t row_bytes, int pixel_bytes) {
    /* The compiler makes a loop of its own for each size of pixels. */
    switch (pixel_bytes) {
    case 1:
        return unfilter_all(from, to, rows, row_bytes, 1);
    case 2:
        return unfilter_all(from, to, rows, row_bytes, 2);
    case 3:
        return unfilter_all(from, to, rows, row_bytes, 3);
    default:
        return unfilter_all(from, to, rows, row_bytes, 4);
    }
}
