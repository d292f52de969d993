"""Copies are found among photographs, and pictures that are only alike are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from altered_copies import COPIES, NAMES, cropped, whole_photograph
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from imageloom._imaging import near_duplicates as module
from imageloom._imaging.look import look_at
from imageloom._imaging.near_duplicates import near_duplicates


def groups(images: list[Image.Image]) -> list[list[int]]:
    looks = [look_at(np.asarray(image)) for image in images]
    hashes = np.array([look.bits for look in looks if look], np.uint64)
    return near_duplicates(hashes, np.stack([look.thumbnail for look in looks if look]))


def originals() -> list[Image.Image]:
    return [whole_photograph(name) for name in NAMES]


@pytest.mark.parametrize("kind", COPIES)
def test_all_copies_are_found(kind: str) -> None:
    images = originals()
    copies = [COPIES[kind](image) for image in images]
    count = len(images)
    assert groups(images + copies) == [[i, i + count] for i in range(count)]


@pytest.mark.parametrize(("share", "least"), [(0.02, 11), (0.04, 10), (0.06, 9)])
def test_slight_crops_are_found(share: float, least: int) -> None:
    images = originals()
    count = len(images)
    found = groups(images + [cropped(image, share) for image in images])
    assert all(one + count == other for one, other in found), "wrong pairs"
    assert len(found) >= least


def test_different_photographs_are_no_copies() -> None:
    assert groups(originals()) == []


def test_parts_of_photographs_are_no_copies() -> None:
    parts = []
    for image in originals():
        for left in (0, 200):
            parts += [image.crop((left, upper, left + 200, upper + 150)) for upper in (0, 150)]
    assert groups(parts) == []


def test_mirrored_photographs_are_no_copies() -> None:
    assert (
        groups(originals() + [i.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for i in originals()]) == []
    )


def test_a_single_pair() -> None:
    image = whole_photograph("rocket")
    assert groups([image, image.resize((100, 75))]) == [[0, 1]]
    assert groups([image]) == []


def test_many_copies_are_one_group() -> None:
    copies = [whole_photograph("coins").resize((400 + 9 * i, 300)) for i in range(40)]
    assert groups([*copies, *originals()[:3]]) == [list(range(40))]


@pytest.mark.slow
def test_digits_which_are_all_alike_are_no_copies() -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits().images
    images = [
        Image.fromarray((15 * digit).astype(np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
        for digit in digits
    ]
    assert groups(images) == []
    copies = [image.resize((64, 64), Image.Resampling.BICUBIC) for image in images[::100]]
    found = groups(images + copies)
    assert all((one // 100 * 100, one // 100 + len(images)) == (one, other) for one, other in found)
    assert len(found) >= len(copies) // 2


@given(st.integers(2, 150), st.integers(0, 2**32 - 1))
def test_all_close_hashes_are_found(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    for _ in range(count // 2):
        source, target = rng.integers(0, count, 2)
        flipped = rng.choice(64, rng.integers(0, 20), replace=False)
        hashes[target] = hashes[source] ^ np.bitwise_or.reduce(
            np.uint64(1) << flipped.astype(np.uint64), initial=np.uint64(0)
        )
    found = {
        (row, column): distance
        for start in range(0, count, module._ROWS)
        for row, column, distance in zip(
            *(part.tolist() for part in module._close(hashes, start)), strict=True
        )
    }
    bits = [(int(one) ^ int(two)).bit_count() for one in hashes for two in hashes]
    assert found == {
        (i, j): bits[i * count + j]
        for i in range(count)
        for j in range(i + 1, count)
        if bits[i * count + j] <= module._LARGEST_DISTANCE
    }


def test_parts_of_rows_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    images = originals() + [COPIES["darker"](image) for image in originals()]
    whole = groups(images)
    monkeypatch.setattr(module, "_COLUMNS", 5)
    monkeypatch.setattr(module, "_ROWS", 3)
    assert groups(images) == whole != []


def noise(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    thumbnails = rng.integers(0, 256, (count, 32, 32), dtype=np.uint8)
    return np.zeros(count, np.uint64), thumbnails


def test_work_is_bounded_if_all_hashes_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    matched: list[int] = []
    score = module._score

    def counted(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> float:
        matched.append(1)
        return score(one, other)

    monkeypatch.setattr(module, "_score", counted)
    monkeypatch.setattr(module, "_LEAST_COARSE", -1.0)
    count = 300
    assert near_duplicates(*noise(count)) == []
    assert len(matched) <= count * module._MATCHED + module._SAMPLE


def test_progress_is_told() -> None:
    told: list[int] = []
    near_duplicates(*noise(100), advance=told.append)
    assert sum(told) == 100


def in_reverse(function: Callable[[int], object], items: range) -> list[object]:
    """A `map` whose calls end in another order, as threads' may."""
    return [function(item) for item in reversed(items)][::-1]


def test_the_order_of_the_work_does_not_matter() -> None:
    images = originals() + [COPIES["grey"](image) for image in originals()]
    looks = [look_at(np.asarray(image)) for image in images]
    hashes = np.array([look.bits for look in looks if look], np.uint64)
    thumbnails = np.stack([look.thumbnail for look in looks if look])
    assert near_duplicates(hashes, thumbnails, in_reverse) == near_duplicates(hashes, thumbnails)
