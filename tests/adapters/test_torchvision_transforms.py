"""Transforms of `torchvision.transforms.v2` as hooks, with a stand-in for the library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from box_support import SIZE, box_frame, boxes_of, corrected
from executor_support import take

from imageloom import InvalidArgumentError

torch = pytest.importorskip("torch")

from torchvision_stand_in import (  # noqa: E402  # which needs torch
    Compose,
    ConvertBoxes,
    CutMix,
    Drop,
    RandomHorizontalFlip,
    ToDtype,
    installed,
)


@pytest.fixture(autouse=True, scope="module")
def library() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, module in installed().items():
            patch.setitem(sys.modules, name, module)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


def test_everything_of_a_sample_is_given(frame: pd.DataFrame, folder: Path) -> None:
    flipping = corrected(preprocessing_function=Compose([RandomHorizontalFlip(1)]))
    x, y = next(boxes_of(frame, folder))
    flipped, boxes = next(boxes_of(frame, folder, flipping))
    np.testing.assert_array_equal(flipped, x[:, :, ::-1])
    there = y["labels"] >= 0
    mirrored = y["boxes"][there] * [-1, 1, -1, 1] + [SIZE[1], 0, SIZE[1], 0]
    np.testing.assert_allclose(boxes["boxes"][there], mirrored[:, [2, 1, 0, 3]], atol=1e-4)
    np.testing.assert_array_equal(boxes["labels"], y["labels"])
    options: dict[str, Any] = {"class_mode": "keypoints", "y_col": "points"}
    (_, plain), (_, points) = (
        next(boxes_of(frame, folder, generator, **options)) for generator in (None, flipping)
    )
    np.testing.assert_allclose(points[..., 0], SIZE[1] - 1 - plain[..., 0], atol=1e-4)
    options = {"class_mode": "image", "y_col": "mask"}
    (_, mask), (_, turned) = (
        next(boxes_of(frame, folder, generator, **options)) for generator in (None, flipping)
    )
    np.testing.assert_array_equal(turned, mask[:, :, ::-1])


def test_boxes_that_it_leaves_out_are_gone(frame: pd.DataFrame, folder: Path) -> None:
    plain = next(boxes_of(frame, folder))[1]["labels"]
    y = next(boxes_of(frame, folder, corrected(preprocessing_function=Drop())))[1]
    assert y["labels"].tolist() == [[row[row >= 0][-1], -1, -1] for row in plain]


def test_points_that_it_leaves_out_are_hidden(frame: pd.DataFrame, folder: Path) -> None:
    options: dict[str, Any] = {"class_mode": "keypoints", "y_col": "points"}
    plain = next(boxes_of(frame, folder, **options))[1]
    y = next(boxes_of(frame, folder, corrected(preprocessing_function=Drop()), **options))[1]
    assert not y[:, 0].any()
    np.testing.assert_allclose(y[:, 1], plain[:, 1], atol=1e-4)


@pytest.mark.parametrize("mode", ["boxes", "keypoints"])
def test_what_is_left_out_without_its_label_is_an_error(
    mode: str, frame: pd.DataFrame, folder: Path
) -> None:
    generator = corrected(preprocessing_function=Drop(labels_getter=None))
    options = {"class_mode": mode, "y_col": "points" if mode == "keypoints" else ["boxes", "labels"]}
    with pytest.raises(InvalidArgumentError, match=r'v2\.Sanitize\w+\(labels_getter="default"\)'):
        next(boxes_of(frame, folder, generator, **options))


def test_boxes_in_another_format_are_read_in_it(frame: pd.DataFrame, folder: Path) -> None:
    plain = next(boxes_of(frame, folder))[1]["boxes"]
    converting = corrected(preprocessing_function=ConvertBoxes())
    found = next(boxes_of(frame, folder, converting))[1]["boxes"]
    np.testing.assert_allclose(found, plain, atol=1e-4)


def test_floats_of_a_unit_stay(frame: pd.DataFrame, folder: Path) -> None:
    generator = corrected(preprocessing_function=Compose([RandomHorizontalFlip(0), ToDtype()]))
    x = next(boxes_of(frame, folder, generator, class_mode=None))
    plain = next(boxes_of(frame, folder, class_mode=None))
    np.testing.assert_allclose(x, plain / 255, rtol=1e-6)


def test_each_sample_is_seeded_and_torchs_generator_is_put_back(
    frame: pd.DataFrame, folder: Path
) -> None:
    flip = RandomHorizontalFlip()
    before = torch.get_rng_state()
    expected = take(boxes_of(frame, folder, corrected(preprocessing_function=flip)), 6)
    assert torch.equal(torch.get_rng_state(), before)
    plain = take(boxes_of(frame, folder), 6)
    flips = [
        np.array_equal(one, other)
        for (x, _), (same, _) in zip(expected, plain, strict=True)
        for one, other in zip(x, same, strict=True)
    ]
    assert 4 < sum(flips) < 20
    generator = corrected(preprocessing_function=flip, executor="threads", cores=2)
    with boxes_of(frame, folder, generator) as it:
        for (x, y), (other, boxes) in zip(take(it, 6), expected, strict=True):
            np.testing.assert_array_equal(x, other)
            np.testing.assert_array_equal(y["boxes"], boxes["boxes"])


def test_its_steps_are_named(frame: pd.DataFrame, folder: Path) -> None:
    generator = corrected(preprocessing_function=Compose([RandomHorizontalFlip(), ToDtype()]))
    sheet = boxes_of(frame, folder, generator).preview(samples=1, versions=1)
    (version,) = sheet.info["versions"]
    words = "('torchvision:', 'RandomHorizontalFlip', 'ToDtype')"
    assert version["parameters"]["functions"] == words


def test_transforms_of_batches_are_refused(frame: pd.DataFrame, folder: Path) -> None:
    for function in (CutMix(), Compose([RandomHorizontalFlip(1), CutMix()])):
        with pytest.raises(InvalidArgumentError, match=r"v2\.CutMix mixes .* pass `cutmix` to the gen"):
            next(boxes_of(frame, folder, corrected(preprocessing_function=function)))
