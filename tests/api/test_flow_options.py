from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import FILE_COUNT
from programs import run_program
from reference import quiet

from imageloom import DirectoryIterator, ImageDataGenerator, Noise, img_to_array, load_img
from imageloom._errors import (
    ArgumentTypeError,
    BatchShapeError,
    InvalidArgumentError,
)

VALUE, KIND = InvalidArgumentError, ArgumentTypeError


def flow(generator: ImageDataGenerator, folder: Path, **options: Any) -> DirectoryIterator:
    return generator.flow_from_directory(
        folder, **({"target_size": (16, 16), "seed": 3, "batch_size": 5} | options)
    )


def serial(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        *[({"batch_size": size}, VALUE) for size in (0, -2)],
        *[({"batch_size": size}, KIND) for size in (None, 2.5, "8", True)],
        *[({"target_size": size}, KIND) for size in (None, 5, (5,), (1, 2, 3), ("a", 3), (8.7, 8.2))],
        *[({"target_size": size}, VALUE) for size in ((0, 5), (5, -1))],
        ({"color_mode": "bgr"}, VALUE),
        ({"color_mode": None}, VALUE),
        ({"class_mode": "raw"}, VALUE),
        *[({"seed": seed}, VALUE) for seed in (-1, 2**32)],
        *[({"seed": seed}, KIND) for seed in (1.5, "3", True)],
        *[({"shard": shard}, VALUE) for shard in ((2, 2), (-1, 2), (0, 0), (0, 100))],
        *[({"shard": shard}, KIND) for shard in ("all", 2, (0.0, 2), (0, 1, 2), (False, True))],
        ({"shuffle": "slow"}, VALUE),
        ({"interpolation": "cubic"}, VALUE),
        ({"interpolation": 3}, VALUE),
        ({"subset": "test"}, VALUE),
        ({"subset": "validation"}, VALUE),
        ({"classes": "coffee"}, KIND),
        *[({"batch_shape": shape}, VALUE) for shape in ((16, 16, 3), (0, 16, 16, 3), (5, 0, 1, 3))],
    ],
    ids=repr,
)
def test_bad_arguments_are_refused_before_anything_starts(
    options: dict[str, Any], error: type[Exception], class_folder: Path
) -> None:
    (name,) = options
    with pytest.raises(error, match=name.replace("_", "[_ ]")):
        flow(serial(), class_folder, **options)


def test_unknown_arguments_are_a_type_error(class_folder: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        flow(serial(), class_folder, colour=3)


# The generator's own settings for its iterators


@pytest.mark.parametrize(("size", "length"), [(4, 5), (-1, 1), (1, FILE_COUNT)])
def test_a_batch_size_of_the_generator_overrides(size: int, length: int, class_folder: Path) -> None:
    iterator = flow(serial(batch_size=size), class_folder, batch_size=7)
    assert len(iterator) == length
    assert len(next(iterator)[0]) == (FILE_COUNT if size == -1 else size)


def test_a_folder_of_the_generator_is_made_and_gets_the_images(
    class_folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "saved"
    generator = serial(save_to_dir=target, save_prefix="own", save_format="jpeg")
    iterator = flow(generator, class_folder, save_prefix="other", save_format="png")
    next(iterator)
    saved = sorted(target.iterdir())
    assert len(saved) == 5
    assert all(path.name.startswith("own_") and path.suffix == ".jpeg" for path in saved)


def test_the_validation_subset_can_be_spared(class_folder: Path) -> None:
    geometry: dict[str, Any] = {"rotation_range": 90, "validation_split": 0.4, "noise": "gauss"}
    spared = serial(validation_augmentation_enabled=False, **geometry)
    enabled, plain = serial(**geometry), serial(validation_split=0.4)
    expected = next(flow(plain, class_folder, subset="validation"))[0]
    validation = next(flow(spared, class_folder, subset="validation"))[0]
    np.testing.assert_array_equal(validation, expected)
    assert not np.array_equal(next(flow(enabled, class_folder, subset="validation"))[0], expected)
    for subset in ("training", None):  # everything else is transformed as ever
        np.testing.assert_array_equal(
            next(flow(spared, class_folder, subset=subset))[0],
            next(flow(enabled, class_folder, subset=subset))[0],
        )


def test_random_transforms_can_be_switched_off(class_folder: Path) -> None:
    off = serial(random_transforms_enabled=False, rotation_range=90, noise="gauss", rescale=0.5)
    np.testing.assert_array_equal(
        next(flow(off, class_folder))[0], next(flow(serial(rescale=0.5), class_folder))[0]
    )


def corner(x: NDArray[Any]) -> NDArray[Any]:
    return x[:20, :18]


@pytest.mark.parametrize("interpolation", [None, "none"])
def test_images_that_are_not_resized_are_cut_to_the_batch_by_a_hook(
    interpolation: str | None, class_folder: Path
) -> None:
    options: dict[str, Any] = {"interpolation": interpolation, "target_size": (48, 48)}
    with pytest.raises(BatchShapeError, match="batch_shape"):
        next(flow(serial(), class_folder, **options))  # they have many sizes
    options |= {"batch_shape": (5, 20, 18, 3), "shuffle": False, "class_mode": None}
    iterator = flow(serial(noaug_preprocessing_function=corner), class_folder, **options)
    assert iterator.batch_shape == (5, 20, 18, 3)
    images = next(iterator)
    first = img_to_array(load_img(iterator.filepaths[0]))
    np.testing.assert_array_equal(images[0], first[:20, :18])


def test_seeds_go_round_after_the_largest(class_folder: Path) -> None:
    """Keras ends there. One batch is the whole data set, so that both see the same images."""
    options: dict[str, Any] = {"shuffle": False, "batch_size": -1}
    last = flow(serial(rotation_range=30), class_folder, seed=2**32 - 1, **options)
    first = flow(serial(rotation_range=30), class_folder, seed=0, **options)
    expected = next(first)[0]
    assert not np.array_equal(next(last)[0], expected)
    np.testing.assert_array_equal(next(last)[0], expected)


# Reassigning attributes


def test_attributes_count_from_the_next_batch(class_folder: Path) -> None:
    generator = serial()
    iterator = flow(generator, class_folder)
    generator.rotation_range = 60
    generator.noise = [Noise("s&p", amount=0.2)]
    expected = flow(serial(rotation_range=60, noise=[Noise("s&p", amount=0.2)]), class_folder)
    np.testing.assert_array_equal(next(iterator)[0], next(expected)[0])
    generator.noise = None
    generator.rotation_range = 0
    plain = flow(serial(), class_folder)
    next(plain)
    np.testing.assert_array_equal(next(iterator)[0], next(plain)[0])


def test_attributes_that_the_flow_methods_read_count_from_the_next_call(class_folder: Path) -> None:
    generator = serial()
    generator.batch_size, generator.max_samples_per_class = 2, 1
    iterator = flow(generator, class_folder)
    assert (iterator.batch_size, iterator.samples) == (2, 4)


def test_a_bad_value_is_refused_when_it_is_used(class_folder: Path) -> None:
    generator = serial()
    iterator = flow(generator, class_folder)
    generator.fill_mode = "sideways"
    with pytest.raises(InvalidArgumentError, match="fill_mode"):
        next(iterator)
    generator.fill_mode = "reflect"
    assert next(iterator)[0].shape == (5, 16, 16, 3)


def test_fit_counts_until_the_first_batch(class_folder: Path) -> None:
    generator = serial(featurewise_center=True)
    iterator = flow(generator, class_folder)
    generator.fit(np.full((3, 4, 4, 3), 100.0))
    expected = next(flow(serial(), class_folder))[0] - 100
    np.testing.assert_allclose(next(iterator)[0], expected, atol=1e-4)


@pytest.mark.parametrize("options", [{"featurewise_center": True}, {"zca_whitening": True}], ids=repr)
def test_a_generator_that_was_not_fitted_says_so_once_a_stream(
    options: dict[str, Any], class_folder: Path
) -> None:
    with quiet():
        generator = serial(**options)
    iterator = flow(generator, class_folder)
    with pytest.warns(UserWarning, match="fit") as caught:
        next(iterator)
    assert len(caught) == (2 if "zca_whitening" in options else 1)
    next(iterator)


# Copies


def halved(x: NDArray[Any]) -> NDArray[Any]:
    return x / 2


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, copy.copy, lambda g: pickle.loads(pickle.dumps(g)),
     lambda g: pickle.loads(cloudpickle.dumps(g))],
    ids=["deepcopy", "copy", "pickle", "cloudpickle"],
)  # fmt: skip
def test_copies_of_a_generator_give_the_same_stream(
    copied: Any, used: bool, class_folder: Path
) -> None:
    generator = serial(
        rotation_range=30, featurewise_center=True, noise="gauss", preprocessing_function=halved
    )
    generator.fit(np.full((3, 4, 4, 3), 100.0))
    expected = next(flow(generator, class_folder))[0]
    if used:
        open_iterator = flow(generator, class_folder)
        next(open_iterator)
    twin = copied(generator)
    np.testing.assert_array_equal(next(flow(twin, class_folder))[0], expected)
    twin.rotation_range = 0  # the copy is independent
    assert generator.rotation_range == 30


def test_iterators_cannot_be_copied(class_folder: Path) -> None:
    iterator = flow(serial(), class_folder)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="iterator"):
            attempt(iterator)


# The word of warning about Keras' geometry

EXCHANGED = "exchanges two axes"


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"height_shift_range": 0.1}, (16, 16)),
        ({"width_shift_range": [1, 2], "height_shift_range": 3}, (16, 16)),
        ({"rotation_range": 5}, (16, 20)),
        ({"shear_range": 5}, (20, 16)),
        ({"zoom_range": 0.1}, (20, 16)),
        ({"width_shift_range": 0.1, "height_shift_range": 0.1}, (20, 16)),
    ],
    ids=repr,
)
def test_where_keras_exchanges_axes_it_is_said_once(
    options: dict[str, Any], size: tuple[int, int], class_folder: Path
) -> None:
    generator = serial(**options)
    with pytest.warns(UserWarning, match=EXCHANGED) as caught:
        flow(generator, class_folder, target_size=size)
    assert len(caught) == 1
    assert 'geometry="corrected"' in str(caught[0].message)
    assert caught[0].filename == __file__
    flow(generator, class_folder, target_size=size)
    flow(serial(geometry="corrected", **options), class_folder, target_size=size)
    flow(serial(random_transforms_enabled=False, **options), class_folder, target_size=size)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"rotation_range": 5, "zoom_range": 0.2, "shear_range": 4}, (16, 16)),
        ({"width_shift_range": 0.1, "height_shift_range": 0.1}, (16, 16)),
        ({"width_shift_range": 3, "height_shift_range": 3}, (20, 16)),
        ({"horizontal_flip": True, "brightness_range": (0.5, 1), "channel_shift_range": 9}, (20, 16)),
        ({}, (20, 16)),
    ],
    ids=repr,
)
def test_where_the_exchange_does_not_show_nothing_is_said(
    options: dict[str, Any], size: tuple[int, int], class_folder: Path
) -> None:
    flow(serial(**options), class_folder, target_size=size)


# What the first batch tells, and refuses


@pytest.mark.slow
def test_the_default_number_of_cores_of_mltk_is_logged(class_folder: Path) -> None:
    done = run_program("api/default_number_of_cores.py", class_folder, cwd=class_folder, timeout=60)
    assert done.returncode == 0, done.stderr
    parts = done.stderr.split("then\n")
    assert len(parts) == 6
    assert "without workers" in parts[0]
    assert "1 worker of threads" in parts[1]
    assert "(cores=1)" in parts[1]
    assert "(debug=True)" in parts[2]
    assert "(cores=0.25)" in parts[3]
    assert parts[4:] == ["", ""], "nothing, once it is switched off"
