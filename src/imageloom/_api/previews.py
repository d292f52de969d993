"""`preview(gen, images)`: shows a generator's transforms on some images, without an iterator."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._api.generator import ImageDataGenerator
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, OutputSettings, make_recipe
from imageloom._checks.depth import channels_of, check_color_mode
from imageloom._checks.keywords import explained
from imageloom._checks.values import check_choice, check_int, check_seed
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingFileError
from imageloom._imaging.extensions import checked_extensions
from imageloom._options import INTERPOLATIONS, ReadOptions
from imageloom._pipeline.recipe import BatchSpec, BatchTask, Recipe
from imageloom._preview.samples import make_preview_images, spread, why_not_augmented
from imageloom._preview.sheet import about_values, draw_sheet, preview_sheet
from imageloom._preview.words import counted, geometry_notes, transforms_in_words
from imageloom._public import public
from imageloom._sources.arrays import ArraySource
from imageloom._sources.base import SampleSource
from imageloom._sources.directory import DirectorySource
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._sources.single_class import class_folders, list_single_class
from imageloom._storage.fetching import remote_files
from imageloom._storage.places import folder_exists
from imageloom._storage.urls import is_url, last_part, protocols

__all__ = ["FileList", "array_recipe", "file_recipe", "preview"]

_CHANNELS: Final = (1, 3, 4)
Pixels = NDArray[Any]


@public
@explained("preview")
def preview(
    gen: ImageDataGenerator,
    images: Any,
    *,
    samples: int = 4,
    versions: int = 5,
    seed: int = 0,
    target_size: tuple[int, int] | None = None,
    color_mode: str | int = "rgb",
    interpolation: str = "bilinear",
    title: str | None = None,
    extensions: str | Collection[str] | None = None,
) -> Image.Image:
    """Returns a sheet of images and transformed versions of them, with the drawn parameters.

    A notebook shows it if it is the last line of a cell; `.save("sheet.png")` writes it.
    Each version is an image of a batch before normalisation. Hooks are called, in this process. The
    generator does not change: its attributes may still be assigned, and no worker starts.

    Args:
        gen: the generator.
        images: a folder with a sub-folder for each class, or with images; an image file, or a list
            of image files; paths may be URLs; an array (height, width, channels) or (n, height,
            width, channels), channels first if the generator's `data_format` says so, grey images
            also without channels; a Pillow image; a list of arrays and Pillow images; or an iterator
            of any generator.
        samples: largest number of images to show; they come from as many classes as possible.
        versions: number of transformed versions of each image.
        seed: chooses the samples, and the transforms of each version. Successive seeds go through
            all samples.
        target_size: (height, width) to which files are resized first; None keeps their size.
        color_mode: how files are read: `"rgb"`, `"rgba"` or `"grayscale"`.
        interpolation: how files are resized, as in `flow_from_directory`.
        title: headline; None makes one that describes the images.
        extensions: suffixes of the files of a folder that are images, or "all"; None for Keras'.

    Returns:
        The picture. Its `info["versions"]` lists all drawn parameters.

    Raises:
        InvalidArgumentError, ArgumentTypeError: images or another argument that are not allowed.
        MissingFileError: a file or folder does not exist.
        BadImageError: none of the images can be read.
    """
    if not isinstance(gen, ImageDataGenerator):
        raise ArgumentTypeError(
            "The first argument of `preview` must be a generator of imageloom, such as "
            f"ImageDataGenerator(rotation_range=20); received {type(gen).__name__}."
        )
    suffixes = checked_extensions(extensions)
    frozen = gen._freeze().without_cache()
    shown: dict[str, Any] = {"samples": samples, "versions": versions, "seed": seed}
    words: dict[str, Any] = {"subtitle": transforms_in_words(gen), "notes": geometry_notes(gen)}
    if isinstance(images, BatchIterator):
        _refuse_reading(target_size, "an iterator")
        data_format = images._plan.settings.data_format
        if data_format != gen.data_format:
            raise InvalidArgumentError(
                "The iterator's data_format is "
                f"{data_format!r}, but this generator's is "
                f"{gen.data_format!r}: make both with the same one."
            )
        plan = images._plan
        return preview_sheet(
            plan.recipe(frozen, images.batch_size),
            plan.source,
            title=title or images._views().contents(named=False),
            **words,
            **shown,
        )
    if _is_path(images) or (_is_list(images) and all(map(_is_path, images))):
        _check_reading(target_size, color_mode, interpolation)
        source, found = _files(images, suffixes)
        recipe = file_recipe(frozen, source, target_size, color_mode, interpolation)
        return preview_sheet(
            recipe,
            source,
            title=title or found,
            natural_size=target_size is None,
            **words,
            **shown,
        )
    _refuse_reading(target_size, "arrays")
    return _sheet_of_arrays(frozen, images, title=title, **words, **shown)


def _sheet_of_arrays(
    frozen: FrozenGenerator,
    images: Any,
    *,
    samples: int,
    versions: int,
    seed: int,
    title: str | None,
    subtitle: str,
    notes: Sequence[str],
) -> Image.Image:
    check_int("samples", samples, 1)
    check_int("versions", versions, 1)
    first = frozen.options.data_format == "channels_first"
    arrays = _arrays(images, channels_first=first)
    first_seed = check_seed(seed) or 0
    shown_images, notices = [], []
    for place, index in enumerate(spread(len(arrays), min(samples, len(arrays)), first_seed)):
        source, recipe = array_recipe(frozen, arrays[index])
        found = make_preview_images(
            recipe, source, [0], versions=versions, seed=first_seed, first_place=place
        )
        notices.append(why_not_augmented(recipe, found))
        shown_images += [dataclasses.replace(one, name=f"image {index}") for one in found]
    title = title or counted(len(arrays), "image")
    return draw_sheet(
        shown_images,
        title=title,
        subtitle=subtitle,
        notice=notices[0] if all(notices) else "",
        notes=[*about_values(shown_images, frozen.options.rescale), *notes],
    )


def array_recipe(frozen: FrozenGenerator, image: Pixels) -> tuple[SampleSource, Recipe]:
    """A data set of one image, in the generator's `data_format`, and how its pictures are computed."""
    source = ArraySource(
        image[None],
        None,
        None,
        subset=None,
        split=0.0,
        ignore_class_split=True,
        data_format=frozen.options.data_format,
    )
    recipe = make_recipe(
        frozen,
        source,
        _preview_settings(frozen),
        batch_size=1,
        row_shape=image.shape,
        read=None,
        hook_params={},
    )
    return source, recipe


def _arrays(images: Any, *, channels_first: bool) -> list[Pixels]:
    """Single images of rank 3, in the generator's `data_format`."""
    if isinstance(images, Image.Image):
        images = [images]
    if not _is_list(images):
        images = _array(images)
        if images.ndim == 3:
            axis = 0 if channels_first else 2
            images = (
                images[None]
                if images.shape[axis] in _CHANNELS
                else np.expand_dims(images, 1 if channels_first else 3)
            )
        elif images.ndim == 2:
            images = images[None]
        elif images.ndim != 4:
            raise InvalidArgumentError(
                "An array of images must have shape (height, width, channels) or "
                f"(n, height, width, channels); received shape {images.shape}."
            )
    found = []
    for image in images:
        x = _array(image)
        if isinstance(image, Image.Image) and x.ndim == 3 and channels_first:
            x = np.moveaxis(x, -1, 0)
        if x.ndim == 2:
            x = np.expand_dims(x, 0 if channels_first else 2)
        if x.ndim != 3:
            raise InvalidArgumentError(f"An image must have rank 2 or 3; received shape {x.shape}.")
        found.append(x)
    if not found:
        raise InvalidArgumentError("There is no image to preview.")
    return found


def _array(image: Any) -> Pixels:
    if isinstance(image, Image.Image) and image.mode not in ("L", "RGB", "RGBA", "I;16", "I", "F"):
        image = image.convert("RGB")
    try:
        x = np.asarray(image)
    except (TypeError, ValueError):
        x = np.empty(0, dtype=object)
    if x.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            "`images` must be a folder, image files, an array of numbers, Pillow images or an "
            f"iterator; received {type(image).__name__}."
        )
    return x


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _check_reading(
    target_size: tuple[int, int] | None, color_mode: str | int, interpolation: str
) -> None:
    check_color_mode(color_mode)
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    for side in target_size or ():
        check_int("a side of target_size", side, 1)
    if target_size is not None and len(target_size) != 2:
        raise InvalidArgumentError(f"`target_size` must be (height, width); received {target_size!r}.")


def _refuse_reading(target_size: tuple[int, int] | None, what: str) -> None:
    if target_size is not None:
        raise InvalidArgumentError(
            f"`target_size` resizes files and has no effect on {what}: leave it out."
        )


class FileList(SampleSource):
    """A data set of given files, without classes."""

    def __init__(self, root: str, filenames: Sequence[str]) -> None:
        self.root = root
        self.filenames = list(filenames)
        self.class_indices = {}
        self.protocols = protocols([root, *filenames])

    def __len__(self) -> int:
        return len(self.filenames)

    def task(self, spec: BatchSpec) -> BatchTask:
        names = tuple(self.filenames[i] for i in spec.indices)
        remote = remote_files(self.root, names, self.stamps) if self.protocols else None
        return BatchTask(spec=spec, filenames=names, root=self.root, remote=remote)

    def targets(self, indices: NDArray[np.int64]) -> None:
        del indices

    def fingerprint(self) -> dict[str, Any]:
        return {"files": list(self.filenames)}


def _files(images: Any, extensions: tuple[str, ...] | None) -> tuple[SampleSource, str]:
    """The data set of the files that `images` names, and a description of it."""
    given = [images] if _is_path(images) else images
    paths = [path if is_url(path) else os.path.abspath(path) for path in given]
    if not paths:
        raise InvalidArgumentError("There is no image to preview.")
    missing = [path for path in paths if not is_url(path) and not os.path.exists(path)]
    if missing:
        raise MissingFileError(f"There is no file or folder {missing[0]!r}.")
    if len(paths) > 1 or not _is_folder(paths[0]):
        folders = [path for path in paths if not is_url(path) and os.path.isdir(path)]
        if folders:
            raise InvalidArgumentError(
                "`images` must be one folder or a list of files; received a list with the folder "
                f"{folders[0]!r}."
            )
        name = os.path.basename(last_part(paths[0]))
        return FileList("", paths), name if len(paths) == 1 else counted(len(paths), "image")
    folder, name = paths[0], os.path.basename(last_part(paths[0].rstrip("/"))) or paths[0]
    if class_folders(folder):
        source: SampleSource = DirectorySource(
            folder,
            classes=None,
            class_mode=None,
            split=None,
            follow_links=False,
            max_samples_per_class=-1,
            dtype="float32",
            formats=extensions or WHITE_LIST_FORMATS,
            only_formats=extensions is not None,
        )
    else:
        only = list_single_class(folder, extensions)
        source = FileList(only.root, only.files)
    if len(source) == 0:
        raise InvalidArgumentError(f"There are no images in {folder!r}.")
    classes = len(source.class_indices)
    of_classes = f" of {counted(classes, 'class', 'classes')}" if classes else ""
    return source, f"{counted(len(source), 'image')}{of_classes} in {name}"


def _is_folder(path: str) -> bool:
    return folder_exists(path) if is_url(path) else os.path.isdir(path)


def file_recipe(
    frozen: FrozenGenerator,
    source: SampleSource,
    target_size: tuple[int, int] | None,
    color_mode: str | int,
    interpolation: str,
) -> Recipe:
    """How images of files are computed for pictures; a `target_size` of None keeps their sizes."""
    height, width = target_size or (1, 1)
    channels = channels_of(color_mode)
    last = frozen.options.data_format == "channels_last"
    read = ReadOptions(
        color_mode=color_mode,
        target_size=(height, width),
        interpolation=None if target_size is None else interpolation,
        keep_aspect_ratio=False,
        exact_resize=frozen.options.transform.needs_exact_pixels,
        differing_share=frozen.options.transform.differing_share,
        scaled=frozen.options.decode == "scaled",
        exif_orientation=bool(frozen.options.exif_orientation),
        native=frozen.options.depth == "native",
    )
    return make_recipe(
        frozen,
        source,
        _preview_settings(frozen),
        batch_size=1,
        row_shape=(height, width, channels) if last else (channels, height, width),
        read=read,
        hook_params={
            "directory": source.root,
            "target_size": target_size,
            "color_mode": color_mode,
            "interpolation": interpolation,
        },
    )


def _preview_settings(frozen: FrozenGenerator) -> OutputSettings:
    return OutputSettings(
        batch_size=1,
        data_format=frozen.options.data_format,
        dtype=frozen.options.dtype,
        subset=None,
        save_to_dir=None,
        save_prefix="",
        save_format="png",
    )
