"""Finds images that are copies of each other: encoded again, resized, slightly cropped, or brightened.

Candidates are pairs whose perceptual hashes differ in few bits. All pairs are looked at, by blocks of
XOR and bit counts in NumPy: 100,000 images take seconds, next to minutes for decoding them. An index of
bands of the hash would only be quicker for fewer bits than a crop changes. A picture that resembles
very many others keeps its best candidates only, so time and memory stay within bounds whatever the set.

Hashes alone take scenes of the same layout for copies. So the fine structure of two candidates is
correlated, at some offsets and scales, because a crop shifts and enlarges. How much correlation means
a copy depends on the set: photographs of different things have next to none, but all solar cells, X-ray
images or digits look alike. The threshold therefore lies above what chance gives in this set, and in a
gap between copies and what is merely alike; where there is no gap, nothing is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.look import THUMBNAIL_SIDE
from imageloom._imaging.opencv import cv2

__all__ = ["near_duplicates"]

Pairs = NDArray[np.intp]  # (pairs, 2)
Numbers = NDArray[Any]  # of 32 bits

_LARGEST_DISTANCE: Final = 13  # bits of 64, which a crop by 4 % changes at most as a rule
_ROWS: Final = 32  # images that are compared with all later ones in one piece
_COLUMNS: Final = 2048
_CONSIDERED: Final = 256  # candidates of an image, by distance
_MATCHED: Final = 4  # candidates of an image, by correlation of coarse structure
_COARSE_SIDE: Final = THUMBNAIL_SIDE // 2
_LEAST_COARSE: Final = 0.45  # of copies that are shifted by a corner crop
_SMOOTHING: Final = 2.0  # pixels: what is coarser does not count as structure
_SCALES: Final = (32, 33, 34, 36)  # sides: the images are enlarged by up to an eighth
_MARGIN: Final = 3  # pixels by which a crop may shift the image
_SAMPLE: Final = 300  # pairs by chance
_FEWEST: Final = 10  # images among which chance can be measured
# Thresholds are Fisher's z, the inverse hyperbolic tangent of a correlation.
_LEAST: Final = 1.1  # a correlation of 0.8
_MOST_BY_CHANCE: Final = 2.3  # 0.98
_HIGHEST: Final = 4.5  # 0.9998
_STEP: Final = 0.25
_GAP: Final = 0.5
_DEVIATIONS: Final = 6.0  # above chance, so that none of billions of pairs is expected there


def near_duplicates(
    hashes: NDArray[np.uint64],
    thumbnails: NDArray[np.uint8],
    run: Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]] = map,
    advance: Callable[[int], object] = lambda count: None,
) -> list[list[int]]:
    """Returns the groups of images that are copies of each other, as sorted lists of numbers.

    Args:
        hashes: (images,), as `look_at` gives them.
        thumbnails: (images, 32, 32), likewise.
        run: a `map` that may work in threads.
        advance: is called with the number of further images that have been compared.
    """
    total = len(hashes)
    coarse = _coarse_structure(thumbnails)
    pyramid = lru_cache(maxsize=1024)(lambda number: _structure_at_scales(thumbnails[number]))

    def score(one: int, other: int) -> float:
        return _score(pyramid(one), pyramid(other))

    def matched(start: int) -> tuple[Pairs, list[float]]:
        pairs = _candidates(hashes, coarse, start)
        return pairs, [score(one, other) for one, other in pairs.tolist()]

    found: list[Pairs] = []
    scores: list[float] = []
    for pairs, their_scores in run(matched, range(0, total, _ROWS)):
        found.append(pairs)
        scores += their_scores
        advance(min(_ROWS, total - _ROWS * (len(found) - 1)))
    if not scores:
        return []
    level = _least_score(np.array(scores), _by_chance(total, score))
    return _groups(np.concatenate(found)[np.array(scores) >= level])


def _candidates(hashes: NDArray[np.uint64], coarse: NDArray[np.int8], start: int) -> Pairs:
    """The best pairs of each image of a block, which begins at `start`, with later images."""
    rows, columns, distances = _close(hashes, start)
    nearest = _first_of_rows(rows, distances, _CONSIDERED)
    pairs = np.stack((rows[nearest], columns[nearest]), axis=1)
    alike = _cosines(coarse, pairs)
    pairs, alike = pairs[alike >= _LEAST_COARSE], alike[alike >= _LEAST_COARSE]
    best: Pairs = pairs[_first_of_rows(pairs[:, 0], -alike, _MATCHED)]
    return best


def _close(
    hashes: NDArray[np.uint64], start: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
    """The numbers of images of a block, of later images with a close hash, and the distances."""
    total = len(hashes)
    block = hashes[start : start + _ROWS, None]
    found = []
    # Parts that fit into the processor's cache take half the time of whole rows.
    for left in range(start, total, _COLUMNS):
        distances = np.bitwise_count(block ^ hashes[None, left : left + _COLUMNS])
        places = np.flatnonzero(distances <= _LARGEST_DISTANCE)
        if len(places):
            rows, columns = np.divmod(places, distances.shape[1])
            rows, columns = rows + start, columns + left
            later = columns > rows
            found.append((rows[later], columns[later], distances.ravel()[places[later]]))
    rows, columns, close = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows, columns, close


def _first_of_rows(rows: NDArray[np.intp], keys: NDArray[Any], count: int) -> NDArray[np.intp]:
    """The places of at most so many entries of each row, those with the smallest keys."""
    order = np.lexsort((keys, rows))
    ordered = rows[order]
    return order[np.arange(len(rows)) - np.searchsorted(ordered, ordered) < count]


def _coarse_structure(thumbnails: NDArray[np.uint8]) -> NDArray[np.int8]:
    """The structure of all images, (images, 256): in few bytes, because all are kept."""
    coarse = np.empty((len(thumbnails), _COARSE_SIDE**2), np.int8)
    for number, thumbnail in enumerate(thumbnails):
        small = cv2.resize(thumbnail, (_COARSE_SIDE, _COARSE_SIDE), interpolation=cv2.INTER_AREA)
        structure = _structure(small.astype(np.float32)).ravel()
        structure -= structure.mean()
        structure *= 127 / max(1e-6, float(np.abs(structure).max()))
        coarse[number] = np.rint(structure)
    return coarse


def _cosines(vectors: NDArray[np.int8], pairs: Pairs) -> Numbers:
    cosines = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _COARSE_SIDE**2):
        part = slice(start, start + _COARSE_SIDE**2)
        one, other = (vectors[pairs[part, side]].astype(np.float32) for side in (0, 1))
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines[part] = np.einsum("ij,ij->i", one, other) / np.maximum(norms, 1e-6)
    return cosines


def _structure(image: Numbers) -> Numbers:
    structure: Numbers = image - cv2.GaussianBlur(image, (0, 0), _SMOOTHING)
    return structure


def _structure_at_scales(thumbnail: NDArray[np.uint8]) -> list[Numbers]:
    image = thumbnail.astype(np.float32)
    return [
        _structure(
            image
            if side == THUMBNAIL_SIDE
            else cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        )
        for side in _SCALES
    ]


def _score(one: list[Numbers], other: list[Numbers]) -> float:
    """How well the middle of one image is found in the other at the best place and scale, as z."""
    best = max(_correlation(one[0], image) for image in other)
    best = max(best, *(_correlation(other[0], image) for image in one[1:]))
    return float(np.arctanh(min(best, 1 - 1e-6)))


def _correlation(image: Numbers, larger: Numbers) -> float:
    middle = image[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return float(cv2.matchTemplate(larger, middle, cv2.TM_CCOEFF_NORMED).max())


def _by_chance(count: int, score: Callable[[int, int], float]) -> float:
    """A score that two different images of this set do not have by chance."""
    if count < _FEWEST:
        return _LEAST
    one, other = np.random.default_rng(count).integers(0, count, (2, _SAMPLE))
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    scores = np.array([score(*pair) for pair in pairs if len({*pair}) > 1])
    median = float(np.median(scores))
    deviation = 1.4826 * float(np.median(np.abs(scores - median)))  # of a normal distribution
    return min(max(median + _DEVIATIONS * deviation, _LEAST), _MOST_BY_CHANCE)


def _least_score(scores: NDArray[np.float64], least: float) -> float:
    """The least score from which on there are copies: far fewer pairs lie just below than above it."""
    for level in np.arange(least, _HIGHEST, _STEP).tolist():
        above = int((scores >= level).sum())
        below = int(((scores >= level - _GAP) & (scores < level)).sum())
        if 2 * below <= above:
            return float(level)
    return _HIGHEST


def _groups(pairs: Pairs) -> list[list[int]]:
    """The connected components."""
    leader: dict[int, int] = {}

    def find(number: int) -> int:
        while (above := leader.setdefault(number, number)) != number:
            leader[number] = leader[above]
            number = above
        return number

    for one, other in pairs.tolist():
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for number in sorted(leader):
        groups.setdefault(find(number), []).append(number)
    return list(groups.values())
