"""What moves the order of an iterator is assigned again and again, within epochs, as with Keras."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from reference import keras_generator

from imageloom import ImageDataGenerator

PROGRAMS = 150

Step = tuple[str, Any]


def random_steps(rng: random.Random) -> list[Step]:
    """Batches that are read, and between them attributes that are assigned."""
    steps: list[Step] = []
    for _ in range(rng.randint(2, 5)):
        steps.append(("read", rng.randint(1, 9)))
        for _ in range(rng.randint(1, 3)):
            values = {
                "batch_size": rng.randint(1, 6),
                "seed": rng.randint(0, 99),
                "shuffle": rng.random() < 0.5,
            }
            steps.append(rng.choice(list(values.items())))
    return [*steps, ("read", 12)]


def seen(it: Any, steps: list[Step]) -> list[Any]:
    """The samples of each batch, and the numbers that the iterator shows after it."""
    found = []
    for name, value in steps:
        if name != "read":
            setattr(it, name, value)
            continue
        for _ in range(value):
            samples = next(it)[:, 0, 0, 0].astype(int).tolist()
            found.append((samples, it.batch_index, it.total_batches_seen))
    return found


@pytest.mark.filterwarnings("ignore:IL107")
@pytest.mark.parametrize("first", range(0, PROGRAMS, 50))
def test_assigned_again_within_an_epoch(first: int) -> None:
    """Keras counts its index round after a larger batch size, and goes on from there."""
    for number in range(first, first + 50):
        rng = random.Random(number)
        samples, size, steps = rng.randint(2, 14), rng.randint(1, 5), random_steps(rng)
        x = np.arange(samples, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3))
        theirs, ours = (
            seen(generator.flow(x, batch_size=size, seed=3, shuffle=number % 3 > 0), steps)
            for generator in (keras_generator(), ImageDataGenerator(executor="serial"))
        )
        assert ours == theirs, (number, samples, size, steps)
