"""Thumbnails, computed when they are asked for; the last ones are kept."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import Any, Final

from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._api.previews import file_recipe
from imageloom._errors import BadImageError
from imageloom._machine import available_cpus
from imageloom._preview.originals import stored_image
from imageloom._preview.pictures import grey_range, picture
from imageloom._sources.base import SampleSource

__all__ = ["Thumbnails", "as_png"]

_SIDE: Final = 256  # of a thumbnail: 128 on the page, on screens with twice the pixels
_SHOWN_AS_PIXELS: Final = 64  # smaller images lose nothing
_QUALITY: Final = 85
_NOT_WORTH_COMPRESSING: Final = 2**20  # bytes, which take longer than their way over loopback
_KEPT_NBYTES: Final = 64 * 2**20
# Images that are decoded at the same time: a large one takes hundreds of megabytes.
_AT_ONCE: Final = threading.BoundedSemaphore(max(2, available_cpus()))


class Thumbnails:
    """The thumbnails of a data set; memory holds those that were shown last."""

    def __init__(self, source: SampleSource) -> None:
        self._source = source
        frozen = ImageDataGenerator()._freeze().without_cache()
        self._recipe = file_recipe(frozen, source, None, "rgb", "nearest")
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._kept_nbytes = 0
        self._lock = threading.Lock()

    def of(self, number: int) -> bytes:
        """The thumbnail of a file, as JPEG, or as PNG if the image is small.

        Raises:
            BadImageError: the file cannot be read.
            StorageError: the storage cannot be reached.
        """
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        with _AT_ONCE:
            content = _small(stored_image(self._recipe, self._source, number))
        with self._lock:
            if number not in self._kept:
                self._kept[number] = content
                self._kept_nbytes += len(content)
            while self._kept_nbytes > _KEPT_NBYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_nbytes -= len(oldest)
        return content


def _small(pixels: NDArray[Any]) -> bytes:
    if pixels.size == 0:
        raise BadImageError("The image has no pixels.")
    image = picture(pixels, grey_range([pixels]))
    if max(image.size) <= _SHOWN_AS_PIXELS:
        return _encoded(image, "PNG")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return _encoded(image, "JPEG", quality=_QUALITY)


def as_png(pixels: NDArray[Any], like: list[NDArray[Any]]) -> bytes:
    """An image (height, width, channels) as PNG; the values of images that it is `like` decide how."""
    level = 0 if pixels.size < _NOT_WORTH_COMPRESSING else 1
    return _encoded(picture(pixels, grey_range(like)), "PNG", compress_level=level)


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
