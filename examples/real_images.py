"""Write class folders of real images that Python packages contain.

Nothing is downloaded: scikit-learn has 1,797 handwritten digits and two photographs, the wheel of
scikit-image has some colour photographs, and elpv-dataset has 2,624 pictures of solar cells. All
folders have the layout that ``flow_from_directory`` reads: one sub-folder per class, with the name
of the class.

As a script, this file writes the digits and the photographs below a directory::

    python examples/real_images.py build/images
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

Parameters = dict[str, Any]

_MARKER = ".complete.json"
_DIGIT_COUNT = 1797
_DIGIT_SIZE = (32, 32)
# A dark margin on each side, so that turned and shifted strokes are not cut off.
_DIGIT_MARGIN = 4
_JPEG_QUALITY = 90
# A crop takes at least this share of the largest box of the target shape that fits in the
# photograph: smaller crops would differ more, but would have to be enlarged into a blur.
_SMALLEST_CROP = 0.6


def write_digits(directory: str | os.PathLike[str]) -> Path:
    """Write scikit-learn's handwritten digits as grey PNG files, one folder per digit.

    The 8x8 scans with their 17 levels of grey become 32x32 images with levels 0 to 255,
    enlarged with a bicubic filter so that a rotated stroke still looks like a stroke, and with
    a dark margin around the digit.
    A folder that is already complete is left as it is.
    """
    target = Path(directory)
    parameters: Parameters = {"kind": "digits", "count": _DIGIT_COUNT, "size": _DIGIT_SIZE}
    parameters["margin"] = _DIGIT_MARGIN
    if _is_complete(target, parameters):
        return target
    # Imported here because it takes seconds, and in most runs the folder is complete.
    from sklearn.datasets import load_digits

    digits = load_digits()
    with _replacing(target, parameters) as folder:
        pairs = list(zip(digits.images, digits.target, strict=True))
        for index, (scan, label) in enumerate(tqdm(pairs, desc="Writing digits", unit="image")):
            image = _enlarged_digit(scan)
            image.save(_class_folder(folder, str(label)) / f"{index:04d}.png")
    return target


def write_photographs(
    directory: str | os.PathLike[str],
    count: int = 1000,
    size: tuple[int, int] = (500, 375),
    seed: int = 1,
) -> Path:
    """Write random crops of the shipped photographs as JPEG files, one folder per photograph.

    Each of the ``count`` crops takes between 60 % and 100 % of the largest box that fits in
    its photograph, lies anywhere, and is resampled to ``size`` (width, height). The photographs
    take turns, so that the classes are of equal size, give or take one. The crops depend on
    ``seed`` alone. A folder that is already complete is left as it is.
    """
    target = Path(directory)
    parameters: Parameters = {"kind": "photographs", "count": count, "size": size, "seed": seed}
    if _is_complete(target, parameters):
        return target
    photographs = load_photographs()
    names = sorted(photographs)
    generator = np.random.default_rng(seed)
    with _replacing(target, parameters) as folder:
        for index in tqdm(range(count), desc="Writing photographs", unit="image"):
            name = names[index % len(names)]
            crop = _random_crop(Image.fromarray(photographs[name]), size, generator)
            crop.save(_class_folder(folder, name) / f"{index:05d}.jpg", quality=_JPEG_QUALITY)
    return target


def write_cells(directory: str | os.PathLike[str], count: int = 2624) -> Path:
    """Write electroluminescence pictures of solar cells, 300x300 grey PNG files, in four classes.

    They are the unchanged files of the ``elpv-dataset`` package: mono- or polycrystalline cells,
    by whether a defect is likely. Beyond their number, they come again under other names. A folder that
    is already complete is left as it is.
    """
    target = Path(directory)
    parameters: Parameters = {"kind": "cells", "count": count}
    if _is_complete(target, parameters):
        return target
    source = Path(str(files("elpv_dataset"))) / "data"
    lines = (source / "labels.csv").read_text(encoding="utf-8").split("\n")
    labels = [line.split() for line in lines if line.strip()]
    with _replacing(target, parameters) as folder:
        for number in tqdm(range(count), desc="Copying cells", unit="image"):
            again, place = divmod(number, len(labels))
            name, likelihood, kind = labels[place]
            state = "defective" if float(likelihood) >= 0.5 else "functional"
            copied = f"{again}-{Path(name).name}" if again else Path(name).name
            shutil.copyfile(source / name, _class_folder(folder, f"{kind}-{state}") / copied)
    return target


def load_photographs() -> dict[str, NDArray[np.uint8]]:
    """Return the colour photographs that the two packages ship, by name.

    scikit-image has more images, but fetches those from the network on first use.
    """
    from sklearn.datasets import load_sample_image

    # scikit-image's functions have no type annotations, so their results are "Any".
    data: Any = import_module("skimage.data")
    return {
        "astronaut": data.astronaut(),
        "cat": data.chelsea(),
        "coffee": data.coffee(),
        "flower": load_sample_image("flower.jpg"),
        "galaxies": data.hubble_deep_field(),
        "motorcycle": data.stereo_motorcycle()[0],
        "retina": data.retina(),
        "rocket": data.rocket(),
        "temple": load_sample_image("china.jpg"),
        "tissue": data.immunohistochemistry(),
    }


def _enlarged_digit(scan: NDArray[np.float64]) -> Image.Image:
    """Return a scan with levels 0 to 16 as a grey image in the middle of a dark frame."""
    levels = Image.fromarray(np.round(scan * (255 / 16)).astype(np.uint8))
    inner = (_DIGIT_SIZE[0] - 2 * _DIGIT_MARGIN, _DIGIT_SIZE[1] - 2 * _DIGIT_MARGIN)
    image = Image.new("L", _DIGIT_SIZE)
    image.paste(levels.resize(inner, Image.Resampling.BICUBIC), (_DIGIT_MARGIN, _DIGIT_MARGIN))
    return image


def _random_crop(
    photograph: Image.Image, size: tuple[int, int], generator: np.random.Generator
) -> Image.Image:
    """Cut a random box with the proportions of ``size`` and resample it to ``size``."""
    largest = min(photograph.width / size[0], photograph.height / size[1])
    scale = largest * generator.uniform(_SMALLEST_CROP, 1.0)
    width, height = size[0] * scale, size[1] * scale
    left = generator.uniform(0, photograph.width - width)
    top = generator.uniform(0, photograph.height - height)
    box = (left, top, left + width, top + height)
    return photograph.resize(size, Image.Resampling.LANCZOS, box=box)


def _class_folder(folder: Path, name: str) -> Path:
    """Return the folder of one class; it is created if needed."""
    path = folder / name
    path.mkdir(exist_ok=True)
    return path


def _is_complete(directory: Path, parameters: Parameters) -> bool:
    """Return whether ``directory`` was written completely, with the same parameters."""
    try:
        written = json.loads((directory / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # Compared after a conversion to JSON and back, which turns tuples into lists.
    if written != json.loads(json.dumps(parameters)):
        return False
    there = sum(1 for path in directory.glob("*/*") if path.is_file())
    return bool(there == parameters["count"])


@contextmanager
def _replacing(target: Path, parameters: Parameters) -> Iterator[Path]:
    """Yield a temporary folder, which replaces ``target`` at the end of the block.

    An interrupted run never leaves an incomplete folder under the final name.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        (temporary / _MARKER).write_text(json.dumps(parameters) + "\n", encoding="utf-8")
        if target.exists():
            _refuse_foreign(target)
            shutil.rmtree(target)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_foreign(target: Path) -> None:
    """Raise if ``target`` has files that this module did not write."""
    if any(target.iterdir()) and not (target / _MARKER).is_file():
        raise FileExistsError(f"{target} exists and was not written by this script: not replaced")


def main() -> None:
    """Write both folders below the directory that the command line names."""
    parser = argparse.ArgumentParser(description="Write class folders of real images.")
    parser.add_argument("directory", type=Path, help="folder that gets digits/ and photographs/")
    parser.add_argument("--count", type=int, default=1000, help="photographs (default: 1000)")
    options = parser.parse_args()
    print(write_digits(options.directory / "digits"))
    print(write_photographs(options.directory / "photographs", count=options.count))


if __name__ == "__main__":
    main()
