"""What `finish="device"` cannot do is an error that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_support import photographs

from imageloom import ImageDataGenerator, InvalidArgumentError

pytest.importorskip("jax")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"preprocessing_function": lambda x: x}, "`preprocessing_function`"),
        ({"noise": "gauss"}, "`noise`"),
        ({"get_batch_function": lambda i, f, c, p: (i, None)}, "`get_batch_function`"),
        ({"interpolation_order": 3}, "`interpolation_order=3`"),
        ({"save_to_dir": "x"}, "`save_to_dir`"),
        ({"noise": "s&p", "preprocessing_function": np.abs}, "`preprocessing_function` and `noise`"),
    ],
)
def test_what_a_device_cannot_compute_is_an_error_at_once(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        ImageDataGenerator(finish="device", **options)
    ImageDataGenerator(**options)
    generator = ImageDataGenerator(finish="device")
    for name, value in options.items():
        setattr(generator, name, value)
    with pytest.raises(InvalidArgumentError, match=named):
        generator.flow(photographs())


def test_overridden_methods_and_folders_are_errors_that_name_them(tmp_path: Path) -> None:
    class Generator(ImageDataGenerator):
        def standardize(self, x: Any) -> Any:
            return x

    it = Generator(executor="serial", finish="device").flow(photographs())
    with pytest.raises(InvalidArgumentError, match="`standardize`"):
        list(it.to_jax())
    it = ImageDataGenerator(executor="serial", finish="device").flow(
        photographs(), save_to_dir=tmp_path
    )
    with pytest.raises(InvalidArgumentError, match="`save_to_dir`"):
        list(it.to_jax())


def test_images_that_are_no_bytes_are_errors_that_name_the_file(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "a" / "deep.png")
    generator = ImageDataGenerator(executor="serial", finish="device")
    it = generator.flow_from_directory(tmp_path, (9, 9), color_mode="grayscale", class_mode=None)
    with pytest.raises(InvalidArgumentError, match="stored as") as caught:
        list(it.to_jax())
    assert any("deep.png" in note for note in caught.value.__notes__)


def test_the_name_of_the_finish_is_checked() -> None:
    with pytest.raises(InvalidArgumentError, match="finish"):
        ImageDataGenerator(finish="gpu")
