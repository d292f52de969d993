"""A permutation of 0..n-1 that is computed item by item, for very large data sets.

It is a Feistel network over the next power of two. A result outside 0..n-1 goes through the network
again until it is inside ("cycle walking": Black and Rogaway, "Ciphers with arbitrary finite
domains", 2002). The round function is the finalizer of splitmix64 (Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", 2014) with a key. It takes memory for the requested
items only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KeyedPermutation"]

_ROUNDS: Final = 8  # an even number, so that the halves are in their original places at the end
_LEAST_BITS: Final = 8  # halves of one bit would allow only a few permutations
_MULTIPLIERS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))

Words = NDArray[np.uint64]


class KeyedPermutation:
    """Maps each of n items to its place. Different keys give different permutations."""

    def __init__(self, n: int, key: tuple[int, ...]) -> None:
        """`n` in 1..2**62; `key` is a tuple of integers >= 0."""
        self.n = n
        bits = max(_LEAST_BITS, (n - 1).bit_length())
        self._bits = (bits // 2, bits - bits // 2)
        self._keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)

    def __call__(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the places of some items of 0..n-1."""
        placed = self._network(items.astype(np.uint64))
        outside = np.flatnonzero(placed >= self.n)
        while len(outside):
            placed[outside] = self._network(placed[outside])
            outside = outside[placed[outside] >= self.n]
        return placed.astype(np.int64)

    def _network(self, words: Words) -> Words:
        left_bits, right_bits = self._bits
        left, right = words >> np.uint64(right_bits), words & _mask(right_bits)
        for key in self._keys:
            left, right = right, (left ^ _mixed(right ^ key)) & _mask(left_bits)
            left_bits, right_bits = right_bits, left_bits
        return (left << np.uint64(right_bits)) | right


def _mask(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)


def _mixed(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * _MULTIPLIERS[0]
    words = (words ^ (words >> np.uint64(27))) * _MULTIPLIERS[1]
    return words ^ (words >> np.uint64(31))
