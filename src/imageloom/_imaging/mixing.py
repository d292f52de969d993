"""Mixes the images of a batch with one another: mixup and cutmix, as Keras' layers of these names.

mixup (arXiv:1710.09412) adds another image of the batch with a weight. cutmix (arXiv:1905.04899)
replaces a box by that of another image. What is drawn is a record; `Mixture.mix` applies it to images
and masks. Each image is mixed with the one whose number a permutation of the batch has in its place,
which may be itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import is_floating

__all__ = ["NO_MIXTURE", "MixOptions", "Mixture", "draw_mixture"]

_LEAST_ALPHA: Final = 1e-6  # as in Keras


@dataclass(frozen=True, slots=True)
class MixOptions:
    """How batches are mixed; with both, one of the two is drawn for each batch.

    Attributes:
        mixup: alpha of the beta distribution that weights are drawn from; 0 for no mixup.
        cutmix: the range that this alpha is drawn from for each batch; None for no cutmix.
    """

    mixup: float = 0.0
    cutmix: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Mixture:
    """What was drawn for the images of a batch.

    Attributes:
        partners: the number of the image that each is mixed with, (n,).
        weights: the share of each image itself, 0..1, (n,) float64.
        boxes: for cutmix the part of each image that its partner has: top, bottom, left and right,
            (n, 4); None for mixup.
    """

    partners: NDArray[np.int64]
    weights: NDArray[np.float64]
    boxes: NDArray[np.int64] | None = None

    def mix(self, images: NDArray[Any], *, channels_first: bool = False) -> None:
        """Mixes the images, or masks, of a batch in place; integers are rounded."""
        originals = images.copy()
        for number, partner in enumerate(self.partners.tolist()):
            if partner == number:
                continue
            if self.boxes is None:
                weight = float(self.weights[number])
                _blend(images[number, ...], originals[partner], weight)
            else:
                top, bottom, left, right = self.boxes[number].tolist()
                area = (slice(top, bottom), slice(left, right))
                place = (slice(None), *area) if channels_first else area
                images[number][place] = originals[partner][place]

    def mix_rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Returns a batch's rows of numbers, mixed: float32, or floats as they are."""
        dtype = rows.dtype if is_floating(rows.dtype) else np.dtype(np.float32)
        values: NDArray[Any] = rows.astype(np.float64)
        own = self.weights.reshape(-1, *[1] * (rows.ndim - 1))
        mixed: NDArray[Any] = own * values + (1 - own) * values[self.partners]
        return mixed.astype(dtype)


NO_MIXTURE: Final = Mixture(np.empty(0, np.int64), np.empty(0))
"""That of a batch without images."""


def draw_mixture(
    options: MixOptions, random: np.random.Generator, count: int, size: tuple[int, int]
) -> Mixture:
    """Draws how a batch is mixed.

    Args:
        options: how.
        random: where the numbers come from.
        count: the number of images.
        size: their height and width.
    """
    blends = bool(options.mixup)
    if options.cutmix is not None and blends:
        blends = bool(random.random() < 0.5)
    partners = random.permutation(count).astype(np.int64)
    if blends:
        return Mixture(partners, random.beta(options.mixup, options.mixup, count))
    assert options.cutmix is not None
    alpha = random.uniform(*options.cutmix) + _LEAST_ALPHA
    shares = np.sqrt(1 - random.beta(alpha, alpha, count))  # of each side
    boxes = np.empty((count, 4), np.int64)
    for axis, side in enumerate(size):
        length = shares * side
        start = random.random(count) * (side - length)
        # The pixels whose number is at least the start and below the end, as in Keras.
        boxes[:, 2 * axis] = np.ceil(start)
        boxes[:, 2 * axis + 1] = np.ceil(start + length)
    boxes = np.minimum(boxes, np.repeat(size, 2))
    areas = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
    # Of whole pixels, of which Keras takes the fractions, too.
    return Mixture(partners, 1 - areas / (size[0] * size[1]), boxes)


def _blend(image: NDArray[Any], partner: NDArray[Any], weight: float) -> None:
    """Adds a partner to an image in place."""
    if image.dtype.kind == "f" and image.dtype != np.float16:
        own, other = image.dtype.type(weight), image.dtype.type(1 - weight)
        image *= own
        image += other * partner
        return
    mixed = image.astype(np.float32) * weight + partner.astype(np.float32) * (1 - weight)
    if not is_floating(image.dtype):
        np.rint(mixed, out=mixed)
    np.copyto(image, mixed, casting="unsafe")
