"""What a worker writes of an image that a device will finish: its pixels, and what was drawn for it.

::

    geometry (2, 2 * (height + width))    whole numbers | fractions, each of four terms:
                                          of the input row, by output row and by output column;
                                          of the input column, likewise
    colours (3,)                          channel shift, brightness, contrast; not a number for none

The input position of a pixel is the sum of two terms. They are computed here, in 64 bits, which many
devices do not have. Flips are part of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrix, is_identity
from imageloom._options import TransformOptions

__all__ = ["DrawnImages"]

_COLOURS: Final = ("channel_shift_intensity", "brightness", "contrast")
_FAR: Final = 2.0**22  # float32 has all whole numbers up to four times this


class DrawnImages:
    """What is drawn for the images of a batch; written for all at once, in a tenth of the time."""

    def __init__(
        self,
        options: TransformOptions | None,
        size: tuple[int, int],
        geometry: NDArray[np.float32],
        colours: NDArray[np.float32],
    ) -> None:
        """Notes nothing yet.

        Args:
            options: says which geometry it is; None if nothing is drawn.
            size: height and width of the images.
            geometry: receives the positions of each image.
            colours: receives the parameters of the colours of each image.
        """
        self._options = options
        self._size = size
        self._geometry, self._colours = geometry, colours
        images = len(geometry)
        self._matrices = np.tile(np.eye(2), (images, 1, 1))
        self._offsets = np.zeros((images, 2))
        self._flips = np.zeros((images, 2), np.bool_)  # rows, columns

    def note(self, image: int, params: Mapping[str, Any], affine: Affine | None) -> None:
        """Notes what was drawn for an image.

        Args:
            image: its number in the batch.
            params: as `draw_transform` returns them; empty for none.
            affine: the matrix and offset of these parameters, if they are known already.
        """
        self._flips[image] = params.get("flip_vertical", 0), params.get("flip_horizontal", 0)
        if self._options is not None and (affine is not None or not is_identity(params)):
            corrected = self._options.corrected_geometry
            found = affine or affine_matrix(params, *self._size, corrected=corrected)
            self._matrices[image], self._offsets[image] = found
        for number, name in enumerate(_COLOURS):
            value = params.get(name)
            self._colours[image, number] = np.nan if value is None else value

    def write(self) -> None:
        """Writes the positions of all images."""
        rows, columns = (
            np.where(self._flips[:, axis, None], np.arange(side)[::-1], np.arange(side))
            for axis, side in enumerate(self._size)
        )
        matrices, offsets = self._matrices[..., None], self._offsets[..., None]
        terms = np.concatenate(
            (
                offsets[:, 0] + rows * matrices[:, 0, 0],
                columns * matrices[:, 0, 1],
                offsets[:, 1] + rows * matrices[:, 1, 0],
                columns * matrices[:, 1, 1],
            ),
            axis=1,
        )
        # Nothing is known of positions that are not numbers, but they must not be beyond all bounds.
        terms = np.clip(np.nan_to_num(terms), -_FAR, _FAR)
        whole = np.floor(terms)
        self._geometry[:, 0], self._geometry[:, 1] = whole, terms - whole
