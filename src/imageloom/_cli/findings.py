"""Examines every file of a data set, in threads."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from PIL import Image

from imageloom._cli.listed import Listed
from imageloom._cli.looks import Looks, between_classes, between_subsets
from imageloom._errors import BadImageError
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.look import Look, look_at
from imageloom._imaging.opencv import cv2
from imageloom._imaging.opening import largest_file
from imageloom._imaging.orientation import orientation_of
from imageloom._machine import available_cpus
from imageloom._options import ReadOptions
from imageloom._preview.progress import progress_bar
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._storage.fetching import fetch
from imageloom._storage.urls import is_url, join

__all__ = ["Findings", "examine", "listed_findings"]

LARGE_PIXELS: Final = 25_000_000
_FORMATS: Final = {
    "png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "ppm": "PPM", "tif": "TIFF",
    "tiff": "TIFF",
}  # fmt: skip
_ALIASES: Final = {"MPO": "JPEG", "DIB": "BMP"}  # variants of a format with the same suffixes
_AS_IT_IS: Final = ReadOptions(
    color_mode="rgb", target_size=(1, 1), interpolation=None, keep_aspect_ratio=False, exact_resize=True
)
_WITH_16_BITS: Final = replace(_AS_IT_IS, color_mode="grayscale")
_UNDER_WAY: Final = 16  # files per thread that are examined ahead

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _File:
    """What is known about one file; a file without a size cannot be read."""

    name: str
    nbytes: int
    size: tuple[int, int] | None = None
    mode: str = ""
    format: str = ""
    turned: bool = False
    frames: bool = False
    look: Look | None = None
    error: str = ""


@dataclass(slots=True)
class Findings:
    """Everything about a data set.

    Attributes:
        folder: the data set.
        images: number of files that `flow_from_directory` would list.
        readable: number of those that can be decoded.
        classes: images by class, as `flow_from_directory` counts them.
        sizes: images by "width x height", the most frequent first.
        formats: images by the format of their content.
        modes: images by Pillow's mode, or the dtype of `.npy` files.
        unreadable: reason by file.
        duplicates: groups of files with the same content.
        duplicates_between_classes: the groups among them whose files lie in several classes.
        duplicates_between_subsets: those whose files lie in several subsets: files by subset.
        near_duplicates: groups of files that show the same picture, encoded again, resized, slightly
            cropped or brightened; not those of which all have the same content.
        near_duplicates_between_classes: the groups among them whose files lie in several classes.
        near_duplicates_between_subsets: those whose files lie in several subsets: files by subset.
        blank: files whose pixels all have nearly the same colour.
        tiny: files that are far smaller than most.
        blurred: files that have no sharp edges, where most have them.
        turned_by_exif: files with an orientation tag, which is ignored when they are read, unless the
            generator has `exif_orientation=True`. TIFF files are always turned.
        several_frames: animations and files of several pages, of which the first is read.
        large: files of more than 25 million pixels.
        wrong_suffix: format by file, for files whose suffix names another format.
        empty_classes: folders without images.
        other_files: number of files that are not read, by suffix.
        mistakes: what cannot be meant in the data set (kind and text), as flow methods warn of it.
    """

    folder: str
    images: int = 0
    readable: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    duplicates: list[list[str]] = field(default_factory=list)
    duplicates_between_classes: list[list[str]] = field(default_factory=list)
    duplicates_between_subsets: list[dict[str, list[str]]] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)
    near_duplicates_between_classes: list[list[str]] = field(default_factory=list)
    near_duplicates_between_subsets: list[dict[str, list[str]]] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    tiny: list[str] = field(default_factory=list)
    blurred: list[str] = field(default_factory=list)
    turned_by_exif: list[str] = field(default_factory=list)
    several_frames: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    wrong_suffix: dict[str, str] = field(default_factory=dict)
    empty_classes: list[str] = field(default_factory=list)
    other_files: dict[str, int] = field(default_factory=dict)
    mistakes: list[dict[str, str]] = field(default_factory=list)


def listed_findings(place: Path | str, listed: Listed) -> Findings:
    """What is known before any file is read; arguments as in `examine`."""
    return Findings(
        folder=str(place),
        images=len(listed.names),
        classes=dict(listed.classes),
        mistakes=[mistake._asdict() for mistake in listed.mistakes],
        empty_classes=[name for name, count in listed.classes.items() if count == 0],
        other_files=dict(listed.others),
    )


def examine(
    place: Path | str, listed: Listed, told: Callable[[Findings], None] | None = None
) -> Findings:
    """Examines every file, in threads: decoders release the interpreter lock.

    Every image is decoded as batches would decode it. Each thread decodes one image at a time. Only
    files of equal length are compared by content.

    Args:
        place: the data set, for the report.
        listed: its files.
        told: called after each file, with what was found until then. There is no progress bar then.
            What it raises ends the examination.
    """
    root, names = listed.root, listed.names
    findings = listed_findings(place, listed)
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    sizes, modes, formats = Counter[str](), Counter[str](), Counter[str]()
    looks = Looks()
    shown = told is None
    with _threads() as run, progress_bar(len(names), "inspect", "images", shown=shown) as bar:
        for file in run(lambda name: _examined(root, name), names):
            bar.update()
            if told is not None:
                told(findings)
            by_length[file.nbytes].append(file.name)
            if file.size is None:
                findings.unreadable[file.name] = file.error
                continue
            sizes[f"{file.size[0]} x {file.size[1]}"] += 1
            modes[file.mode] += 1
            formats[file.format] += 1
            looks.add(file.name, file.size, file.look)
            _note_oddities(file, findings)
    findings.readable = sizes.total()
    findings.sizes, findings.modes = dict(sizes.most_common()), dict(modes.most_common())
    findings.formats = dict(formats.most_common())
    findings.blank, findings.tiny, findings.blurred = looks.blank, looks.tiny(), looks.blurred()
    tell = partial(told, findings) if told else None
    findings.duplicates = _duplicates(root, by_length, tell)
    findings.near_duplicates = _near_duplicates(looks, findings.duplicates, tell)
    _note_where_copies_lie(findings, listed)
    return findings


def _note_where_copies_lie(findings: Findings, listed: Listed) -> None:
    same, near = findings.duplicates, findings.near_duplicates
    findings.duplicates_between_classes = between_classes(same, listed.class_of)
    findings.near_duplicates_between_classes = between_classes(near, listed.class_of)
    named_twice = [[name] for name, subsets in listed.subsets_of.items() if len(subsets) > 1]
    findings.duplicates_between_subsets = between_subsets([*same, *named_twice], listed.subsets_of)
    findings.near_duplicates_between_subsets = between_subsets(near, listed.subsets_of)


def _examined(root: str, name: str) -> _File:
    path = join(root, name)
    nbytes = -1
    try:
        content = fetch(path, largest_file()) if is_url(path) else None
        nbytes = os.stat(path).st_size if content is None else len(content)
        pixels = read_pixels(path, _AS_IT_IS, content)
        if name.lower().endswith(".npy"):
            height, width = (*pixels.shape, 1, 1)[:2]
            return _File(name, nbytes, (width, height), str(pixels.dtype), "NPY", look=look_at(pixels))
        look = look_at(pixels)
        del pixels
        with Image.open(path if content is None else io.BytesIO(content)) as image:
            if image.mode.startswith("I"):  # converted to colours, it may be white all over
                look = look_at(read_pixels(path, _WITH_16_BITS, content))
            return _File(
                name,
                nbytes,
                image.size,
                image.mode,
                _ALIASES.get(image.format or "", image.format or ""),
                turned=_is_turned(image),
                frames=bool(getattr(image, "is_animated", False)) and image.format != "MPO",
                look=look,
            )
    except (BadImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        why = " ".join(str(error).split()).replace(repr(path), "the file")
        return _File(name, nbytes, error=why)


def _is_turned(image: Image.Image) -> bool:
    """Looks in the header only: to find a tag behind the pixels of a PNG means to decode them."""
    if not {"exif", "xmp"} & image.info.keys() or image.format == "TIFF":  # Pillow turns these
        return False
    return orientation_of(image) != 1


def _note_oddities(file: _File, findings: Findings) -> None:
    suffix = file.name.rpartition(".")[2].lower()
    if file.turned:
        findings.turned_by_exif.append(file.name)
    if file.frames:
        findings.several_frames.append(file.name)
    if file.size is not None and file.size[0] * file.size[1] > LARGE_PIXELS:
        findings.large.append(file.name)
    if file.format != _FORMATS.get(suffix, file.format) and suffix in WHITE_LIST_FORMATS:
        findings.wrong_suffix[file.name] = file.format


def _duplicates(
    root: str, by_length: dict[int, list[str]], told: Callable[[], None] | None
) -> list[list[str]]:
    alike = [name for names in by_length.values() if len(names) > 1 for name in names]
    by_digest: defaultdict[bytes, list[str]] = defaultdict(list)
    shown = told is None
    with _threads() as run, progress_bar(len(alike), "compare", "files", shown=shown) as bar:
        for name, digest in run(lambda name: (name, _digest(join(root, name))), alike):
            bar.update()
            if told is not None:
                told()
            if digest:
                by_digest[digest].append(name)
    return sorted(sorted(same) for same in by_digest.values() if len(same) > 1)


def _near_duplicates(
    looks: Looks, same: list[list[str]], told: Callable[[], None] | None
) -> list[list[str]]:
    shown = told is None
    with _threads() as run, progress_bar(looks.compared, "compare", "images", shown=shown) as bar:

        def advance(count: int) -> None:
            bar.update(count)
            if told is not None:
                told()

        return looks.near_duplicates(same, run, advance)


def _digest(path: str) -> bytes:
    try:
        if is_url(path):
            return hashlib.sha256(fetch(path, largest_file())).digest()
        if not os.path.isfile(path):  # a pipe would never end
            return b""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


@contextmanager
def _threads() -> Iterator[Callable[[Callable[[Any], Found], Iterable[Any]], Iterator[Found]]]:
    """Yields a `map` in threads that keeps the order and works a limited number of items ahead.

    When the block ends, items that still wait are dropped.
    """
    count = available_cpus()
    pool = ThreadPoolExecutor(count, thread_name_prefix="imageloom-inspect")
    threads_of_opencv = cv2.getNumThreads()
    cv2.setNumThreads(1)  # its own would only wait for these

    def run(function: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        waiting: deque[Future[Found]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= count * _UNDER_WAY:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads_of_opencv)
