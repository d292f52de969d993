/* An affine warp of bytes to bytes, bilinear, in fractions of 2**14.
 *
 * Positions are brought into the image first, as the fill mode wants it, so that all pixels go the same
 * way. The four weights of a pixel add up to exactly one, so that areas of one colour keep it.
 */

#include "kernels.h"
#include "vectors.h"

#define ONE_BITS 14
#define ONE (1 << ONE_BITS)
/* How many pixels' positions are computed at once. */
#define GROUP ((int)(sizeof(ints) / sizeof(int32_t)))
/* The bytes that are read for two neighbours. */
#define PAIR 8
#define CACHE_LINE 64
/* What the second-level cache holds beside other data. */
#define MOST_FETCHED ((ptrdiff_t)1 << 19)

typedef float floats __attribute__((vector_size(sizeof(ints))));

#ifdef __AVX2__
/* Not a number becomes `b` with both. */
#define GREATER(a, b) ((floats)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER(a, b) ((floats)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define SMALLER_INTS(a, b) ((ints)_mm256_min_epi32((__m256i)(a), (__m256i)(b)))
#define LARGER_INTS(a, b) ((ints)_mm256_max_epi32((__m256i)(a), (__m256i)(b)))
#else
INLINE ints pick(ints where, ints yes, ints no) { return (yes & where) | (no & ~where); }
#define GREATER(a, b) ((floats)pick((a) > (b), (ints)(a), (ints)(b)))
#define SMALLER(a, b) ((floats)pick((a) < (b), (ints)(a), (ints)(b)))
#define SMALLER_INTS(a, b) pick((a) < (b), a, b)
#define LARGER_INTS(a, b) pick((a) > (b), a, b)
#endif

INLINE floats whole(floats values) {
    return __builtin_convertvector(__builtin_convertvector(values, ints), floats);
}

INLINE floats lower(floats values) {
    const floats near = whole(values);
    return near - (floats)((near > values) & (ints)((floats){0} + 1));
}

/* Brings positions into 0 to length - 1. With WRAP, the image has its first row and column twice. */
INLINE floats inside(floats at, float length, Fill fill) {
    if (fill == REFLECT || fill == MIRROR) {
        const float shift = fill == REFLECT ? 0.5f : 0.0f;
        const float period = fill == REFLECT ? 2 * length : 2 * (length - 1);
        at += shift;
        at -= lower(at * (1 / period)) * period;
        at = SMALLER(at, period - at) - shift;
    } else if (fill == WRAP)
        at -= lower(at * (1 / (length - 1))) * (length - 1);
    at = GREATER(at, (floats){0}); /* what is not a number becomes 0 */
    return SMALLER(at, (floats){0} + (length - 1));
}

INLINE int has_any(ints where) {
#ifdef __AVX2__
    return !_mm256_testz_si256((__m256i)where, (__m256i)where);
#else
    int32_t found = 0;
    for (int i = 0; i < GROUP; i++) found |= where[i];
    return found != 0;
#endif
}

/* Where a group of pixels comes from: the place of the upper left neighbour, and the weights of all
 * four. */
typedef struct {
    ints place, upper_left, upper_right, lower_left, lower_right;
    int32_t half; /* what is added before fractions are cut off */
} Sources;

INLINE Sources sources_of(floats row, floats column, const Warp *warp, int channels, int within) {
    const ints last_row = (ints){0} + (int32_t)(warp->rows - 2);
    const ints last_column = (ints){0} + (int32_t)(warp->columns - 2);
    if (!within) {
        const float height = (float)warp->rows, width = (float)warp->columns;
        const ints outside =
            ~((row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1));
        const int any = warp->fill != NEAREST && has_any(outside);
        row = inside(row, height, any ? warp->fill : NEAREST);
        column = inside(column, width, any ? warp->fill : NEAREST);
    }
    ints upper = __builtin_convertvector(row, ints), left = __builtin_convertvector(column, ints);
    upper = SMALLER_INTS(upper, last_row);
    left = SMALLER_INTS(left, last_column);
    const floats down = row - __builtin_convertvector(upper, floats);
    const floats right = column - __builtin_convertvector(left, floats);
    const ints lower = __builtin_convertvector(down * ONE + 0.5f, ints);
    const ints righter = __builtin_convertvector(right * ONE + 0.5f, ints);
    const ints both = __builtin_convertvector(down * right * ONE + 0.5f, ints);
    Sources found;
    found.place = (upper * (int32_t)warp->columns + left) * channels;
    found.lower_right = LARGER_INTS(both, lower + righter - ONE); /* no weight is below 0 */
    found.lower_left = lower - found.lower_right;
    found.upper_right = righter - found.lower_right;
    found.upper_left = ONE - lower - found.upper_right;
    found.half = warp->rounds ? ONE / 2 : 0;
    return found;
}

/* One pixel at a time, for every processor. */
INLINE void blend_each(
    const uint8_t *from, ptrdiff_t row_bytes, const Sources *at, int channels, uint8_t *to
) {
    for (int i = 0; i < GROUP; i++)
        for (int channel = 0; channel < channels; channel++) {
            const uint8_t *upper = from + at->place[i] + channel, *lower = upper + row_bytes;
            const int32_t sum = at->half + upper[0] * at->upper_left[i]
                                + upper[channels] * at->upper_right[i] + lower[0] * at->lower_left[i]
                                + lower[channels] * at->lower_right[i];
            to[channels * i + channel] = (uint8_t)(sum >> ONE_BITS);
        }
}

#ifdef __AVX2__
/* Two weights of each pixel, as halves of 32 bits. */
INLINE __m256i paired(ints first, ints second) {
    return _mm256_blend_epi16((__m256i)first, _mm256_slli_epi32((__m256i)second, 16), 0xAA);
}

/* Where the pixels are. The compiler must not take these numbers out of the register one by one, which
 * takes longer. */
#define IN_MEMORY(array) __asm__("" : "+m"(array))

/* Two neighbours of two pixels each, with each channel of the neighbours side by side, as numbers of 16
 * bits. */
INLINE __m256i neighbours(const uint8_t *first, const uint8_t *second, int channels) {
    const __m128i apart = channels == 3
                              ? _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)
                              : _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1);
    const __m256i both = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)first)),
        _mm_loadl_epi64((const __m128i *)second), 1
    );
    return _mm256_shuffle_epi8(both, _mm256_broadcastsi128_si256(apart));
}

/* Blends eight pixels of three or four channels. Two neighbours of a row are read as eight bytes. */
INLINE void blend_colours(
    const uint8_t *from, ptrdiff_t row_bytes, const Sources *at, int channels, uint8_t *to
) {
    const __m256i upper = paired(at->upper_left, at->upper_right),
                  lower = paired(at->lower_left, at->lower_right);
    const __m256i half = _mm256_set1_epi32(at->half);
    int32_t place[8];
    _mm256_storeu_si256((__m256i *)place, (__m256i)at->place);
    IN_MEMORY(place);
    __m256i sums[4], number = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    for (int two = 0; two < 4; two++) {
        const uint8_t *first = from + place[2 * two], *second = from + place[2 * two + 1];
        const __m256i above = neighbours(first, second, channels);
        const __m256i below = neighbours(first + row_bytes, second + row_bytes, channels);
        const __m256i sum = _mm256_add_epi32(
            _mm256_madd_epi16(above, _mm256_permutevar8x32_epi32(upper, number)),
            _mm256_madd_epi16(below, _mm256_permutevar8x32_epi32(lower, number))
        );
        sums[two] = _mm256_srli_epi32(_mm256_add_epi32(sum, half), ONE_BITS);
        number = _mm256_add_epi32(number, _mm256_set1_epi32(2));
    }
    /* The even pixels in the lower half, the odd ones in the upper half. */
    const __m256i all =
        _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3]));
    const __m128i even = _mm256_castsi256_si128(all), odd = _mm256_extracti128_si256(all, 1);
    __m128i first = _mm_unpacklo_epi32(even, odd), second = _mm_unpackhi_epi32(even, odd);
    if (channels == 4) {
        _mm_storeu_si128((__m128i *)to, first);
        _mm_storeu_si128((__m128i *)(to + 16), second);
        return;
    }
    const __m128i close = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    first = _mm_shuffle_epi8(first, close);
    second = _mm_shuffle_epi8(second, close);
    const int32_t end = _mm_extract_epi32(second, 2);
    _mm_storeu_si128((__m128i *)to, first); /* the second one overwrites its last bytes */
    _mm_storel_epi64((__m128i *)(to + 12), second);
    memcpy(to + 20, &end, sizeof end);
}

/* Blends eight grey pixels. */
INLINE void blend_greys(const uint8_t *from, ptrdiff_t row_bytes, const Sources *at, uint8_t *to) {
    int32_t place[8];
    uint16_t above[8], below[8];
    _mm256_storeu_si256((__m256i *)place, (__m256i)at->place);
    IN_MEMORY(place);
    for (int i = 0; i < 8; i++) {
        memcpy(above + i, from + place[i], 2);
        memcpy(below + i, from + place[i] + row_bytes, 2);
    }
    const __m256i upper = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)above));
    const __m256i lower = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)below));
    const __m256i sums = _mm256_add_epi32(
        _mm256_madd_epi16(upper, paired(at->upper_left, at->upper_right)),
        _mm256_madd_epi16(lower, paired(at->lower_left, at->lower_right))
    );
    const __m256i values =
        _mm256_srli_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(at->half)), ONE_BITS);
    const __m128i packed =
        _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(packed, packed));
}
#endif

INLINE void blend(
    const uint8_t *from, ptrdiff_t row_bytes, const Sources *at, int channels, int32_t last, uint8_t *to
) {
#ifdef __AVX2__
    if (channels == 1) {
        blend_greys(from, row_bytes, at, to);
        return;
    }
    if (channels >= 3 && !has_any(at->place > last)) {
        blend_colours(from, row_bytes, at, channels, to);
        return;
    }
#else
    (void)last;
#endif
    blend_each(from, row_bytes, at, channels, to);
}

/* Whether a whole row of the result, with all of its last group, comes from within the image. */
INLINE int is_within(float column, float columns, float row, float rows, const Warp *warp) {
    const float last = (float)((warp->out_columns + GROUP - 1) / GROUP * GROUP - 1);
    const float end_column = column + last * columns, end_row = row + last * rows;
    const float width = (float)(warp->columns - 1), height = (float)(warp->rows - 1);
    return column >= 0 && end_column >= 0 && column <= width && end_column <= width && row >= 0
           && end_row >= 0 && row <= height && end_row <= height;
}

INLINE void warp_all(const uint8_t *from, uint8_t *to, const Warp *warp, int channels) {
    const ptrdiff_t row_bytes = warp->columns * channels;
    const int32_t last = (int32_t)(row_bytes * (warp->rows - 1) - PAIR);
    const double *m = warp->matrix;
    floats numbers;
    for (int i = 0; i < GROUP; i++) numbers[i] = (float)i;
    for (ptrdiff_t row = 0; row < warp->out_rows; row++) {
        const double y = (double)row;
        const float first_column = (float)(m[1] * y + m[2]), first_row = (float)(m[4] * y + m[5]);
        const int within = is_within(first_column, (float)m[0], first_row, (float)m[3], warp);
        for (ptrdiff_t column = 0; column < warp->out_columns; column += GROUP) {
            const floats x = numbers + (float)column;
            const Sources at = sources_of(
                x * (float)m[3] + first_row, x * (float)m[0] + first_column, warp, channels, within
            );
            const ptrdiff_t left = warp->out_columns - column;
            uint8_t *pixels = to + (row * warp->out_columns + column) * channels;
            if (left >= GROUP)
                blend(from, row_bytes, &at, channels, last, pixels);
            else {
                uint8_t few[GROUP * 4];
                blend(from, row_bytes, &at, channels, last, few);
                memcpy(pixels, few, (size_t)(left * channels));
            }
        }
    }
}

/* Asks for the whole image in the order of memory. A turned row crosses many lines of it, and would
 * wait for each. */
INLINE void fetch(const uint8_t *from, ptrdiff_t size) {
    for (ptrdiff_t place = 0; place < size && place < MOST_FETCHED; place += CACHE_LINE)
        __builtin_prefetch(from + place);
}

void warp(const uint8_t *from, uint8_t *to, const Warp *warp) {
    fetch(from, warp->rows * warp->columns * warp->channels);
    switch (warp->channels) { /* the compiler makes a loop of its own for each */
    case 1:
        warp_all(from, to, warp, 1);
        break;
    case 2:
        warp_all(from, to, warp, 2);
        break;
    case 3:
        warp_all(from, to, warp, 3);
        break;
    default:
        warp_all(from, to, warp, 4);
    }
}
