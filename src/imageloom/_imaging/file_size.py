"""The size of the image in a file."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import simplejpeg

from imageloom._imaging.opening import open_image
from imageloom._imaging.orientation import is_sideways, orientation_in, orientation_of
from imageloom._imaging.png import PNG_MAGIC

__all__ = ["JPEG_MAGIC", "size_in_file", "size_in_header"]

JPEG_MAGIC: Final = b"\xff\xd8\xff"
_PNG_SIDES: Final = slice(16, 20), slice(20, 24)  # of the first chunk, which every file begins with


def size_in_file(content: bytes, name: str, *, upright: bool = False) -> tuple[int, int]:
    """The (height, width) of the image in a file, of JPEG and PNG without decoding it.

    Args:
        content: the bytes of the file.
        name: its name, for messages.
        upright: whether the image is turned as its orientation tag says.

    Raises:
        BadImageError: The file is damaged, or has no known format; `name` is in the message.
    """
    size, image = size_in_header(content), None
    if size is None:
        image = open_image(content, name)
        size = image.height, image.width
    if not upright:
        return size
    orientation = orientation_in(content) if image is None else orientation_of(image)
    return size[::-1] if is_sideways(orientation) else size


def size_in_header(content: bytes) -> tuple[int, int] | None:
    """The (height, width) that the header of a JPEG or PNG file says; None for any other file."""
    if content.startswith(PNG_MAGIC):
        width, height = (int.from_bytes(content[side], "big") for side in _PNG_SIDES)
        return height, width
    if content.startswith(JPEG_MAGIC):
        with suppress(ValueError):  # Pillow reads what this library does not
            height, width = simplejpeg.decode_jpeg_header(content)[:2]
            return height, width
    return None
