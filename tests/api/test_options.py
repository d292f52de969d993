from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator, Noise, ParallelImageDataGenerator, _machine
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options import STEP_NAMES, GeneratorOptions

# Defaults of what Keras does not have; those of Keras are read from Keras.
OWN_DEFAULTS: dict[str, Any] = {
    "cores": None,
    "debug": False,
    "max_batches_pending": 4,
    "get_batch_function": None,
    "noaug_preprocessing_function": None,
    "validation_augmentation_enabled": True,
    "contrast_range": None,
    "noise": None,
    "random_transforms_enabled": True,
    "max_samples_per_class": -1,
    "disable_gpu_in_subprocesses": True,
    "save_to_dir": None,
    "save_prefix": None,
    "save_format": None,
    "batch_size": None,
    "executor": "processes",
    "geometry": "keras",
    "cache": None,
    "cache_limit": None,
    "decode": "exact",
    "on_bad_image": "raise",
    "batch_timeout": None,
    "finish": "host",
    "split": "sorted",
    "split_seed": 0,
    "groups": None,
    "fold": None,
    "mixup": None,
    "cutmix": None,
    "exif_orientation": False,
    "depth": "keras",
    **dict.fromkeys(STEP_NAMES),
}


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def test_arguments_and_defaults_are_those_of_keras_and_the_original() -> None:
    of_keras = defaults(type(keras_generator()).__init__)
    assert defaults(ImageDataGenerator.__init__) == of_keras | OWN_DEFAULTS


def test_flow_from_directory_takes_the_arguments_of_keras() -> None:
    of_keras = defaults(type(keras_generator()).flow_from_directory)
    ours = defaults(ImageDataGenerator.flow_from_directory)
    assert {name: ours[name] for name in of_keras} == of_keras
    of_mltk = defaults(ParallelImageDataGenerator.flow_from_directory)
    assert of_mltk == ours | {"interpolation": "bilinear"}


@pytest.mark.parametrize("kind", [ImageDataGenerator, ParallelImageDataGenerator])
def test_unknown_arguments_are_errors(kind: type[ImageDataGenerator]) -> None:
    with pytest.raises(TypeError, match="colour"):
        kind(colour=3)  # type: ignore[call-arg]


def test_every_argument_becomes_an_attribute() -> None:
    generator = ImageDataGenerator()
    expected = defaults(ImageDataGenerator.__init__)
    expected |= {"zoom_range": [1, 1], "data_format": "channels_last", "dtype": "float32"}
    assert {name: getattr(generator, name) for name in expected} == expected
    assert generator.mean is None
    assert generator.std is None
    assert generator.zca_whitening_matrix is None


GOOD: list[dict[str, Any]] = [
    {"rotation_range": 20}, {"rotation_range": np.float32(3)}, {"rotation_range": -5.5},
    {"shear_range": 0.2}, {"channel_shift_range": 10}, {"cval": -3}, {"zca_epsilon": 0.1},
    {"rescale": 0}, {"rescale": 1 / 255}, {"width_shift_range": [1, 2]}, {"width_shift_range": None},
    {"brightness_range": [0.2, 1]}, {"brightness_range": (2, 1)}, {"contrast_range": (0, 0)},
    {"validation_split": 0}, {"validation_split": None}, {"validation_split": 0.999},
    {"fill_mode": "mirror"}, {"interpolation_order": 5}, {"dtype": "float16"}, {"dtype": np.uint8},
    {"cores": -1}, {"cores": 0.0}, {"cores": 1.0}, {"cores": 100}, {"cores": 0}, {"batch_size": -1},
    {"batch_size": 3}, {"max_samples_per_class": 1}, {"executor": "threads"}, {"executor": "serial"},
    {"geometry": "corrected"}, {"preprocessing_function": np.sqrt}, {"noise": []},
    {"data_format": "channels_first"}, {"max_batches_pending": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", GOOD, ids=repr)
def test_good_values_are_kept_as_they_are(options: dict[str, Any]) -> None:
    generator = ImageDataGenerator(**options)
    for name, value in options.items():
        kept = getattr(generator, name)
        assert kept == (tuple(value) if name == "noise" else value)


VALUE, KIND = InvalidArgumentError, ArgumentTypeError
BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"data_format": "channels_middle"}, VALUE),
    ({"data_format": 1}, VALUE),
    *[({"validation_split": split}, VALUE) for split in (1, 1.0, -0.1, 5, float("nan"))],
    ({"validation_split": "half"}, KIND),
    *[({"zoom_range": zoom}, VALUE) for zoom in ((1,), (1, 2, 3), [1, "2"], "12", (1, float("inf")))],
    *[({"zoom_range": zoom}, KIND) for zoom in (None, 1j)],
    *[({"brightness_range": pair}, VALUE) for pair in (0.1, [1], [1, 2, 3], np.array([1, 2]), "ab")],
    *[({"contrast_range": pair}, VALUE) for pair in (1, [1], (1, "2"), (0, float("nan")))],
    *[({"width_shift_range": shift}, KIND) for shift in ("0.1", {1, 2}, 1j, [[1, 2]], [None])],
    *[({"height_shift_range": shift}, VALUE) for shift in (float("nan"), [1, float("inf")])],
    *[
        ({name: "5"}, KIND)
        for name in ("rotation_range", "shear_range", "channel_shift_range", "cval", "zca_epsilon")
    ],
    ({"rotation_range": float("inf")}, VALUE),
    ({"rotation_range": [5]}, KIND),
    ({"rescale": "1/255"}, KIND),
    ({"fill_mode": "replicate"}, VALUE),
    ({"fill_mode": None}, VALUE),
    ({"interpolation_order": 6}, VALUE),
    ({"interpolation_order": -1}, VALUE),
    ({"interpolation_order": 1.5}, KIND),
    ({"dtype": "picture"}, KIND),
    ({"dtype": "complex64"}, VALUE),
    ({"dtype": "bool"}, VALUE),
    ({"cores": 1.5}, VALUE),
    ({"cores": -0.5}, VALUE),
    ({"cores": float("nan")}, VALUE),
    ({"cores": "all"}, KIND),
    ({"cores": True}, KIND),
    *[({"max_batches_pending": count}, VALUE) for count in (0, -1)],
    *[({"max_batches_pending": count}, KIND) for count in (2.0, None, True)],
    *[({"batch_size": size}, VALUE) for size in (0, -2)],
    *[({"batch_size": size}, KIND) for size in (2.5, "8", True)],
    *[({"max_samples_per_class": count}, VALUE) for count in (0, -2)],
    *[({"max_samples_per_class": count}, KIND) for count in (1.5, None)],
    ({"executor": "gpu"}, VALUE),
    ({"geometry": "right"}, VALUE),
    ({"decode": "quick"}, VALUE),
    ({"on_bad_image": "ignore"}, VALUE),
    ({"batch_timeout": 0}, VALUE),
    ({"batch_timeout": "1s"}, KIND),
    ({"cache_limit": 0}, VALUE),
    *[({name: 3}, KIND) for name in ("preprocessing_function", "noaug_preprocessing_function")],
    ({"get_batch_function": 3}, KIND),
    ({"noise": "fog"}, VALUE),
    ({"noise": ["gauss", "fog"]}, VALUE),
    ({"noise": [3]}, KIND),
    ({"noise": 3}, KIND),
]


@pytest.mark.parametrize(("options", "error"), BAD, ids=repr)
def test_bad_values_are_refused_and_named(options: dict[str, Any], error: type[Exception]) -> None:
    (name,) = options
    with pytest.raises(error, match=name):
        ImageDataGenerator(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": "fog"}, VALUE),
        ({"name": 3}, KIND),
        ({"name": "gauss", "var": -0.1}, VALUE),
        ({"name": "gauss", "var": float("nan")}, VALUE),
        ({"name": "s&p", "amount": 1.1}, VALUE),
        ({"name": "s&p", "salt_share": -0.1}, VALUE),
        ({"name": "gauss", "mean": float("nan")}, VALUE),
    ],
)
def test_bad_noise_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Noise(**options)


def test_a_single_noise_is_a_list_of_one() -> None:
    record = Noise("s&p", amount=0.3)
    for given in ("gauss", ["gauss"], ("gauss",)):
        assert ImageDataGenerator(noise=given).noise == (Noise("gauss"),)
    assert ImageDataGenerator(noise=record).noise == (record,)
    assert ImageDataGenerator(noise=["gauss", record]).noise == (Noise("gauss"), record)


@pytest.mark.parametrize(
    ("zoom", "bounds"),
    [(0.25, [0.75, 1.25]), (0, [1, 1]), (1, [0, 2]), (1.5, [-0.5, 2.5]), (-0.5, [1.5, 0.5]),
     ((0.5, 2), [0.5, 2]), ([2, 1], [2, 1]), (np.array([1.0, 2.0]), [1.0, 2.0]), (True, [0, 2])],
)  # fmt: skip
def test_zoom_is_kept_as_its_two_bounds_like_in_keras(zoom: Any, bounds: list[float]) -> None:
    generator = ImageDataGenerator(zoom_range=zoom)
    assert generator.zoom_range == bounds
    assert isinstance(generator.zoom_range, list)
    assert keras_generator(zoom_range=zoom).zoom_range == bounds


def test_numpy_scalars_zoom_although_keras_refuses_some() -> None:
    assert ImageDataGenerator(zoom_range=np.float32(0.5)).zoom_range == [0.5, 1.5]


IMPLIED: list[tuple[dict[str, bool], list[str], dict[str, bool]]] = [
    ({"zca_whitening": True}, ["zca_whitening.*featurewise_center"], {"featurewise_center": True}),
    (
        {"zca_whitening": True, "featurewise_center": True, "featurewise_std_normalization": True},
        ["zca_whitening.*featurewise_std_normalization"],
        {"featurewise_center": True, "featurewise_std_normalization": False},
    ),
    (
        {"featurewise_std_normalization": True},
        ["featurewise_std_normalization.*featurewise_center"],
        {"featurewise_center": True, "featurewise_std_normalization": True},
    ),
    (
        {"samplewise_std_normalization": True},
        ["samplewise_std_normalization.*samplewise_center"],
        {"samplewise_center": True, "samplewise_std_normalization": True},
    ),
    (  # Keras warns a third time, of something that it has just undone
        {"zca_whitening": True, "featurewise_std_normalization": True},
        ["zca_whitening.*featurewise_center", "zca_whitening.*featurewise_std_normalization"],
        {"featurewise_center": True, "featurewise_std_normalization": False},
    ),
]


@pytest.mark.parametrize(("options", "messages", "outcome"), IMPLIED)
def test_options_that_imply_others_say_so_as_in_keras(
    options: dict[str, bool], messages: list[str], outcome: dict[str, bool]
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generator = ImageDataGenerator(**options)
    assert len(caught) == len(messages)
    for warning, message in zip(caught, messages, strict=True):
        assert re.search(message, str(warning.message))
        assert warning.category is UserWarning
        assert warning.filename == __file__  # it points at the line that asks for it
    with quiet():
        reference = keras_generator(**options)
    for name, value in outcome.items():
        assert getattr(generator, name) == getattr(reference, name) == value


@pytest.mark.parametrize(
    ("data_format", "axes"), [("channels_last", (3, 1, 2)), ("channels_first", (1, 2, 3))]
)
def test_axes_follow_the_data_format(data_format: str, axes: tuple[int, int, int]) -> None:
    generator = ImageDataGenerator(data_format=data_format)
    assert (generator.channel_axis, generator.row_axis, generator.col_axis) == axes


def test_the_validation_split_has_the_name_of_keras_too() -> None:
    assert ImageDataGenerator(validation_split=0.2)._validation_split == 0.2


@pytest.fixture
def settings_of_keras() -> Iterator[None]:
    import keras

    before = keras.config.floatx(), keras.config.image_data_format()
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_image_data_format(before[1])


@pytest.mark.usefixtures("settings_of_keras")
def test_what_is_not_given_is_as_keras_is_set() -> None:
    import keras

    keras.config.set_floatx("float64")
    keras.config.set_image_data_format("channels_first")
    generator = ImageDataGenerator()
    assert (generator.dtype, generator.data_format) == ("float64", "channels_first")
    assert ImageDataGenerator(dtype="float32").dtype == "float32"


@pytest.mark.parametrize(
    ("cores", "workers"),
    [(0.25, 2), (0.3, 2), (0.35, 3), (0.0625, 1), (0.1875, 2), (0.0, 1), (1.0, 8), (-1, 8), (0, 1),
     (-3, 1), (1, 1), (5, 5), (99, 8), (np.int64(3), 3), (np.float32(0.5), 4)],
)  # fmt: skip
def test_cores_are_a_number_or_a_share_of_the_machine(
    cores: Any, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine, "available_cpus", lambda: 8)
    assert _machine.worker_count(cores) == workers
    assert ImageDataGenerator(cores=cores).cores == cores


@pytest.mark.parametrize("name", ["preprocessing_function", "noaug_preprocessing_function"])
def test_hooks_that_ask_for_what_nobody_gives_are_refused_at_once(name: str) -> None:
    def hook(params: Any, x: Any, label: int) -> Any:
        return x

    with pytest.raises(ArgumentTypeError, match="label"):
        ImageDataGenerator(**{name: hook})


def test_options_are_checked_once_until_one_is_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[dict[str, Any]] = []

    def noted(**values: Any) -> GeneratorOptions:
        checks.append(values)
        return GeneratorOptions(**values)

    monkeypatch.setattr("imageloom._api.generator.GeneratorOptions", noted)
    generator = ImageDataGenerator(rotation_range=20)
    for seed in range(3):
        next(generator.flow(np.zeros((2, 8, 8, 3)), seed=seed))
        generator.get_random_transform((8, 8, 3))
    assert len(checks) == 1
    generator.rotation_range = 0
    assert generator.get_random_transform((8, 8, 3))["theta"] == 0
    assert len(checks) == 2


def test_assigning_in_a_subclass_is_not_passed_over() -> None:
    class Doubled(ImageDataGenerator):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, 2 * value if name == "rotation_range" else value)

    assert Doubled(rotation_range=20).rotation_range == 40
    generator = Doubled(rotation_range=20)
    drawn = [generator.get_random_transform((8, 8, 3), seed)["theta"] for seed in range(40)]
    assert max(map(abs, drawn)) > 20


def test_no_seed_is_made_for_what_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(state: Any) -> Any:
        raise AssertionError(state)

    monkeypatch.setattr("imageloom._api.transforms.fork", refused)
    ImageDataGenerator(rotation_range=20).get_random_transform((8, 8, 3))
    for option in ({"contrast_range": (0.5, 1)}, {"noise": "gauss"}, {"grayscale": True}):
        with pytest.raises(AssertionError):
            ImageDataGenerator(**option).get_random_transform((8, 8, 3))  # type: ignore[arg-type]
