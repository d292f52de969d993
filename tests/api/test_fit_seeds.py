"""`fit(augment=True, seed=...)`: the seed decides about every number that is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import photograph

from imageloom import ImageDataGenerator

OPTIONS: list[dict[str, Any]] = [
    {"contrast_range": (0.2, 1.8)},
    {"noise": ["gauss"]},
    {"noise": ["gauss", "poisson", "s&p", "speckle"]},
    {"rotation_range": 40},
    {"rotation_range": 20, "contrast_range": (0.5, 1.5), "noise": ["s&p"]},
]


class OwnDraws(ImageDataGenerator):
    """A user's own method, which workers call."""

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        return x * np.random.uniform(0.2, 1.8)


@pytest.fixture(scope="module")
def images() -> NDArray[Any]:
    names = ("astronaut", "chelsea", "coffee")
    return np.stack([photograph(name, 20, 20, variant=v) for name in names for v in (0, 1)])


def fitted(images: NDArray[Any], streamed: bool, seed: int | None, **options: Any) -> float:
    kind = options.pop("kind", ImageDataGenerator)
    generator = kind(featurewise_center=True, executor="serial", **options)
    data: Any = generator.flow(images, batch_size=4, shuffle=False) if streamed else images
    generator.fit(data, augment=True, rounds=2, seed=seed)
    return float(generator.mean.sum())


@pytest.mark.parametrize("options", OPTIONS, ids="+".join)
@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_the_seed_decides(images: NDArray[Any], streamed: bool, options: dict[str, Any]) -> None:
    first = fitted(images, streamed, 1, **options)
    assert fitted(images, streamed, 1, **options) == first
    assert fitted(images, streamed, 2, **options) != first


@pytest.mark.parametrize("options", OPTIONS, ids="+".join)
def test_an_array_and_its_iterator_agree(images: NDArray[Any], options: dict[str, Any]) -> None:
    streamed = fitted(images, True, 3, **options)
    assert streamed == pytest.approx(fitted(images, False, 3, **options), rel=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids="+".join)
@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_without_a_seed_the_global_state_decides(
    images: NDArray[Any], streamed: bool, options: dict[str, Any]
) -> None:
    state = np.random.get_state()
    try:
        np.random.seed(5)
        first = fitted(images, streamed, None, **options)
        np.random.seed(5)
        assert fitted(images, streamed, None, **options) == first
        np.random.seed(6)
        assert fitted(images, streamed, None, **options) != first
    finally:
        np.random.set_state(state)


@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_a_users_own_transform_draws_by_the_seed(images: NDArray[Any], streamed: bool) -> None:
    first = fitted(images, streamed, 1, kind=OwnDraws)
    assert fitted(images, streamed, 1, kind=OwnDraws) == first
    assert fitted(images, streamed, 2, kind=OwnDraws) != first


def test_contrast_moves_no_number_that_keras_draws(images: NDArray[Any]) -> None:
    """Its stream is its own: a contrast of exactly 1 leaves the rest as it was."""
    plain = fitted(images, False, 7, rotation_range=30, zoom_range=0.2)
    beside = fitted(images, False, 7, rotation_range=30, zoom_range=0.2, contrast_range=(1, 1))
    assert beside == pytest.approx(plain, abs=1.5 * 3)
