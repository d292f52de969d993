"""Iterators of Keras and of this library over the same data, and comparisons of their batches."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator

# Exact in both, so that batches are compared value by value.
OPTIONS: Final[Mapping[str, Any]] = {
    "horizontal_flip": True, "vertical_flip": True, "channel_shift_range": 40.0, "rescale": 0.5,
}  # fmt: skip
SAMPLES: Final = 11
BATCH: Final = 3
SEED: Final = 20
FLOWS: Final = ("arrays", "directory", "dataframe", "raw")


def make_folder(folder: Path) -> Path:
    """Eleven pictures in two classes."""
    random = np.random.RandomState(5)
    for number in range(SAMPLES):
        place = folder / ("cats" if number < 5 else "dogs")
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.randint(0, 256, (8, 8, 3)).astype("uint8")
        Image.fromarray(pixels).save(place / f"{number:02}.png")
    return folder


def frame(folder: Path) -> pd.DataFrame:
    """The pictures of `make_folder`, with numbers and weights."""
    files = sorted(folder.rglob("*.png"))
    return pd.DataFrame(
        {
            "filename": [str(file.relative_to(folder)) for file in files],
            "class": [file.parent.name for file in files],
            "number": np.arange(float(len(files))),
            "weight": np.linspace(1, 2, len(files)),
        }
    )


def make(generator: Any, flow: str, folder: Path, **arguments: Any) -> Any:
    """An iterator of one of the flows."""
    arguments = {"batch_size": BATCH, "seed": SEED, **arguments}
    if flow == "arrays":
        x = np.random.RandomState(8).uniform(0, 255, (SAMPLES, 8, 8, 3)).astype("float32")
        return generator.flow(
            x, np.arange(SAMPLES), sample_weight=np.linspace(1, 2, SAMPLES), **arguments
        )
    arguments.setdefault("target_size", (8, 8))
    with contextlib.redirect_stdout(io.StringIO()):
        if flow == "directory":
            return generator.flow_from_directory(str(folder), **arguments)
        if flow == "raw":
            arguments = {"class_mode": "raw", "y_col": "number", **arguments}
        return generator.flow_from_dataframe(
            frame(folder), str(folder), weight_col="weight", **arguments
        )


def generators(executor: str = "serial", **options: Any) -> tuple[Any, Any]:
    """Ours and Keras'."""
    options = {**OPTIONS, **options}
    return ImageDataGenerator(executor=executor, cores=1, **options), keras_generator(**options)


def outcome(action: Callable[[], Any]) -> Any:
    """What an action returns, or the class of what it raises, as Keras' users catch it."""
    try:
        with quiet():
            return action()
    except (ValueError, TypeError, AttributeError, LookupError, NotImplementedError) as error:
        return error


def assert_alike(ours: Any, theirs: Any, about: str = "") -> None:
    """Both are the same batch, or both are errors."""
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"{about}: Keras raises {theirs!r}"
        assert isinstance(theirs, Exception), f"{about}: {ours!r}"
        return
    assert isinstance(ours, (tuple, list)) == isinstance(theirs, (tuple, list)), about
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs), about
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other, about)
        return
    if theirs is None or isinstance(theirs, (str, bool, int, float)):
        assert ours == theirs, about
        return
    np.testing.assert_allclose(ours, theirs, atol=2e-4, err_msg=about)
    if hasattr(theirs, "dtype"):
        assert np.asarray(ours).dtype == theirs.dtype, about
