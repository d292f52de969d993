"""The transforms of a batch's images, drawn and made into matrices in one go.

The numbers are those of `draw_transform` and `affine_matrix` for one image after the other, to the
last bit; together they cost a tenth of it. A dozen calls of NumPy per image are as long as half a warp
of a small image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from imageloom.augment.affine import Affine, affine_matrices, is_identity
from imageloom.augment.draw import TransformParams, draw_transform
from imageloom.options import TransformOptions

__all__ = ["BatchTransforms"]

Stream = Callable[[], np.random.Generator]
_ANY_SIZE: Final = 1


class BatchTransforms:
    """Parameters and matrix of each image of one batch, in the batch's order."""

    def __init__(
        self,
        rng: np.random.RandomState,
        options: TransformOptions,
        images: int,
        own_stream: Callable[[int], Stream],
    ) -> None:
        """Nothing is drawn before it is asked for.

        Args:
            rng: as for `draw_transform`.
            options: what may be drawn.
            images: how many there are.
            own_stream: by image, as for `draw_transform`.
        """
        self._rng = rng
        self._options = options
        self._images = images
        self._own_stream = own_stream
        self._bounds = _bounds(options)
        self._uniforms: NDArray[np.float64] | None = None
        self._shape: tuple[int, int] | None = None
        self._prepared: list[tuple[TransformParams, Affine | None]] = []

    def of(self, image: int, height: int, width: int) -> tuple[TransformParams, Affine | None]:
        """The parameters, and the matrix unless it is the identity; images are asked for in order."""
        if self._bounds is None:
            return self._alone(self._draw(self._rng, image, height, width), height, width)
        if self._uniforms is None:
            lows, highs = self._bounds
            # Row by row the stream that as many single calls would have given.
            self._uniforms = self._rng.uniform(lows, highs, (self._images, len(lows)))
            self._shape = (height, width)
            self._prepare(height, width)
        if self._shape == (height, width):
            return self._prepared[image]
        return self._alone(self._replayed(image, height, width), height, width)

    def _draw(self, rng: Any, image: int, height: int, width: int) -> TransformParams:
        return draw_transform(rng, self._options, height, width, self._own_stream(image))

    def _replayed(self, image: int, height: int, width: int) -> TransformParams:
        assert self._uniforms is not None
        return self._draw(_Replay(self._uniforms[image]), image, height, width)

    def _prepare(self, height: int, width: int) -> None:
        drawn = [self._replayed(image, height, width) for image in range(self._images)]
        turned = [not is_identity(params) for params in drawn]
        moved = [params for params, turns in zip(drawn, turned, strict=True) if turns]
        matrices = self._matrices(moved, height, width)
        self._prepared = [
            (params, next(matrices) if turns else None)
            for params, turns in zip(drawn, turned, strict=True)
        ]

    def _alone(
        self, params: TransformParams, height: int, width: int
    ) -> tuple[TransformParams, Affine | None]:
        if is_identity(params):
            return params, None
        return params, next(self._matrices([params], height, width))

    def _matrices(self, params: Sequence[TransformParams], height: int, width: int) -> Iterator[Affine]:
        if not params:
            return iter(())
        corrected = self._options.corrected_geometry
        return zip(*affine_matrices(params, height, width, corrected=corrected), strict=True)


class _CannotBeDrawnAhead(Exception):
    """A draw is no uniform number."""


class _Recorder:
    """Stands in for a `RandomState` to find out what is drawn from it."""

    def __init__(self) -> None:
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        self.bounds += [(low, high)] * (1 if size is None else size)
        return low if size is None else [low] * size

    def random_sample(self) -> float:
        return float(self.uniform(0.0, 1.0))

    def choice(self, values: Any) -> Any:
        raise _CannotBeDrawnAhead


class _Replay:
    """Stands in for a `RandomState` whose next numbers are known."""

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self._numbers = iter(numbers.tolist())

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        return next(self._numbers) if size is None else [next(self._numbers) for _ in range(size)]

    def random_sample(self) -> float:
        return cast(float, next(self._numbers))


def _bounds(options: TransformOptions) -> tuple[list[float], list[float]] | None:
    """Between what an image's numbers lie, in their order; None where not all are uniform."""
    recorder = _Recorder()
    try:
        draw_transform(
            cast(np.random.RandomState, recorder), options, _ANY_SIZE, _ANY_SIZE, np.random.default_rng
        )
    except _CannotBeDrawnAhead:
        return None
    return [low for low, _ in recorder.bounds], [high for _, high in recorder.bounds]
