"""A data set of arrays whose targets are boxes or points."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask
from imageloom._sources.annotations import Annotations, read_boxes, read_points, targets_of
from imageloom._sources.arrays import ArraySource

__all__ = ["AnnotatedArrays"]


class AnnotatedArrays(ArraySource):
    """Images of an array with boxes or points, which `y` does not have.

    Attributes:
        annotations: those of each image.
    """

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, *, coordinates: CoordinateOptions, **arguments: Any
    ) -> None:
        """Reads the boxes or points; the other arguments are those of `ArraySource`.

        Raises:
            InvalidArgumentError, ArgumentTypeError: as `ArraySource`, or `y` is something else.
        """
        super().__init__(x, None, sample_weight, **arguments)
        images = x[0] if isinstance(x, (tuple, list)) else x
        found = _annotations(y, len(images), coordinates)
        self.annotations: Annotations = found.taken(self.part)
        self.class_indices = found.class_indices

    @property
    def coordinates(self) -> CoordinateOptions:
        """How the boxes or points are computed."""
        return self.annotations.options

    def computed_targets(self, arrays: Sequence[Any]) -> Any:
        """Boxes or points."""
        return targets_of(self.coordinates, arrays)

    def class_name(self, index: int) -> str:
        """The names of the classes of an image's boxes."""
        return self.annotations.class_name(index)

    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes the batch, with the boxes or points of its images."""
        task = super().task(spec)
        return dataclasses.replace(task, annotations=self.annotations.of(task.spec.indices))

    def fingerprint(self) -> dict[str, Any]:
        """What `ArraySource` has, and all boxes or points."""
        return {**super().fingerprint(), **self.annotations.fingerprint()}


def _annotations(y: Any, count: int, options: CoordinateOptions) -> Annotations:
    """Reads the argument `y` of `flow`."""
    what = "boxes" if options.is_boxes else "points"
    values, labels = y, None
    if isinstance(y, Mapping):
        if options.kind not in y:
            raise ArgumentTypeError(
                f'With class_mode="{options.kind}", `y` must have a key "{options.kind}"; received the '
                f"keys {', '.join(map(repr, y))}."
            )
        values = y[options.kind]
        labels = y.get("labels") if options.is_boxes else None
    if not hasattr(values, "__len__") or isinstance(values, (str, bytes)):
        raise ArgumentTypeError(
            f'With class_mode="{options.kind}", `y` must be a list with the {what} of each image, an '
            f"array, or a dictionary; received {in_words(y)}."
        )
    for name, given in (("y", values), ("labels", labels)):
        if given is not None and len(given) != count:
            raise InvalidArgumentError(
                f"`x` has {count} images, but `{name}` has {len(given)} rows. It needs one "
                "for each image."
            )
    names = [f"image {number}" for number in range(count)]
    if not options.is_boxes:
        return read_points(options, values, names)
    return read_boxes(options, values, labels, owners=np.arange(count).tolist(), names=names)
