"""Compositions of albumentations as hooks: recognised, seeded per sample, given all of the sample."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from box_support import GEOMETRY, SIZE, box_frame, boxes_of, corrected, extent
from executor_support import take

from imageloom import ImageDataGenerator, InvalidArgumentError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
A = pytest.importorskip("albumentations")

HOOKS = ("preprocessing_function", "noaug_preprocessing_function")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


def moving(form: str = "pascal_voc", points: str = "xy") -> Any:
    return A.Compose(
        [A.HorizontalFlip(p=0.5), A.Affine(rotate=(-15, 15), p=0.7), A.RandomBrightnessContrast(p=0.5)],
        bbox_params=A.BboxParams(format=form, label_fields=["labels"]),
        keypoint_params=A.KeypointParams(format=points),
    )


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("form", ["pascal_voc", "coco", "yolo", "albumentations"])
def test_boxes_stay_on_what_they_are_around(
    hook: str, form: str, frame: pd.DataFrame, folder: Path
) -> None:
    generator = corrected(**GEOMETRY, **{hook: moving(form)})
    boxes = take(boxes_of(frame, folder, generator), 4)
    masks = take(boxes_of(frame, folder, generator, class_mode="image", y_col="mask"), 4)
    seen = 0
    for (x, y), (same, mask) in zip(boxes, masks, strict=True):
        np.testing.assert_array_equal(x, same)
        for box, label, turned in zip(y["boxes"], y["labels"], mask, strict=True):
            there = extent(turned)
            if there is not None and label[0] == 0:
                seen += 1
                assert np.all(box[0, :2] <= np.array(there[:2]) + 2)
                assert np.all(box[0, 2:] >= np.array(there[2:]) - 2)
    assert seen > 8


@pytest.mark.parametrize("points", ["xy", "yx", "xyas"])
def test_points_go_through_it(points: str, frame: pd.DataFrame, folder: Path) -> None:
    flip = A.Compose([A.HorizontalFlip(p=1)], keypoint_params=A.KeypointParams(format=points))
    plain = next(boxes_of(frame, folder, class_mode="keypoints", y_col="points"))[1]
    generator = corrected(preprocessing_function=flip)
    y = next(boxes_of(frame, folder, generator, class_mode="keypoints", y_col="points"))[1]
    np.testing.assert_allclose(y[..., 0], SIZE[1] - 1 - plain[..., 0], atol=1e-4)
    np.testing.assert_allclose(y[..., 1:], plain[..., 1:], atol=1e-4)


def test_what_it_crops_away_is_left_out(frame: pd.DataFrame, folder: Path) -> None:
    crop = A.Compose(
        [A.Crop(0, 0, 32, 24), A.PadIfNeeded(48, 64, position="top_left")],
        bbox_params=A.BboxParams(format="coco", min_visibility=0.3),
        keypoint_params=A.KeypointParams(format="xy"),
    )
    generator = corrected(preprocessing_function=crop)
    before = next(boxes_of(frame, folder))[1]
    after = next(boxes_of(frame, folder, generator))[1]
    assert (after["labels"] >= 0).sum() < (before["labels"] >= 0).sum()
    assert (after["boxes"] <= [32, 24, 32, 24]).all()
    points = next(boxes_of(frame, folder, generator, class_mode="keypoints", y_col="points"))[1]
    gone = points[..., 2] == 0
    assert gone.any()
    assert not points[gone].any()


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_each_sample_has_numbers_of_its_own(executor: str, frame: pd.DataFrame, folder: Path) -> None:
    given: dict[str, Any] = {"class_mode": "image", "y_col": "mask"}
    composition = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), A.GaussNoise(p=1)])
    expected = take(boxes_of(frame, folder, corrected(preprocessing_function=composition), **given), 4)
    generator = corrected(executor=executor, cores=2, preprocessing_function=composition)
    with boxes_of(frame, folder, generator, **given) as it:
        for (x, y), (other, mask) in zip(take(it, 4), expected, strict=True):
            np.testing.assert_array_equal(x, other)
            np.testing.assert_array_equal(y, mask)
    noise = [x[0] - next(boxes_of(frame, folder, class_mode=None))[0] for x, _ in expected]
    assert not np.array_equal(noise[0], noise[2]), "the same image, in another epoch"


def test_a_sample_does_not_depend_on_its_batch(frame: pd.DataFrame, folder: Path) -> None:
    """The first image of a batch is the same, however many others there are."""
    composition = A.Compose([A.GaussNoise(p=1)])
    generator = corrected(preprocessing_function=composition)
    few, many = (
        next(boxes_of(frame, folder, generator, class_mode=None, batch_size=n)) for n in (2, 6)
    )
    np.testing.assert_array_equal(few, many[:2])


def test_the_generators_of_the_program_are_put_back(frame: pd.DataFrame, folder: Path) -> None:
    composition = A.Compose([A.GaussNoise(p=1)], seed=5)
    before = composition.random_generator.bit_generator.state
    next(boxes_of(frame, folder, corrected(preprocessing_function=composition), class_mode=None))
    assert composition.random_generator.bit_generator.state == before


class Seen(A.ImageOnlyTransform if A else object):  # type: ignore[misc]
    """Notes what it is given."""

    def apply(self, img: Any, **params: Any) -> Any:
        seen.append((img.dtype.name, img.shape))
        return img


seen: list[Any] = []


def test_bytes_are_given_as_bytes_and_floats_as_they_are(frame: pd.DataFrame, folder: Path) -> None:
    generator = corrected(preprocessing_function=A.Compose([Seen(p=1)]), rescale=1 / 255)
    seen.clear()
    x = next(boxes_of(frame, folder, generator, class_mode=None, color_mode="rgb"))
    assert set(seen) == {("uint8", (*SIZE, 3))}
    assert x.dtype == np.float32
    assert x.max() == 1
    first = corrected(preprocessing_function=A.Compose([Seen(p=1)]), data_format="channels_first")
    seen.clear()
    x = next(boxes_of(frame, folder, first, class_mode=None, color_mode="rgb"))
    assert set(seen) == {("uint8", (*SIZE, 3))}
    assert x.shape == (4, 3, *SIZE)
    seen.clear()
    units = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    generator = corrected(preprocessing_function=Seen(p=1))  # a single step is recognised, too
    np.testing.assert_array_equal(next(generator.flow(units, shuffle=False)), units)
    assert set(seen) == {("float32", (8, 8, 3))}
    seen.clear()
    generator.standardize(np.full((8, 8, 3), 200.0))
    assert seen == [("uint8", (8, 8, 3))]


def test_one_that_takes_no_boxes_is_refused_at_once(frame: pd.DataFrame, folder: Path) -> None:
    for hook in HOOKS:
        generator = corrected(**{hook: A.Compose([A.HorizontalFlip()])})
        with pytest.raises(InvalidArgumentError, match=rf"`{hook}` .* bbox_params=A\.BboxParams"):
            boxes_of(frame, folder, generator)
        with pytest.raises(InvalidArgumentError, match=r"keypoint_params=A\.KeypointParams"):
            boxes_of(frame, folder, generator, class_mode="keypoints", y_col="points")
        boxes_of(frame, folder, generator, class_mode=None)


class Failing(A.ImageOnlyTransform if A else object):  # type: ignore[misc]
    """Raises an error."""

    def apply(self, img: Any, **params: Any) -> Any:
        raise ZeroDivisionError("of the step")


def test_errors_name_the_file(frame: pd.DataFrame, folder: Path) -> None:
    generator = corrected(preprocessing_function=A.Compose([Failing(p=1)]))
    with pytest.raises(ZeroDivisionError) as caught:
        next(boxes_of(frame, folder, generator, class_mode=None))
    assert "running preprocessing_function, file '0.png'" in caught.value.__notes__[0]


def test_a_bad_mask_is_replaced_with_its_image(frame: pd.DataFrame, folder: Path) -> None:
    (folder / "bad mask.png").write_bytes(b"no image")
    given = frame.copy()
    given.loc[0, "mask"] = "bad mask.png"
    generator = corrected(on_bad_image="replace", preprocessing_function=moving())
    with pytest.warns(UserWarning, match=r"0\.png"):
        x, y = next(boxes_of(given, folder, generator, class_mode="image", y_col="mask"))
    assert x.shape[0] == len(y) == 4


def test_it_is_recognised_without_being_imported() -> None:
    generator = ImageDataGenerator(preprocessing_function=moving())
    assert "Compose" in repr(generator)
