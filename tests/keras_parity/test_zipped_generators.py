"""The classic way to masks: two generators with one seed, zipped.

It stays exact with any number of workers on either side, because a batch is a function of its position.
What does not stay in step, in Keras and here alike, are generators whose options draw different numbers
from Keras' one stream: `brightness_range` and `channel_shift_range` of one of them alone move the
geometry of all images of a batch but the first. Contrast, noise and hooks draw from streams of their
own and move nothing. `class_mode="image"` (test_masks.py) has no such trap.
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import Lent, assert_same_batches, take, wait_for, worker_processes
from numpy.typing import NDArray
from pictures import CLASSES, photograph
from PIL import Image
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator, Noise
from imageloom._executors.base import Executor
from imageloom._executors.program import end_idle_workers
from imageloom._executors.shared import make_executor

SIDE = 24
SAMPLES = 11
BATCH = 4
BATCHES = 3
SEED = 21
GEOMETRY: dict[str, Any] = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 15,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
    "fill_mode": "reflect",
    "interpolation_order": 0,
}
FLOW: dict[str, Any] = {
    "target_size": (SIDE, SIDE),
    "color_mode": "grayscale",
    "class_mode": None,
    "batch_size": BATCH,
    "interpolation": "nearest",  # bilinear by default, which would blend the numbers of masks
    "seed": SEED,
}
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour photographs below images/all, and below masks/all masks that are the same in grey."""
    folder = tmp_path_factory.mktemp("zipped")
    for kind in ("images", "masks"):
        (folder / kind / "all").mkdir(parents=True)
    for i in range(SAMPLES):
        # Levels without black and white, which salt and pepper are.
        grey = photograph(CLASSES[i % 4], 40, 40, "L", variant=i) // 2 + 60
        Image.fromarray(grey).save(folder / "masks" / "all" / f"{i:02d}.png")
        Image.fromarray(grey).convert("RGB").save(folder / "images" / "all" / f"{i:02d}.png")
    return folder


def half(
    folder: Path, kind: str, executor: Executor | None = None, *, seed: int = SEED, **options: Any
) -> Any:
    """The images or the masks, by a generator of their own."""
    generator = ImageDataGenerator(executor="serial", **(GEOMETRY | options))
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    return generator.flow_from_directory(folder / kind, **(FLOW | {"seed": seed}))


def zipped(folder: Path, batches: int, **of_images: Any) -> list[tuple[Pixels, Pixels]]:
    images, masks = half(folder, "images", **of_images), half(folder, "masks")
    return list(zip(take(images, batches), take(masks, batches), strict=True))


def rises(x: Pixels, mask: Pixels) -> bool:
    """Whether one image has the geometry of the other: its levels rise with the other's."""
    order = np.argsort(mask, axis=None, kind="stable")
    levels, x = mask.ravel()[order], x.ravel()[order]
    # Equal levels in the one are equal in the other.
    return bool((np.diff(x) >= 0).all() and (np.diff(x)[np.diff(levels) == 0] == 0).all())


# Workers


@pytest.fixture(scope="module")
def of_masks() -> Iterator[Executor]:
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "workers"),
    [("serial", 1), ("threads", 1), ("threads", 3), ("processes", 1), ("processes", 3)],
)
def test_pairs_stay_in_step_with_any_number_of_workers(
    kind: str, workers: int, pairs: Path, of_masks: Executor
) -> None:
    expected = zipped(pairs, 3 * BATCHES)
    executor = make_executor(kind, workers, disable_gpu=True)
    with half(pairs, "images", executor) as images, half(pairs, "masks", of_masks) as masks:
        received = [pair for pair, _ in zip(zip(images, masks, strict=True), expected, strict=False)]
    executor.close()
    assert_same_batches(received, expected)
    for x, mask in received:
        np.testing.assert_array_equal(x, mask)
    firsts = {batch[0].tobytes() for batch, _ in received}
    assert len(firsts) == len(received), "every epoch has an order and transforms of its own"


def test_the_first_to_be_read_ahead_does_not_matter(pairs: Path, of_masks: Executor) -> None:
    """One side may be an epoch ahead, or be asked for its batches by number."""
    with half(pairs, "images", of_masks) as images, half(pairs, "masks", of_masks) as masks:
        ahead = take(images, BATCHES)
        by_number = {i: masks[i] for i in (2, 0, 1)}
    for number, x in enumerate(ahead):
        np.testing.assert_array_equal(x, by_number[number])


def test_pairs_are_resumed_in_step(pairs: Path, of_masks: Executor) -> None:
    expected = zipped(pairs, 8)
    with half(pairs, "images", of_masks) as images, half(pairs, "masks", of_masks) as masks:
        take(images, 5)
        take(masks, 5)
        states = images.state_dict(), masks.state_dict()
    again = half(pairs, "images"), half(pairs, "masks")
    for it, state in zip(again, states, strict=True):
        it.load_state_dict(state)
    assert_same_batches(list(zip(take(again[0], 3), take(again[1], 3), strict=True)), expected[5:])


def test_zipped_is_the_same_as_class_mode_image(pairs: Path) -> None:
    names = sorted(path.name for path in (pairs / "images" / "all").iterdir())
    frame = pd.DataFrame(
        {kind: [f"{kind}/all/{name}" for name in names] for kind in ("images", "masks")}
    )
    generator = ImageDataGenerator(executor="serial", **GEOMETRY)
    options = FLOW | {"x_col": "images", "y_col": "masks", "class_mode": "image"}
    both = generator.flow_from_dataframe(frame, pairs, **options)
    received = [(x, y.astype(x.dtype)) for x, y in take(both, 2 * BATCHES)]
    assert_same_batches(received, zipped(pairs, 2 * BATCHES))


# What may differ between the two


@pytest.mark.parametrize(
    "of_images",
    [
        {"contrast_range": (0.3, 1.7)},
        {"preprocessing_function": lambda x: x + 0 * np.random.random(x.shape) + 7},
        {"preprocessing_function": lambda params, x: x + params.rng.integers(9)},
        {"rescale": 1 / 255, "samplewise_center": True, "samplewise_std_normalization": True},
    ],
    ids=["contrast", "hook", "hook's own stream", "normalisation"],
)
def test_what_draws_elsewhere_moves_no_geometry(pairs: Path, of_images: dict[str, Any]) -> None:
    for images, masks in zipped(pairs, 2 * BATCHES, **of_images):
        assert np.abs(images - masks).max() > 1
        assert all(rises(x, mask) for x, mask in zip(images, masks, strict=True))


def test_noise_moves_no_geometry(pairs: Path) -> None:
    for images, masks in zipped(pairs, 2 * BATCHES, noise=[Noise("s&p", amount=0.3)]):
        left = (images != 0) & (images != 255)
        np.testing.assert_array_equal(images[left], masks[left])
        assert 0.5 < left.mean() < 0.9


BRIGHTER = {"brightness_range": (0.5, 1.4)}
SHIFTED = {"channel_shift_range": 30}


@pytest.mark.parametrize("of_images", [BRIGHTER, SHIFTED], ids=["brightness", "channel shift"])
def test_what_draws_from_keras_stream_moves_all_but_the_first(
    pairs: Path, of_images: dict[str, Any]
) -> None:
    """Keras' trap, number for number: see `test_keras_zipped_generators` for its own."""
    in_step = [
        [rises(x, mask) for x, mask in zip(images, masks, strict=True)]
        for images, masks in zipped(pairs, BATCHES, **of_images)
    ]
    assert all(batch[0] for batch in in_step)
    assert not any(step for batch in in_step for step in batch[1:])


@pytest.mark.parametrize(
    ("of_images", "of_masks"),
    [(BRIGHTER, {"brightness_range": (1, 1)}), (SHIFTED, {"channel_shift_range": 1e-9})],
    ids=["brightness", "channel shift"],
)
def test_a_range_without_effect_on_the_masks_keeps_them_in_step(
    pairs: Path, of_images: dict[str, Any], of_masks: dict[str, Any]
) -> None:
    images, masks = half(pairs, "images", **of_images), half(pairs, "masks", **of_masks)
    levels = {
        int(v) for path in pairs.rglob("masks/*/*") for v in np.unique(np.asarray(Image.open(path)))
    }
    for _ in range(2 * BATCHES):
        batch, of_batch = next(images), next(masks)
        assert all(rises(x, mask) for x, mask in zip(batch, of_batch, strict=True))
        assert set(np.unique(of_batch)) <= levels, "the numbers are those of the files"


# Keras' own two


@pytest.mark.parametrize("of_images", [{}, BRIGHTER, SHIFTED], ids=["", "brightness", "channel shift"])
def test_keras_zipped_generators(pairs: Path, of_images: dict[str, Any]) -> None:
    theirs = []
    for kind, options in (("images", of_images), ("masks", {})):
        with quiet():
            theirs.append(
                keras_generator(**GEOMETRY, **options).flow_from_directory(pairs / kind, **FLOW)
            )
    for ours in zipped(pairs, 3 * BATCHES, **of_images):
        with quiet():
            expected = next(theirs[0]), next(theirs[1])
        for mine, right in zip(ours, expected, strict=True):
            assert mine.shape == right.shape
            # A point in the middle between two pixels may be either's.
            assert (np.abs(mine - right) <= 1.5).mean() > 0.999


# In `fit`, which takes a Python generator, but no `zip` by itself


@pytest.mark.frameworks("keras")
@pytest.mark.parametrize("closed_by", ["with", "nobody"])
def test_a_model_is_trained_on_pairs(pairs: Path, closed_by: str) -> None:
    import keras

    trained: list[tuple[int, int]] = []

    class Recording(keras.Sequential):  # type: ignore[misc]  # Keras has no types
        def train_step(self, *state_and_batch: Any) -> Any:
            x, y = (keras.ops.convert_to_numpy(part) for part in state_and_batch[-1])
            trained.append((mark(x), mark(y)))
            return super().train_step(*state_and_batch)

    def mark(batch: Any) -> int:
        return zlib.crc32(np.ascontiguousarray(batch).tobytes())

    def fit(images: Any, masks: Any) -> None:
        batches = ((x, y) for x, y in zip(images, masks, strict=True))
        model.fit(batches, epochs=2, steps_per_epoch=BATCHES, shuffle=False, verbose=0)

    model = Recording([keras.layers.Conv2D(1, 3, padding="same")])
    model.compile("sgd", "mse", run_eagerly=True)
    expected = zipped(pairs, 2 * BATCHES)
    end_idle_workers()
    before = set(worker_processes())
    flows = [
        ImageDataGenerator(cores=1, **GEOMETRY).flow_from_directory(pairs / kind, **FLOW)
        for kind in ("images", "masks")
    ]
    if closed_by == "with":
        with flows[0] as images, flows[1] as masks:
            fit(images, masks)
            assert len(set(worker_processes()) - before) == 1, "all generators share it"
        assert all(it.is_shutdown for it in flows)
        del images, masks
    else:
        fit(*flows)
    assert trained == [(mark(x), mark(y)) for x, y in expected]
    flows.clear()
    gc.collect()
    end_idle_workers()
    wait_for(lambda: set(worker_processes()) <= before, "the workers to end")
