"""Draws the transforms of all images of a batch, and computes their matrices, in one step.

The numbers are the same to the last bit as those of `draw_transform` and `affine_matrix` for one image
after another, but take a tenth of the time. A dozen calls of NumPy for each image would take half as
long as the warp of a small image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrices, affine_matrix, is_identity
from imageloom._imaging.augment.bilinear import opencv_matrix
from imageloom._imaging.augment.draw import TransformParams, draw_as_keras, draw_own, draw_transform
from imageloom._options import TransformOptions

__all__ = ["BatchTransforms", "MirroredWarp"]

_FEW: Final = 4  # images that are drawn one by one, because columns take longer to set up

Stream = Callable[[], np.random.Generator]
_ANY_SIZE: Final = 1


class MirroredWarp(NamedTuple):
    """The geometry of one image.

    Attributes:
        matrix: the matrix (2, 3) from output to input positions, as OpenCV expects it, including the
            flips; None if there is nothing to do but to flip.
        horizontal: whether columns are mirrored.
        vertical: whether rows are mirrored.
        affine: the matrix and offset without the flips, which decide what is beyond the border.
    """

    matrix: NDArray[np.float64] | None
    horizontal: bool
    vertical: bool
    affine: Affine | None = None

    @classmethod
    def of(
        cls, params: TransformParams, affine: Affine | None, height: int, width: int
    ) -> MirroredWarp:
        """The geometry for the parameters of one image; `affine` is their matrix and offset."""
        flips = np.array([[params["flip_horizontal"], params["flip_vertical"]]], dtype=bool)
        matrix = None
        if affine is not None:
            matrix = _mirrored(affine[0][None], affine[1][None], flips, height, width)[0]
        return cls(matrix, bool(flips[0, 0]), bool(flips[0, 1]), affine)


class BatchTransforms:
    """The parameters and the geometry of each image of a batch, in the batch's order."""

    def __init__(
        self,
        rng: np.random.RandomState,
        options: TransformOptions,
        images: int,
        own_stream: Callable[[int], Stream],
    ) -> None:
        """Draws nothing yet.

        Args:
            rng: the random stream, as for `draw_transform`.
            options: the ranges to draw from.
            images: the number of images.
            own_stream: returns the `own_stream` of `draw_transform` for an image.
        """
        self._rng = rng
        self._options = options
        self._images = images
        self._own_stream = own_stream
        self._bounds = _bounds(options)
        self._uniforms: NDArray[np.float64] | None = None
        self._prepared: dict[tuple[int, int], _Prepared] = {}

    def of(self, image: int, height: int, width: int) -> tuple[TransformParams, Affine | None]:
        """The parameters of an image, and its matrix and offset, or None if they are the identity.

        Must be called for the images in their order.
        """
        prepared = self._prepare(height, width)
        if prepared is None:
            stream, corrected = self._own_stream(image), self._options.corrected_geometry
            params = draw_transform(self._rng, self._options, height, width, stream)
            if is_identity(params):
                return params, None
            return params, affine_matrix(params, height, width, corrected=corrected)
        params = {
            name: value[image].item() if isinstance(value, np.ndarray) else value
            for name, value in prepared.columns.items()
        }
        draw_own(params, self._options, self._own_stream(image))
        if not prepared.moves[image]:
            return params, None
        return params, (prepared.matrices[image], prepared.offsets[image])

    def warp_of(self, image: int, height: int, width: int) -> MirroredWarp:
        """Only the geometry of an image, which is faster."""
        prepared = self._prepared.get((height, width)) or self._prepare(height, width)
        if prepared is None:
            params, affine = self.of(image, height, width)
            return MirroredWarp.of(params, affine, height, width)
        if prepared.warps is None:
            prepared.warps = prepared.all_warps(height, width)
        return prepared.warps[image]

    def _prepare(self, height: int, width: int) -> _Prepared | None:
        """Draws for all images of a size; returns None if each image has to be drawn by itself."""
        if (height, width) in self._prepared:
            return self._prepared[height, width]
        if self._bounds is None or self._images <= _FEW:
            return None
        if self._uniforms is None:
            lows, highs = self._bounds
            # One row for each image, with the numbers that single calls would have drawn for it.
            self._uniforms = self._rng.uniform(lows, highs, (self._images, len(lows)))
        columns = draw_as_keras(_Columns(self._uniforms), self._options, height, width)
        moves = np.empty(self._images, bool)
        moves[...] = np.logical_not(is_identity(columns))
        flips = np.empty((self._images, 2), bool)
        flips[:, 0], flips[:, 1] = columns["flip_horizontal"], columns["flip_vertical"]
        # Where no image moves, nobody asks for the matrices, which take as long as a small image.
        images, corrected = self._images if moves.any() else 0, self._options.corrected_geometry
        prepared = _Prepared(
            columns,
            moves,
            *affine_matrices({} if not images else columns, images, height, width, corrected=corrected),
            flips,
        )
        self._prepared[height, width] = prepared
        return prepared


@dataclass(slots=True)
class _Prepared:
    """The parameters of all images, as columns, and their geometry if they have a certain size."""

    columns: TransformParams
    moves: NDArray[np.bool_]
    matrices: NDArray[np.float64]
    offsets: NDArray[np.float64]
    flips: NDArray[np.bool_]
    warps: list[MirroredWarp] | None = None

    def all_warps(self, height: int, width: int) -> list[MirroredWarp]:
        """The geometry of all images, because to pick numbers out of arrays takes longer for each."""
        moves, flips = self.moves.tolist(), self.flips.tolist()
        if not any(moves):
            return [MirroredWarp(None, across, down) for across, down in flips]
        mirrored = _mirrored(self.matrices, self.offsets, self.flips, height, width)
        affines = zip(self.matrices, self.offsets, strict=True)
        return [
            MirroredWarp(matrix if moved else None, across, down, affine if moved else None)
            for matrix, moved, (across, down), affine in zip(
                mirrored, moves, flips, affines, strict=True
            )
        ]


def _mirrored(
    matrices: NDArray[np.float64],
    offsets: NDArray[np.float64],
    flips: NDArray[np.bool_],
    height: int,
    width: int,
) -> NDArray[np.float64]:
    """Matrices (n, 2, 3) for OpenCV that mirror the output positions before anything else."""
    linear = opencv_matrix(matrices, offsets)
    for axis, last in ((0, width - 1), (1, height - 1)):
        mirrored = flips[:, axis, None]
        if not mirrored.any():
            continue
        linear[..., 2] += np.where(mirrored, linear[..., axis] * last, 0.0)
        linear[..., axis] *= np.where(mirrored, -1.0, 1.0)
    return linear


class _CannotBeDrawnAhead(Exception):
    """Some draw is no uniform number, so that its numbers cannot be drawn for all images at once."""


class _Recorder:
    """Replaces a `RandomState` to record the bounds of all numbers that are drawn."""

    def __init__(self) -> None:
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        self.bounds += [(low, high)] * (1 if size is None else size)
        return low if size is None else [low] * size

    def random_sample(self) -> float:
        return float(self.uniform(0.0, 1.0))

    def choice(self, values: Any) -> Any:
        raise _CannotBeDrawnAhead


class _Columns:
    """Replaces a `RandomState` and returns numbers drawn before, as columns for all images."""

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self._columns = iter(numbers.T)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        return next(self._columns) if size is None else [next(self._columns) for _ in range(size)]

    def random_sample(self) -> NDArray[np.float64]:
        column: NDArray[np.float64] = next(self._columns)
        return column


def _bounds(options: TransformOptions) -> tuple[list[float], list[float]] | None:
    """The bounds of the numbers that are drawn for an image, or None if not all are uniform."""
    recorder = _Recorder()
    try:
        draw_as_keras(recorder, options, _ANY_SIZE, _ANY_SIZE)
    except _CannotBeDrawnAhead:
        return None
    return [low for low, _ in recorder.bounds], [high for _, high in recorder.bounds]
