/* Vectors of 16 values, for the processor that this file is compiled for.
 *
 * GCC and Clang compile these types for every processor. Where they do not find the best instructions,
 * those of AVX2 are named.
 */
#ifndef IMAGELOOM_VECTORS_H
#define IMAGELOOM_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The kernels need GCC or Clang, and a little-endian processor."
#endif
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define LANES 16

typedef uint8_t bytes __attribute__((vector_size(LANES)));

/* A register full of numbers of 16 and of 32 bits; 16 of the latter are an array of PARTS registers. */
#ifdef __AVX2__
typedef int16_t shorts __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));
#else
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
#endif
#define SHORTS ((int)(sizeof(shorts) / sizeof(int16_t)))
#define PARTS ((int)(LANES * sizeof(int32_t) / sizeof(ints)))

INLINE bytes load(const uint8_t *from) {
    bytes found;
    memcpy(&found, from, sizeof found);
    return found;
}

INLINE void store(uint8_t *to, bytes values) { memcpy(to, &values, sizeof values); }

/* As many bytes as a register has shorts. */
INLINE shorts load_shorts(const uint8_t *from) {
#ifdef __AVX2__
    return (shorts)_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
#else
    bytes found = {0};
    const bytes zero = {0};
    memcpy(&found, from, SHORTS);
    return (shorts)__builtin_shufflevector(
        found, zero, 0, 16, 1, 16, 2, 16, 3, 16, 4, 16, 5, 16, 6, 16, 7, 16
    );
#endif
}

/* The reverse, for numbers that are bytes. */
INLINE void store_shorts(uint8_t *to, shorts values) {
#ifdef __AVX2__
    const __m256i v = (__m256i)values;
    _mm_storeu_si128(
        (__m128i *)to, _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1))
    );
#else
    const bytes all = (bytes)values;
    const bytes low =
        __builtin_shufflevector(all, all, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14);
    memcpy(to, &low, SHORTS);
#endif
}

/* 16 bytes as numbers of 32 bits. */
INLINE void widen(const uint8_t *from, ints to[PARTS]) {
#ifdef __AVX2__
    for (int part = 0; part < PARTS; part++)
        to[part] = (ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + 8 * part)));
#else
    const bytes all = load(from), zero = {0};
    const bytes low =
        __builtin_shufflevector(all, zero, 0, 16, 1, 16, 2, 16, 3, 16, 4, 16, 5, 16, 6, 16, 7, 16);
    const bytes high = __builtin_shufflevector(
        all, zero, 8, 16, 9, 16, 10, 16, 11, 16, 12, 16, 13, 16, 14, 16, 15, 16
    );
    to[0] = (ints)__builtin_shufflevector(
        low, zero, 0, 1, 16, 16, 2, 3, 16, 16, 4, 5, 16, 16, 6, 7, 16, 16
    );
    to[1] = (ints)__builtin_shufflevector(
        low, zero, 8, 9, 16, 16, 10, 11, 16, 16, 12, 13, 16, 16, 14, 15, 16, 16
    );
    to[2] = (ints)__builtin_shufflevector(
        high, zero, 0, 1, 16, 16, 2, 3, 16, 16, 4, 5, 16, 16, 6, 7, 16, 16
    );
    to[3] = (ints)__builtin_shufflevector(
        high, zero, 8, 9, 16, 16, 10, 11, 16, 16, 12, 13, 16, 16, 14, 15, 16, 16
    );
#endif
}

/* 16 numbers as bytes; what is below 0 or above 255 becomes that. */
INLINE bytes narrow(const ints from[PARTS]) {
#ifdef __AVX2__
    const __m256i halves = _mm256_packs_epi32((__m256i)from[0], (__m256i)from[1]);
    const __m256i sorted =
        _mm256_permute4x64_epi64(halves, 0xD8); /* it packs each half of the register */
    return (bytes)_mm_packus_epi16(_mm256_castsi256_si128(sorted), _mm256_extracti128_si256(sorted, 1));
#else
    bytes clipped[PARTS];
    for (int part = 0; part < PARTS; part++) {
        const ints most = {255, 255, 255, 255}, positive = from[part] & (from[part] > 0);
        const ints fits = positive < most;
        clipped[part] = (bytes)((positive & fits) | (most & ~fits));
    }
    const bytes low = __builtin_shufflevector(
        clipped[0], clipped[1], 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28
    );
    const bytes high = __builtin_shufflevector(
        clipped[2], clipped[3], 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28
    );
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
#endif
}

/* Writes 16 bytes of each of 16 rows as 16 columns, one after the other. */
INLINE void transpose(const uint8_t *const from[LANES], uint8_t *to) {
    bytes rows[LANES], mixed[LANES];
    for (int row = 0; row < LANES; row++) rows[row] = load(from[row]);
    /* Each step mixes rows that are 8 apart; after four, every byte is in its place. */
    for (int step = 0; step < 4; step++) {
        for (int row = 0; row < LANES / 2; row++) {
            const bytes upper = rows[row], lower = rows[row + LANES / 2];
            mixed[2 * row] = __builtin_shufflevector(
                upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
            );
            mixed[2 * row + 1] = __builtin_shufflevector(
                upper, lower, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
            );
        }
        memcpy(rows, mixed, sizeof rows);
    }
    for (int row = 0; row < LANES; row++) store(to + LANES * row, rows[row]);
}

#endif
