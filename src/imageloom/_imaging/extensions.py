"""Which suffixes of files can be read: what Pillow and its plug-ins know, and arrays of NumPy."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from imageloom._checks.suggestions import as_words, nearest_value
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["checked_extensions", "readable_extensions"]

_ARRAYS: Final = "npy"
# What Pillow opens, but does not decode; and a program, which Ghostscript would run.
_NOT_DECODED: Final = frozenset({"MPEG", "EPS"})
_PLUGINS: Final = {
    "heic": "pip install pillow-heif, and pillow_heif.register_heif_opener()",
    "heif": "pip install pillow-heif, and pillow_heif.register_heif_opener()",
    "eps": "an EPS file is a program; convert it to png",
    "avif": "pip install pillow-avif-plugin, and import pillow_avif",
    "jxl": "pip install pillow-jxl-plugin, and import pillow_jxl",
    "dcm": "register a Pillow plug-in of yours, as docs/how-to/kinds-of-files.md shows",
}
_USUAL: Final = ("jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif", "jfif", "npy")
_EXAMPLE: Final = '["jpg", "png", "webp"]'


def readable_extensions() -> frozenset[str]:
    """The suffixes that somebody in this program reads, in lower case and without a dot."""
    from PIL import Image, ImageFile

    known = Image.registered_extensions()  # loads all plug-ins
    read: set[str] = {_ARRAYS}
    for suffix, format_ in known.items():
        factory = Image.OPEN.get(format_, (None, None))[0]
        is_stub = isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
        if factory is not None and not is_stub and format_ not in _NOT_DECODED:
            read.add(suffix.lstrip(".").lower())
    # Who saves a SPIDER file into memory registers this one, which all names have.
    return frozenset(read - {""})


def checked_extensions(extensions: Any) -> tuple[str, ...] | None:
    """The argument `extensions` as suffixes in lower case and without a dot, sorted; None for None.

    Raises:
        ArgumentTypeError: It is no collection of names.
        InvalidArgumentError: It is empty, or nobody reads files of one of the suffixes.
    """
    if extensions is None:
        return None
    if isinstance(extensions, str) and extensions.lower() == "all":
        return tuple(sorted(readable_extensions()))
    if isinstance(extensions, (str, bytes)) or not isinstance(extensions, Collection):
        advice = f" Pass [{extensions!r}]." if isinstance(extensions, str) else ""
        raise ArgumentTypeError(
            f'`extensions` must be suffixes of files, such as {_EXAMPLE}, or "all", or None; received '
            f"{in_words(extensions)}.{advice}"
        )
    wrong = [name for name in extensions if not isinstance(name, str) or not name.strip("*.")]
    if wrong:
        raise ArgumentTypeError(
            f"`extensions` must be suffixes of files, such as {_EXAMPLE}; received one that is "
            f"{in_words(wrong[0])}."
        )
    names = sorted({name.lower().removeprefix("*").removeprefix(".") for name in extensions})
    if not names:
        raise InvalidArgumentError(
            f"`extensions` is empty, so that no file would be read: pass {_EXAMPLE}, or None for those "
            "of Keras."
        )
    readable = readable_extensions()
    for name in names:
        if name.rpartition(".")[2] not in readable:
            raise InvalidArgumentError(_unreadable(name, readable))
    return tuple(names)


def _unreadable(name: str, readable: frozenset[str]) -> str:
    last = name.rpartition(".")[2]
    text = f"`extensions` has {name!r}, but nobody in this program reads such files."
    if last in _PLUGINS:
        return f"{text} What helps: {_PLUGINS[last]}."
    usual = [one for one in _USUAL if one in readable]
    meant = nearest_value(last, usual)
    if meant is not None:
        return f"{text} Did you mean {meant!r}?"
    return (
        f"{text} Known ones are {as_words(usual, 'and')}, for example; "
        f'for files with a suffix of your own, call PIL.Image.register_extension("JPEG", ".{last}") '
        "with the format that they have."
    )
