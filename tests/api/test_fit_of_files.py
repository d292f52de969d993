"""`fit("stats.npz")`: statistics are those of the images that the generator reads, or it is said."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom import ImageDataGenerator, InvalidArgumentError, StateMismatchError
from imageloom._imaging.normalise import FeatureStatistics, MeasuredImages
from imageloom._imaging.statistics_file import save_statistics

IMAGES = MeasuredImages(rescale=None, target_size=(6, 4), color_mode="rgb", dtype="float32")
STATISTICS = FeatureStatistics(
    mean=np.array([[[120, 110, 100]]], "float32"),
    std=np.array([[[60, 50, 40]]], "float32"),
    zca_whitening_matrix=np.eye(72),
    images=IMAGES,
)


def written(path: Path, **images: Any) -> Path:
    """A file of statistics of other images."""
    described = dataclasses.replace(IMAGES, **images)
    matrix = np.eye(int(np.prod(described.target_size)) * (1 if "color_mode" in images else 3))
    found = dataclasses.replace(STATISTICS, images=described, zca_whitening_matrix=matrix)
    if images.get("color_mode") == "grayscale":
        found = dataclasses.replace(found, mean=found.mean[..., :1], std=found.std[..., :1])
    save_statistics(found, path / "stats.npz")
    return path / "stats.npz"


def generator(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(
        **{"executor": "serial", "featurewise_center": True, "featurewise_std_normalization": True}
        | options
    )


def first(fitted: ImageDataGenerator, crops: Path, **how: Any) -> Any:
    return next(fitted.flow_from_directory(crops, (6, 4), shuffle=False, batch_size=4, **how))[0]


def test_it_is_as_if_the_statistics_were_assigned(crops: Path, tmp_path: Path) -> None:
    fitted, assigned = generator(), generator()
    fitted.fit(written(tmp_path))
    assigned.mean, assigned.std = STATISTICS.mean, STATISTICS.std
    np.testing.assert_array_equal(first(fitted, crops), first(assigned, crops))


@pytest.mark.parametrize(
    ("theirs", "ours"), [(1 / 255, None), (None, 1 / 255), (1 / 255, 1 / 127), (2, 1)]
)
def test_another_rescale_is_an_error(theirs: Any, ours: Any, tmp_path: Path) -> None:
    fitted = generator(rescale=ours)
    with pytest.raises(InvalidArgumentError, match=r"stats\.npz.*rescale="):
        fitted.fit(written(tmp_path, rescale=theirs))
    assert fitted.mean is None


@pytest.mark.parametrize(
    ("theirs", "ours"), [(1 / 255, 1 / 255), (0.00392156862, 1 / 255), (None, 1), (None, 0), (1, None)]
)
def test_the_same_rescale_is_none(theirs: Any, ours: Any, tmp_path: Path) -> None:
    generator(rescale=ours).fit(written(tmp_path, rescale=theirs))


@pytest.mark.parametrize(
    ("theirs", "ours"), [("rgb", "grayscale"), ("grayscale", "rgb"), ("grayscale", "rgba")]
)
def test_another_colour_mode_is_an_error(theirs: str, ours: str, crops: Path, tmp_path: Path) -> None:
    fitted = generator()
    fitted.fit(written(tmp_path, **({} if theirs == "rgb" else {"color_mode": theirs})))
    with pytest.raises(InvalidArgumentError, match=rf"{theirs}.*--color-mode {ours}"):
        first(fitted, crops, color_mode=ours)


def test_another_size_is_a_warning(crops: Path, tmp_path: Path) -> None:
    fitted = generator()
    fitted.fit(written(tmp_path, target_size=(5, 4)))
    with pytest.warns(UserWarning, match=r"5x4 .*6x4: .*--size 6 4"):
        first(fitted, crops)


def test_another_size_is_an_error_of_whitening(crops: Path, tmp_path: Path) -> None:
    fitted = generator(featurewise_std_normalization=False, zca_whitening=True)
    fitted.fit(written(tmp_path, target_size=(5, 4)))
    with pytest.raises(InvalidArgumentError, match=r"5x4 .*6x4"):
        first(fitted, crops)


def test_whitening_of_channels_first_is_that_of_channels_last(crops: Path, tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(72, 72))
    save_statistics(dataclasses.replace(STATISTICS, zca_whitening_matrix=matrix), tmp_path / "s.npz")
    batches = []
    for data_format in ("channels_last", "channels_first"):
        options = {"featurewise_std_normalization": False, "zca_whitening": True}
        fitted = generator(data_format=data_format, **options)
        fitted.fit(tmp_path / "s.npz")
        batches.append(first(fitted, crops))
    np.testing.assert_allclose(np.moveaxis(batches[1], 1, -1), batches[0], rtol=1e-4, atol=1e-2)


def test_what_the_user_assigns_later_is_no_matter_of_the_file(crops: Path, tmp_path: Path) -> None:
    fitted = generator()
    fitted.fit(written(tmp_path, target_size=(5, 4)))
    fitted.mean = np.zeros((1, 1, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first(fitted, crops)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_copies_of_a_generator_know_it_too(copied: Any, crops: Path, tmp_path: Path) -> None:
    fitted = generator()
    fitted.fit(written(tmp_path, color_mode="grayscale"))
    with pytest.raises(InvalidArgumentError, match="--color-mode rgb"):
        first(copied(fitted), crops)


def test_channels_come_first_where_the_generator_wants_it(crops: Path, tmp_path: Path) -> None:
    last, channels_first = generator(), generator(data_format="channels_first")
    for fitted in (last, channels_first):
        fitted.fit(written(tmp_path))
    assert channels_first.mean.shape == (3, 1, 1)
    np.testing.assert_array_equal(first(channels_first, crops), np.moveaxis(first(last, crops), -1, 1))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_statistics_have_the_dtype_of_the_generator(dtype: str, tmp_path: Path) -> None:
    fitted = generator(dtype=dtype)
    fitted.fit(written(tmp_path))
    assert fitted.mean.dtype == fitted.std.dtype == dtype


def test_a_file_of_an_earlier_release_is_read(crops: Path, tmp_path: Path) -> None:
    """It does not say of what images it is."""
    save_statistics(dataclasses.replace(STATISTICS, images=None), tmp_path / "stats.npz")
    fitted = generator(rescale=1 / 255)
    fitted.fit(tmp_path / "stats.npz")
    np.testing.assert_array_equal(fitted.mean, STATISTICS.mean)
    first(fitted, crops)


# A state says what the statistics are, so that nobody continues with others.

STEPS = {"featurewise_center": "mean", "featurewise_std_normalization": "std"}


@pytest.mark.parametrize(
    "steps",
    [(), ("featurewise_center",), tuple(STEPS), ("featurewise_center", "zca_whitening")],
    ids=" and ".join,
)
def test_state_is_the_same_whoever_found_the_statistics(
    steps: tuple[str, ...], crops: Path, tmp_path: Path
) -> None:
    """A file has more than an array or an iterator is asked for."""
    options = {**dict.fromkeys(STEPS, False), **dict.fromkeys(steps, True)}
    streamed, from_file = generator(**options), generator(**options)
    read = {"target_size": (6, 4), "shuffle": False, "batch_size": 4, "seed": 1}
    streamed.fit(streamed.flow_from_directory(crops, **read), verbose=False)
    found = streamed._statistics()
    everything = dataclasses.replace(
        STATISTICS,
        **{
            name: value
            for name in ("mean", "std", "zca_whitening_matrix")
            if (value := getattr(found, name)) is not None
        },
    )
    save_statistics(everything, tmp_path / "stats.npz")
    from_file.fit(tmp_path / "stats.npz")
    one, other = (each.flow_from_directory(crops, **read) for each in (streamed, from_file))
    assert one.state_dict() == other.state_dict()
    next(one)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(next(other)[0], next(one)[0])


@pytest.mark.parametrize("step", STEPS)
def test_statistics_that_count_still_tell_streams_apart(step: str, crops: Path, tmp_path: Path) -> None:
    options = {"featurewise_std_normalization": step == "featurewise_std_normalization"}
    fitted, assigned = generator(**options), generator(**options)
    for each in (fitted, assigned):
        each.fit(written(tmp_path))
    setattr(assigned, STEPS[step], getattr(STATISTICS, STEPS[step]) + 1)
    one, other = (
        each.flow_from_directory(crops, (6, 4), batch_size=4, seed=1) for each in (fitted, assigned)
    )
    with pytest.raises(StateMismatchError, match=f"fitted {STEPS[step]} was"):
        other.load_state_dict(one.state_dict())


def test_state_of_an_earlier_release_is_read(crops: Path, tmp_path: Path) -> None:
    """It had the statistics that no option used, too."""
    fitted = generator(featurewise_std_normalization=False)
    fitted.fit(written(tmp_path))
    it = fitted.flow_from_directory(crops, (6, 4), batch_size=4, seed=1)
    state = it.state_dict()
    state["fingerprint"] |= {"fitted std": "0123456789abcdef", "fitted zca_whitening_matrix": "f0"}
    it.load_state_dict(state)
