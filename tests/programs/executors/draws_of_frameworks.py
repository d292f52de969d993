"""A hook draws from a framework's generator, and loads that itself.

Prints how many images differ, whether each executor gives the same ones, and whether the program's own
generator was left alone.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._api import engine

Image = NDArray[np.float32]


def of_torch(x: Image) -> Image:
    import torch

    return x + torch.rand(1).item()


def of_tensorflow(x: Image) -> Image:
    import tensorflow as tf

    return x + float(tf.random.uniform([]))


def of_cv2(x: Image) -> Image:
    import cv2

    noise = np.empty((1, 1), np.float32)
    cv2.randu(noise, 0.0, 1.0)
    return x + noise[0, 0]


class OfKeras:
    seeds: Any = None

    def __call__(self, x: Image) -> Image:
        import keras

        return x + float(keras.random.uniform((), seed=self.seeds))


def main(framework: str) -> None:
    hooks = {"torch": of_torch, "tensorflow": of_tensorflow, "cv2": of_cv2, "keras": OfKeras()}
    hook: Any = hooks[framework]
    if framework == "keras":
        import keras

        hook.seeds = keras.random.SeedGenerator(1)
    engine._may_compute_here = lambda *_: False
    images = np.zeros((24, 2, 2, 1), np.uint8)
    outcomes: list[object] = []
    expected = None
    for executor, cores in [
        ("serial", 1),
        ("serial", 1),
        ("threads", 2),
        *[("processes", n) for n in (1, 2)],
    ]:
        if expected is not None:
            before = own_draw(framework)
        generator = ImageDataGenerator(executor=executor, cores=cores, preprocessing_function=hook)
        with generator.flow(images, batch_size=4, seed=5) as it:
            received = np.concatenate([next(it) for _ in range(6)])
        if expected is None:
            expected = received
            outcomes.append(len({image.tobytes() for image in received}))
        else:
            outcomes.append(np.array_equal(received, expected))
            assert own_draw(framework) != before, "the program's generator goes on"
    print(*outcomes, own_state(framework))


def own_draw(framework: str) -> object:
    if framework == "torch":
        import torch

        return torch.rand(1).item()
    if framework == "tensorflow":
        import tensorflow as tf

        return float(tf.random.uniform([]))
    return object()


def own_state(framework: str) -> str:
    """Whether two serial readings leave the program's numbers as they would be without them."""
    if framework not in ("torch", "tensorflow"):
        return "untouched"
    hook: Any = of_torch if framework == "torch" else of_tensorflow
    drawn = []
    for reads in (False, True):
        if framework == "torch":
            import torch

            torch.manual_seed(7)
        else:
            import tensorflow as tf

            tf.random.set_seed(7)
        first = own_draw(framework)
        if reads:
            generator = ImageDataGenerator(executor="serial", preprocessing_function=hook)
            next(generator.flow(np.zeros((4, 2, 2, 1), np.uint8), batch_size=4, seed=9))
        drawn.append((first, own_draw(framework)))
    return "untouched" if drawn[0] == drawn[1] else f"changed: {drawn}"


if __name__ == "__main__":
    main(sys.argv[1])
