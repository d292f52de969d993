"""Compare libraries for each step: milliseconds per image, and difference from Keras.

Every row is one implementation of a step, on the same images. Implementations take turns; times are
medians over rounds. The table is in docs/project/measurements.md::

    python benchmarks/steps.py
"""

from __future__ import annotations

import io
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from typing import Any

import cv2
import numpy as np
import simplejpeg
from bare import BareSteps
from kornia_rs.io import decode_image_png_u8
from machine import keep
from numpy.typing import NDArray
from overhead import keep_freed_memory
from PIL import Image
from report import markdown
from scipy import ndimage
from workload import make_workload

from imageloom._imaging.augment.warp_bytes import warp_bytes
from imageloom._imaging.png import decode_png
from imageloom._imaging.simd_resize import resize_bilinear

ROUNDS = 9
IMAGES = 100
Work = Callable[[int], Any]


@dataclass
class Timing:
    """One implementation of a step; `difference` is the largest from Keras, in grey levels."""

    step: str
    way: str
    milliseconds: float
    difference: float | None
    chosen: bool


def race(
    step: str, chosen: str, ways: dict[str, Work], *, compare: bool = True, images: int = IMAGES
) -> list[Timing]:
    """Time implementations of a step in turns; the first one is the reference."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            start = time.perf_counter()
            for number in range(images):
                work(number)
            times[way].append(1000 * (time.perf_counter() - start) / images)
    reference, *_ = ways.values()
    return [
        Timing(
            step,
            way,
            statistics.median(times[way]),
            max(_difference(reference(n), work(n)) for n in range(10)) if compare else None,
            way == chosen,
        )
        for way, work in ways.items()
    ]


def _difference(a: Any, b: Any) -> float:
    first, second = (np.squeeze(np.asarray(x, dtype=np.float64)) for x in (a, b))
    return float(np.abs(first - second).max())


def decoding() -> list[Timing]:
    """Decode JPEG and PNG files in memory."""
    jpegs = [file.read_bytes() for file in make_workload("photographs", 1000).files[:IMAGES]]
    pngs = [file.read_bytes() for file in make_workload("cells", 1000).files[:IMAGES]]

    def with_pillow(content: bytes) -> NDArray[Any]:
        return np.asarray(Image.open(io.BytesIO(content)))

    def with_opencv(content: bytes, mode: int) -> Any:
        return cv2.imdecode(np.frombuffer(content, np.uint8), mode)

    return [
        *race(
            "decode JPEG 500x375",
            "simplejpeg",
            {
                "Pillow": lambda n: with_pillow(jpegs[n]),
                "simplejpeg": lambda n: simplejpeg.decode_jpeg(jpegs[n], "RGB"),
                "OpenCV": lambda n: with_opencv(jpegs[n], cv2.IMREAD_COLOR_RGB),
            },
        ),
        *race(
            "decode PNG 300x300 grey",
            "isal and a kernel",
            {
                "Pillow": lambda n: with_pillow(pngs[n]),
                "isal and a kernel": lambda n: decode_png(pngs[n], None),
                "kornia-rs": lambda n: decode_image_png_u8(pngs[n], (300, 300), "mono"),
                "OpenCV": lambda n: with_opencv(pngs[n], cv2.IMREAD_GRAYSCALE),
            },
        ),
    ]


def resizing() -> list[Timing]:
    """Resize decoded photographs to 224x224, bilinear as in Keras (with antialiasing)."""
    work = make_workload("photographs", 1000)
    bare = BareSteps(work)
    decoded = [bare.decode(bare.read(file)) for file in bare.files[:IMAGES]]
    pictures = [Image.fromarray(pixels) for pixels in decoded]
    size = (work.width, work.height)
    return race(
        "resize 500x375 to 224x224",
        "a kernel",
        {
            "Pillow": lambda n: np.asarray(pictures[n].resize(size, Image.Resampling.BILINEAR)),
            "a kernel": lambda n: bare.resize(decoded[n]),
            "cykooz-resizer": lambda n: resize_bilinear(decoded[n], size[::-1]),
            "OpenCV, area": lambda n: cv2.resize(decoded[n], size, interpolation=cv2.INTER_AREA),
            "OpenCV, linear": lambda n: cv2.resize(decoded[n], size),
        },
    )


def warping() -> list[Timing]:
    """Warp images of 224x224x3, each with a random matrix."""
    work = make_workload("photographs", 1000)
    bare = BareSteps(work)
    small = [bare.resize(bare.decode(bare.read(file))) for file in bare.files[:IMAGES]]
    floats = [pixels.astype(np.float32) for pixels in small]
    size = (work.width, work.height)
    flags, border = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE

    def with_scipy(n: int) -> NDArray[Any]:
        matrix = bare.matrices[n]
        linear, offset = matrix[::-1, 1::-1], matrix[::-1, 2]
        channels = [
            ndimage.affine_transform(floats[n][..., c], linear, offset, order=1, mode="nearest")
            for c in range(3)
        ]
        return np.stack(channels, axis=-1)

    def with_opencv(image: NDArray[Any], n: int) -> Any:
        return cv2.warpAffine(image, bare.matrices[n], size, flags=flags, borderMode=border)

    warped = np.empty_like(small[0])

    def by_kernel(n: int) -> NDArray[np.uint8]:
        warp_bytes(small[n], bare.matrices[n], "nearest", warped)
        return warped

    def with_pillow(n: int) -> NDArray[Any]:
        data = tuple(bare.matrices[n].ravel())
        picture, method = Image.fromarray(small[n]), Image.Transform.AFFINE
        return np.asarray(picture.transform(size, method, data, Image.Resampling.BILINEAR))

    return race(
        "warp 224x224x3",
        "OpenCV, float32",
        {
            "SciPy (Keras')": with_scipy,
            "OpenCV, float32": lambda n: with_opencv(floats[n], n),
            "OpenCV, uint8": lambda n: with_opencv(small[n], n),
            "a kernel, uint8": by_kernel,
            "Pillow (no border modes)": with_pillow,
        },
        images=20,
    )


def drawing() -> list[Timing]:
    """Draw parameters and matrix of images, one by one or for a batch of 32 at once."""
    from imageloom import ImageDataGenerator
    from imageloom._imaging.augment.affine import affine_matrix
    from imageloom._imaging.augment.batch import BatchTransforms
    from imageloom._imaging.augment.draw import draw_transform

    work = make_workload("photographs", 1000)
    options = ImageDataGenerator(**work.keras_augmentation())._options().transform
    state = np.random.RandomState(1)

    def one_by_one(_: int) -> None:
        for _ in range(32):
            params = draw_transform(state, options, 224, 224, np.random.default_rng)
            affine_matrix(params, 224, 224, corrected=False)

    def at_once(_: int) -> None:
        batch = BatchTransforms(state, options, 32, lambda image: np.random.default_rng)
        for image in range(32):
            batch.warp_of(image, 224, 224)

    timings = race(
        "draw and make a matrix",
        "a batch at once",
        {"one by one": one_by_one, "a batch at once": at_once},
        compare=False,
        images=10,
    )
    for timing in timings:
        timing.milliseconds /= 32
    return timings


def transporting() -> list[Timing]:
    """Send a finished batch of 19 MB from one process to another; times are per image."""
    batch = np.zeros((32, 224, 224, 3), np.float32)
    slot = np.zeros_like(batch)
    reader, writer = Pipe()

    def through_a_pipe(_: int) -> None:
        pickled = pickle.dumps(batch, protocol=5)
        for start in range(
            0, len(pickled), 2**15
        ):  # the size of a pipe's buffer, because no other process reads
            writer.send_bytes(pickled[start : start + 2**15])
            reader.recv_bytes()
        pickle.loads(pickled)

    timings = race(
        "hand over a batch of 19 MB",
        "a slot both map",
        {
            "pickled, through a pipe": through_a_pipe,
            "copied into shared memory": lambda _: np.copyto(slot, batch),
            "a slot both map": lambda _: slot[:],
        },
        compare=False,
        images=5,
    )
    for timing in timings:
        timing.milliseconds /= 32
    return timings


def main() -> None:
    """Measure, print and save the results."""
    keep_freed_memory()
    cv2.setNumThreads(1)
    timings = [*decoding(), *resizing(), *warping(), *drawing(), *transporting()]
    rows = [("step, per image", "with", "ms", "off by at most", "")]
    rows += [
        (
            timing.step,
            timing.way,
            f"{timing.milliseconds:.3f}",
            "" if timing.difference is None else f"{timing.difference:.3g}",
            "chosen" if timing.chosen else "",
        )
        for timing in timings
    ]
    print(markdown(rows, names=2))
    keep("steps", {"rounds": ROUNDS, "timings": [asdict(timing) for timing in timings]})


if __name__ == "__main__":
    main()
