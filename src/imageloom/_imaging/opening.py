"""Opens image files with Pillow, which finds out their format from their content.

Every format that the program's Pillow reads is read, with one exception: an EPS file is a program,
which Pillow would have Ghostscript run.
"""

from __future__ import annotations

import io
from typing import Any, Final

import PIL
from PIL import (  # noqa: F401  # importing a plug-in registers it; `Image.init` loads the others
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from imageloom._errors import BadImageError
from imageloom._imaging.pillow_settings import is_added
from imageloom._public import public

__all__ = [
    "DecompressionBombError",
    "UnidentifiedImageError",
    "check_pixels",
    "largest_file",
    "open_image",
    "read_by_plugin",
]

_REFUSED: Final = frozenset({"EPS"})
_LARGEST: Final = 2**30  # bytes
_NBYTES_PER_PIXEL: Final = 8  # of formats without compression
_PREFIX_NBYTES: Final = 16  # what Pillow shows to plug-ins
_NO_MEMORY: Final = "out of memory"  # Pillow's words where a part of its C code cannot have any
# What plug-ins raise for files of another format; Pillow ignores it.
_NOT_MINE: Final = (SyntaxError, IndexError, TypeError)
# By format: the names that Pillow tried up to it when none of them was a plug-in of the program, and
# what reads them. As long as these are the same, nobody has to look again for each file.
_unchanged: Final[dict[str, tuple[list[str], tuple[Any, ...]]]] = {}


@public
class UnidentifiedImageError(BadImageError, PIL.UnidentifiedImageError):
    """A file has no known image format."""


@public
class DecompressionBombError(BadImageError, Image.DecompressionBombError):
    """An image has more than twice the pixels of Pillow's `Image.MAX_IMAGE_PIXELS`."""


def largest_file() -> int | None:
    """The most bytes that a file may have; None is no limit.

    It has no more, even without compression, unless it has more pixels than Pillow decodes.
    """
    pixels = Image.MAX_IMAGE_PIXELS
    return None if pixels is None else max(_LARGEST, 2 * pixels * _NBYTES_PER_PIXEL)


def check_pixels(width: int, height: int, name: str, nbytes: int) -> None:
    """Refuses a file of `nbytes` bytes that has more pixels than Pillow decodes.

    Raises:
        DecompressionBombError: It has.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > 2 * limit:
        raise DecompressionBombError(
            f"{name!r} ({nbytes} bytes) is not decoded: it has {width * height} pixels, and at most "
            f"{2 * limit} are decoded. If you trust the file, raise PIL.Image.MAX_IMAGE_PIXELS."
        )


def open_image(content: bytes, name: str) -> Image.Image:
    """Decodes a file.

    Raises:
        BadImageError: The file is damaged, or has no known format; `name` is in the message.
    """
    try:
        image = _opened(content)
        image.load()
    except PIL.UnidentifiedImageError as error:
        raise UnidentifiedImageError(
            f"{name!r} ({len(content)} bytes) is not an image of a known format."
        ) from error
    except Image.DecompressionBombError as error:
        raise DecompressionBombError(
            f"{name!r} ({len(content)} bytes) is not decoded: {error} If you trust the file, raise "
            "PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except (MemoryError, Image.DecompressionBombWarning):
        raise  # the latter only if the program has made an error of the warning
    except Exception as error:  # decoders raise errors of many classes for damaged files
        if _NO_MEMORY in str(error):
            raise MemoryError(f"{name!r}: {error}") from error
        raise BadImageError(f"{name!r} ({len(content)} bytes) cannot be decoded: {error}") from error
    return image


def _opened(content: bytes) -> Image.Image:
    tried = [name for name in Image.ID if name not in _REFUSED]
    try:
        return Image.open(io.BytesIO(content), formats=tried)
    except PIL.UnidentifiedImageError:
        if not Image.init():  # all of Pillow's plug-ins are loaded already
            raise
    return Image.open(
        io.BytesIO(content),
        formats=[name for name in Image.ID if name not in _REFUSED and name not in tried],
    )


def read_by_plugin(content: bytes, kind: str) -> bool:
    """Whether a plug-in of the program would read this file instead of Pillow's own for its format.

    Args:
        content: the file.
        kind: its format, `"JPEG"` or `"PNG"`.
    """
    names, drivers = _unchanged.get(kind, ([], ()))
    if names and Image.ID[: len(names)] == names and tuple(map(Image.OPEN.get, names)) == drivers:
        return False
    prefix = content[:_PREFIX_NBYTES]
    for number, name in enumerate(Image.ID):
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is not None and is_added(factory):
            try:
                accepted = name == kind or accept is None or accept(prefix)
            except _NOT_MINE:
                continue
            if accepted and not isinstance(accepted, str):  # a text says why not
                return True
        elif name == kind:
            before = Image.ID[: number + 1]
            if not any(driver and is_added(driver[0]) for driver in map(Image.OPEN.get, before)):
                _unchanged[kind] = before, tuple(map(Image.OPEN.get, before))
            return False
    return False
