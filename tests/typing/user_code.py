"""What users write, as their type checker sees it. Not run but checked, in `make lint`.

A line with `type: ignore` is one that a type checker has to refuse: it complains of ignoring nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import imageloom
from imageloom import (
    DataFrameIterator,
    DirectoryIterator,
    ImageDataGenerator,
    ImageLoomError,
    NumpyArrayIterator,
    ParallelImageDataGenerator,
)

Pixels = NDArray[Any]
stepped = ImageDataGenerator(
    random_crop={"scale": (0.2, 1.0)}, blur=True, hue_range=(0.1, 0.2), rand_augment=(2, 0.5)
)
generator = ImageDataGenerator(cores=2, rotation_range=15, preprocessing_function=np.sqrt)
images = np.zeros((8, 24, 24, 3), np.float32)
labels = [0, 1, 0, 1, 0, 1, 0, 1]


def of_folders(some_mode: str, verbose: bool, lister: Callable[..., Any]) -> None:
    imageloom.set_verbosity("info")
    it = generator.flow_from_directory("photos", target_size=(96, 96), seed=1, verbose=0)
    assert_type(it, DirectoryIterator[tuple[Pixels, Pixels]])
    x, y = next(it)
    assert_type(x, Pixels)
    assert_type(y, Pixels)
    assert_type(it[0], tuple[Pixels, Pixels])
    assert_type(it.next(), tuple[Pixels, Pixels])
    for x, y in it:
        print(x.mean(), y.sum())
    for (x, _), (other, _) in zip(it, it, strict=False):
        print(x - other)
    with it as opened:
        assert_type(opened, DirectoryIterator[tuple[Pixels, Pixels]])

    for mode in ("binary", "sparse", "input", "categorical"):
        assert_type(next(generator.flow_from_directory("a", class_mode=mode)), tuple[Pixels, Pixels])
    nothing = generator.flow_from_directory("photos", class_mode=None, batch_size=4)
    assert_type(nothing, DirectoryIterator[Pixels])
    assert_type(next(nothing), Pixels)
    print(next(nothing).shape)
    assert_type(next(generator.flow_from_directory("a", (9, 9), "rgb", None, None)), Pixels)
    maybe = generator.flow_from_directory("photos", class_mode="sparse" if verbose else None)
    batch = next(maybe)
    assert isinstance(batch, tuple)

    # Whose values are known later: anything.
    assert_type(generator.flow_from_directory("a", class_mode=some_mode), DirectoryIterator[Any])
    listed = generator.flow_from_directory("a", list_valid_filenames_in_directory_function=lister)
    assert_type(listed, DirectoryIterator[Any])

    assert_type(it.class_indices, dict[str, int])
    assert_type(it.num_classes, int)
    assert_type(it.batch_shape, tuple[int, ...])
    assert_type(it.class_weights(), dict[int, float])
    assert_type(it.state_dict(), dict[str, Any])
    assert_type(it.batch(7), tuple[Pixels, Pixels])
    assert_type(it.tta(5), imageloom.AugmentedVersions[tuple[Pixels, Pixels]])
    for versions, targets in it.tta(5):
        print(versions.shape, targets.shape)
    assert_type(it.tta(5)[0], tuple[Pixels, Pixels])
    assert_type(it.verify(it.receipt(contents=False)), list[str])
    assert_type(it.report(), imageloom.Report)
    assert_type(it.report().epochs[0].waiting_share, float)
    assert_type(it.report().to_dict(), dict[str, Any])
    assert_type(it.trace("trace.json"), imageloom.Trace)
    assert_type(len(it), int)


def of_arrays(weights: NDArray[np.float64] | None) -> None:
    assert_type(next(generator.flow(images)), Pixels)
    assert_type(next(generator.flow(images, shuffle=False)), Pixels)
    part = generator.flow(images, shuffle="fast", seed=1, shard=(0, 2))
    assert_type(part.shuffle, bool | str)
    assert_type(part.shard, tuple[int, int])
    assert_type(next(generator.flow(images, seed=1, shard="auto")), Pixels)
    x, y = next(generator.flow(images, labels, batch_size=4))
    assert_type((x, y), tuple[Pixels, Pixels])
    x, y, w = next(generator.flow(images, labels, sample_weight=np.ones(8)))
    assert_type((x, y, w), tuple[Pixels, Pixels, Pixels])
    assert_type(
        next(generator.flow(images, labels, 32, True, [1.0] * 8)), tuple[Pixels, Pixels, Pixels]
    )
    assert_type(generator.flow((images, np.zeros(8)), labels), NumpyArrayIterator[Any])
    of_boxes = generator.flow(images, [[[1, 2, 3, 4]]], class_mode="boxes", min_visibility=0.3)
    assert_type(of_boxes, NumpyArrayIterator[Any])
    either = next(generator.flow(images, labels, sample_weight=weights))
    print(either[0].shape)


def of_frames(frame: object, some_mode: str) -> None:
    x, y = next(generator.flow_from_dataframe(frame, "photos", y_col="class"))
    assert_type((x, y), tuple[Pixels, Pixels])
    x, y, w = next(generator.flow_from_dataframe(frame, weight_col="weight", class_mode="raw"))
    assert_type((x, y, w), tuple[Pixels, Pixels, Pixels])
    x, outputs = next(generator.flow_from_dataframe(frame, y_col=["a", "b"], class_mode="multi_output"))
    assert_type(outputs, list[Pixels])
    x, mask = next(generator.flow_from_dataframe(frame, y_col="mask", class_mode="image"))
    assert_type(mask, Pixels)
    x, boxes = next(generator.flow_from_dataframe(frame, y_col=["boxes", "labels"], class_mode="boxes"))
    assert_type(boxes, dict[str, Pixels])
    x, points = next(generator.flow_from_dataframe(frame, y_col="points", class_mode="keypoints"))
    assert_type(points, Pixels)
    masks = generator.flow_from_dataframe(frame, y_col=["left", "right"], class_mode="image")
    assert_type(masks, DataFrameIterator[Any])
    bare = generator.flow_from_dataframe(frame, class_mode=None, weight_col="weight")
    assert_type(next(bare), Pixels)
    assert_type(next(generator.flow_from_dataframe(frame, class_mode=some_mode)), Any)


# Names of classes need no parameters, and take iterators of any kind.
def mean_of(it: DirectoryIterator, batches: int) -> float:
    return float(np.mean([next(it)[0].mean() for _ in range(batches)]))


def without_targets(it: DirectoryIterator[Pixels]) -> float:
    return float(next(it).mean())


def handed_on() -> None:
    mean_of(generator.flow_from_directory("photos"), 3)
    without_targets(generator.flow_from_directory("photos", class_mode=None))
    without_targets(generator.flow_from_directory("photos"))  # type: ignore[arg-type]
    generator.fit(generator.flow_from_directory("photos"))


class Brighter(ParallelImageDataGenerator):
    """A generator of the user's own."""

    def standardize(self, x: Pixels) -> Pixels:
        return super().standardize(x) * 2


class Doubled(DirectoryIterator[Any]):
    """An iterator of the user's own."""

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        x, y = super()._get_batches_of_transformed_samples(index_array)
        return x * self.batch_size, y


class Numbers(imageloom.Iterator[Pixels]):
    """Batches out of numbers alone."""

    def __init__(self, n: int) -> None:
        super().__init__(n, 32, shuffle=True, seed=None)

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Pixels:
        return np.asarray(index_array) * 2.0


def assignments() -> None:
    assert_type(next(Numbers(9)), Pixels)
    it = Doubled("photos", generator, (64, 64), class_mode="sparse")
    it.n, it.batch_size, it.seed, it.shuffle = 9, 1, None, False
    it.classes, it.target_size, it.image_data_generator = labels, (32, 32), generator
    it.index_array = np.arange(9)
    assert_type(it.target_size, tuple[int, int])


def mistakes() -> None:
    _, _ = next(generator.flow(images, labels, sample_weight=labels))  # type: ignore[misc]
    next(generator.flow_from_directory("photos")).mean()  # type: ignore[attr-defined]
    generator.flow_from_directory("photos", class_mod=None)  # type: ignore[call-overload]
    generator.flow_from_directory("photos", target_size=224)  # type: ignore[call-overload]
    ImageDataGenerator(rotation_rang=3)  # type: ignore[call-arg]
    ImageDataGenerator(horizontal_flip="yes")  # type: ignore[arg-type]
    imageloom.ImageDatGenerator()  # type: ignore[attr-defined]


def told_apart(error: Exception) -> str:
    if isinstance(error, ImageLoomError | ValueError):
        return str(error)
    assert_type(Brighter().flow(images), NumpyArrayIterator[Pixels])
    return imageloom.__version__
