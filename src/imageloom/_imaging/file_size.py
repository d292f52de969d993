"""The size of the image in a file."""

from __future__ import annotations

from typing import Final

import simplejpeg

from imageloom._imaging.opening import open_image
from imageloom._imaging.png import PNG_MAGIC

__all__ = ["size_in_file"]

_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_PNG_SIDES: Final = slice(16, 20), slice(20, 24)  # of the first chunk, which every file begins with


def size_in_file(content: bytes, name: str) -> tuple[int, int]:
    """The (height, width) of the image in a file, of JPEG and PNG without decoding it.

    Raises:
        BadImageError: The file is damaged, or has no known format; `name` is in the message.
    """
    if content.startswith(PNG_MAGIC):
        width, height = (int.from_bytes(content[side], "big") for side in _PNG_SIDES)
        return height, width
    if content.startswith(_JPEG_MAGIC):
        try:
            height, width = simplejpeg.decode_jpeg_header(content)[:2]
        except ValueError:
            pass  # Pillow reads what this library does not
        else:
            return height, width
    width, height = open_image(content, name).size
    return height, width
