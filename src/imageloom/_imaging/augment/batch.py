"""Draws the transforms of all images of a batch, and computes their matrices, in one step.

The numbers are the same to the last bit as those of `draw_transform` and `affine_matrix` for one image
after another, but take a tenth of the time. A dozen calls of NumPy for each image would take half as
long as the warp of a small image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrices, affine_matrix, is_identity
from imageloom._imaging.augment.bilinear import opencv_matrix
from imageloom._imaging.augment.draw import TransformParams, draw_as_keras, draw_own, draw_transform
from imageloom._imaging.augment.grid import Within, columns_within
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
        within: what is not beyond a constant border, as `columns_within` returns it, if it is known.
    """

    matrix: NDArray[np.float64] | None
    horizontal: bool
    vertical: bool
    affine: Affine | None = None
    within: Within | None = None

    @classmethod
    def of(
        cls, params: Mapping[str, Any], affine: Affine | None, height: int, width: int
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
        self._numbers: list[NDArray[Any]] | None = None  # a column for each draw
        self._prepared: dict[tuple[int, int], _Prepared] = {}

    @cached_property
    def _own(self) -> list[TransformParams]:
        """What Keras does not draw, for all images: between their pixels, it would take longer."""
        drawn: list[TransformParams] = [{} for _ in range(self._images)]
        for image, params in enumerate(drawn):
            draw_own(params, self._options, self._own_stream(image))
        return drawn

    def warp_and_colours_of(
        self, image: int, height: int, width: int
    ) -> tuple[MirroredWarp, TransformParams]:
        """The geometry of an image, and at least those parameters that change its colours."""
        if self._prepare(height, width) is None:
            params, affine = self.of(image, height, width)
            return MirroredWarp.of(params, affine, height, width), params
        shift: Any = self._prepared[height, width].columns["channel_shift_intensity"]
        params = {"channel_shift_intensity": None if shift is None else shift[image].item()}
        params |= self._own[image]
        return self.warp_of(image, height, width), params

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
        params = dict(zip(prepared.columns, prepared.rows[image], strict=True))
        params |= self._own[image]
        if not prepared.moves[image]:
            return params, None
        return params, (prepared.matrices[image], prepared.offsets[image])

    def within(self, image: int, height: int, width: int) -> Within | None:
        """What of an image is not beyond a constant border; None if not known, or not needed."""
        prepared = self._prepare(height, width)
        if prepared is None or not prepared.moves[image] or self._options.fill_mode != "constant":
            return None
        found: Within = prepared.within(height, width)[image]
        return found

    def warp_of(self, image: int, height: int, width: int) -> MirroredWarp:
        """Only the geometry of an image, which is faster."""
        prepared = self._prepared.get((height, width)) or self._prepare(height, width)
        if prepared is None:
            params, affine = self.of(image, height, width)
            return MirroredWarp.of(params, affine, height, width)
        if prepared.warps is None:
            constant = self._options.fill_mode == "constant"
            prepared.warps = prepared.all_warps(height, width, constant=constant)
        return prepared.warps[image]

    def _prepare(self, height: int, width: int) -> _Prepared | None:
        """Draws for all images of a size; returns None if there are so few that each is drawn alone."""
        if (height, width) in self._prepared:
            return self._prepared[height, width]
        if self._images <= _FEW:
            return None
        if self._numbers is None:
            self._numbers = _draw_columns(self._rng, _draws(self._options), self._images)
        columns = draw_as_keras(_Columns(self._numbers), self._options, height, width)
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


@dataclass
class _Prepared:
    """The parameters of all images, as columns, and their geometry if they have a certain size."""

    columns: TransformParams
    moves: NDArray[np.bool_]
    matrices: NDArray[np.float64]
    offsets: NDArray[np.float64]
    flips: NDArray[np.bool_]
    warps: list[MirroredWarp] | None = None
    _within: Within | None = None

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        """The parameters of each image, because to pick numbers out of arrays takes longer."""
        images = len(self.moves)
        columns = (
            value.tolist() if isinstance(value, np.ndarray) else [value] * images
            for value in self.columns.values()
        )
        return list(zip(*columns, strict=True))

    def within(self, height: int, width: int) -> Within:
        """The `columns_within` of all images."""
        if self._within is None:
            self._within = columns_within(self.matrices, self.offsets, height, width)
        return self._within

    def all_warps(self, height: int, width: int, *, constant: bool) -> list[MirroredWarp]:
        """The geometry of all images, because to pick numbers out of arrays takes longer for each."""
        moves, flips = self.moves.tolist(), self.flips.tolist()
        if not any(moves):
            return [MirroredWarp(None, across, down) for across, down in flips]
        mirrored = _mirrored(self.matrices, self.offsets, self.flips, height, width)
        affines = zip(self.matrices, self.offsets, strict=True)
        within = self.within(height, width) if constant else [None] * len(moves)
        return [
            MirroredWarp(matrix, across, down, affine, ends)
            if moved
            else MirroredWarp(None, across, down)
            for matrix, moved, (across, down), affine, ends in zip(
                mirrored, moves, flips, affines, within, strict=True
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


@dataclass(frozen=True, slots=True)
class _Draw:
    """How one number is drawn: uniformly, or as one of some values."""

    low: float = 0.0
    high: float = 1.0
    values: NDArray[Any] | None = None


class _Recorder:
    """Replaces a `RandomState` to record what is drawn."""

    def __init__(self) -> None:
        self.draws: list[_Draw] = []
        self._trial: np.random.RandomState | None = None

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        self.draws += [_Draw(low, high)] * (1 if size is None else size)
        return low if size is None else [low] * size

    def random_sample(self) -> float:
        return float(self.uniform(0.0, 1.0))

    def choice(self, values: Any) -> Any:
        if self._trial is None:  # to make one takes as long as an image; it locks, so no others use it
            self._trial = np.random.RandomState(0)
        found = self._trial.choice(values)  # it knows from what cannot be chosen
        self.draws.append(_Draw(values=np.arange(values) if np.ndim(values) == 0 else np.array(values)))
        return found


class _Columns:
    """Replaces a `RandomState` and returns numbers drawn before, as columns for all images."""

    def __init__(self, numbers: Iterable[NDArray[Any]]) -> None:
        self._columns = iter(numbers)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        return next(self._columns) if size is None else [next(self._columns) for _ in range(size)]

    def random_sample(self) -> NDArray[np.float64]:
        column: NDArray[np.float64] = next(self._columns)
        return column

    def choice(self, values: Any) -> NDArray[Any]:
        return next(self._columns)


def _draws(options: TransformOptions) -> list[_Draw]:
    """What is drawn for an image, in this order."""
    recorder = _Recorder()
    draw_as_keras(recorder, options, _ANY_SIZE, _ANY_SIZE)
    return recorder.draws


def _draw_columns(
    rng: np.random.RandomState, draws: Sequence[_Draw], images: int
) -> list[NDArray[Any]]:
    """The numbers that single calls would have drawn for one image after the other."""
    if all(draw.values is None for draw in draws):
        lows, highs = [draw.low for draw in draws], [draw.high for draw in draws]
        return list(rng.uniform(lows, highs, (images, len(draws))).T)
    # A `RandomState` chooses by such an index, with checks that take five times as long.
    calls: list[Callable[[], Any]] = []
    for draw in draws:
        if draw.values is not None:
            calls.append(partial(rng.randint, 0, len(draw.values)))
        elif (draw.low, draw.high) == (0.0, 1.0):
            calls.append(rng.random_sample)  # the same number in a sixth of the time
        else:
            calls.append(partial(rng.uniform, draw.low, draw.high))
    drawn = zip(*([call() for call in calls] for _ in range(images)), strict=True)
    return [
        np.array(column) if draw.values is None else draw.values[np.array(column)]
        for draw, column in zip(draws, drawn, strict=True)
    ]
