"""Versions of an image for the settings on the page, and the call that gives the same augmentation.

The versions come from the pipeline of the batches, as in `imageloom.preview`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._api.previews import array_recipe, file_recipe
from imageloom._cli.browsing.pictures import as_png
from imageloom._errors import BadImageError, InvalidArgumentError, in_one_line
from imageloom._options import FILL_MODES, INTERPOLATIONS
from imageloom._preview.captions import conventions, phrases
from imageloom._preview.originals import clipped_share, stored_image
from imageloom._preview.samples import make_preview_images, why_not_augmented
from imageloom._preview.sheet import about_values
from imageloom._preview.words import geometry_notes
from imageloom._sources.base import SampleSource
from imageloom._warnings import listeners

__all__ = ["CHOICES", "SLIDERS", "SWITCHES", "Augmenting", "Settings"]

_VERSIONS: Final = 5  # with the image itself, they fill two or three columns


class Slider(NamedTuple):
    """A number that can be set on the page, under the name of an argument or of a part of one."""

    name: str
    label: str
    hint: str
    low: float
    high: float
    step: float
    default: float


class Switch(NamedTuple):
    """An argument that is False or True; the default is False."""

    name: str
    label: str


class Choice(NamedTuple):
    """An argument with named values; the first one is the default."""

    name: str
    label: str
    values: tuple[str, ...]


SLIDERS: Final = (
    Slider("rotation_range", "Rotation", "up to, in degrees", 0, 180, 1, 0),
    Slider("width_shift_range", "Width shift", "up to this share of the width", 0, 1, 0.01, 0),
    Slider("height_shift_range", "Height shift", "up to this share of the height", 0, 1, 0.01, 0),
    Slider("shear_range", "Shear", "up to, in degrees", 0, 89, 1, 0),
    Slider("zoom_range", "Zoom", "from 1 - x to 1 + x", 0, 0.95, 0.01, 0),
    Slider("channel_shift_range", "Channel shift", "up to, in grey levels", 0, 255, 1, 0),
    Slider("brightness_low", "Brightness, least", "a factor; 1 changes nothing", 0, 3, 0.05, 1),
    Slider("brightness_high", "Brightness, most", "a factor; 1 changes nothing", 0, 3, 0.05, 1),
    Slider("random_crop_low", "Crop, least", "share of the area; 1 crops nothing", 0.01, 1, 0.01, 1),
    Slider("perspective", "Perspective", "with up to this probability", 0, 1, 0.05, 0),
    Slider("elastic", "Elastic", "with up to this probability", 0, 1, 0.05, 0),
    Slider("rand_augment_ops", "RandAugment, operations", "number of operations", 0, 5, 1, 0),
    Slider("rand_augment_strength", "RandAugment, strength", "up to", 0, 1, 0.05, 0.5),
    Slider("hue_range", "Hue", "1 is half a turn", 0, 1, 0.05, 0),
    Slider("saturation_low", "Saturation, least", "0 is grey, 0.5 changes nothing", 0, 1, 0.05, 0.5),
    Slider("saturation_high", "Saturation, most", "0.5 changes nothing", 0, 1, 0.05, 0.5),
    Slider("grayscale", "Grayscale", "with this probability", 0, 1, 0.05, 0),
    Slider("blur", "Blur", "with up to this probability", 0, 1, 0.05, 0),
    Slider("jpeg_quality_low", "JPEG quality, least", "100 changes nothing", 1, 100, 1, 100),
    Slider("random_erasing", "Erasing", "with up to this probability", 0, 1, 0.05, 0),
    Slider("cval", "Fill value", "for the fill mode constant", 0, 255, 1, 0),
    Slider("height", "Height", "of target_size, in pixels", 8, 1024, 8, 256),
    Slider("width", "Width", "of target_size, in pixels", 8, 1024, 8, 256),
    Slider("seed", "Seed", "other random versions", 0, 999, 1, 0),
)
SWITCHES: Final = (
    Switch("horizontal_flip", "Flip left to right"),
    Switch("vertical_flip", "Flip top to bottom"),
)
# The defaults are those of the constructor and of the flow methods.
CHOICES: Final = (
    Choice("fill_mode", "Fill mode", ("nearest", *(m for m in FILL_MODES if m != "nearest"))),
    Choice("interpolation", "Interpolation", INTERPOLATIONS),
)
_OF_THE_CONSTRUCTOR: Final = (
    "rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range",
    "channel_shift_range", "perspective", "elastic", "hue_range", "grayscale", "blur", "random_erasing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set on the page.

    Attributes:
        options: the arguments of the constructor that are not at their defaults.
        target_size: (height, width).
        interpolation: how files are resized.
        seed: chooses the versions.
    """

    options: Mapping[str, Any]
    target_size: tuple[int, int]
    interpolation: str
    seed: int

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Settings:
        """Reads the fields of a request; those that are missing are at their defaults.

        Raises:
            InvalidArgumentError: a value is not allowed.
        """
        numbers = {slider.name: _number(slider, fields) for slider in SLIDERS}
        chosen = {choice.name: _choice(choice, fields) for choice in CHOICES}
        options: dict[str, Any] = {name: numbers[name] for name in _OF_THE_CONSTRUCTOR if numbers[name]}
        options |= _pairs(numbers)
        options |= {name: True for name, _ in SWITCHES if fields.get(name) == "true"}
        if chosen["fill_mode"] != "nearest":
            options["fill_mode"] = chosen["fill_mode"]
        if chosen["fill_mode"] == "constant" and numbers["cval"]:
            options["cval"] = numbers["cval"]
        size = int(numbers["height"]), int(numbers["width"])
        return cls(options, size, chosen["interpolation"], int(numbers["seed"]))


def _pairs(numbers: Mapping[str, float]) -> dict[str, Any]:
    """The arguments that are two numbers, as far as they change anything."""
    pairs = {
        "brightness_range": (numbers["brightness_low"], numbers["brightness_high"]),
        "random_crop": (numbers["random_crop_low"], 1),
        "rand_augment": (numbers["rand_augment_ops"], numbers["rand_augment_strength"]),
        "saturation_range": (numbers["saturation_low"], numbers["saturation_high"]),
        "jpeg_quality_range": (numbers["jpeg_quality_low"], 100),
    }
    changes_nothing = {
        "brightness_range": (1, 1),
        "random_crop": (1, 1),
        "rand_augment": (0, numbers["rand_augment_strength"]),
        "saturation_range": (0.5, 0.5),
        "jpeg_quality_range": (100, 100),
    }
    return {name: pair for name, pair in pairs.items() if pair != changes_nothing[name]}


def _number(slider: Slider, fields: Mapping[str, str]) -> int | float:
    text = fields.get(slider.name, str(slider.default))
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not slider.low <= number <= slider.high:
        raise InvalidArgumentError(
            f"{slider.label} must be a number from {slider.low:g} to {slider.high:g}; "
            f"received {text[:40]!r}."
        )
    return int(number) if number.is_integer() else number


def _choice(choice: Choice, fields: Mapping[str, str]) -> str:
    value = fields.get(choice.name, choice.values[0])
    if value not in choice.values:
        raise InvalidArgumentError(
            f"{choice.label} must be one of {', '.join(choice.values)}; received {value[:40]!r}."
        )
    return value


class _Pixels(NamedTuple):
    """An image as it is read, and the share of its pixels that lose their value by that."""

    image: NDArray[Any]
    clipped: float


class Augmenting:
    """Computes versions of the images of a data set, one request after the other.

    The image that was read last is kept, because sliders move often and a photograph takes long. The
    pipeline gives the same versions of an array as of the file.
    """

    def __init__(self, source: SampleSource) -> None:
        self._source = source
        self._turn = threading.Lock()
        self._read_last: tuple[tuple[Any, ...], _Pixels] | None = None

    def versions(self, number: int, settings: Settings) -> dict[str, Any]:
        """The image as it is read, versions of it with what was drawn, and notes.

        Raises:
            ImageLoomError: the library rejects the settings, or the file cannot be read.
        """
        generator = ImageDataGenerator(**settings.options)
        frozen = generator._freeze().without_cache()
        with self._turn, _collected_warnings() as texts:
            image, clipped = self._read(number, settings)
            source, recipe, place = *array_recipe(frozen, image), 0
            if "random_crop" in settings.options:  # out of the image at its own size
                size, interpolation = settings.target_size, settings.interpolation
                source, place = self._source, number
                recipe = file_recipe(frozen, source, size, "rgb", interpolation)
            (found,) = make_preview_images(
                recipe, source, [place], versions=_VERSIONS, seed=settings.seed
            )
        found = replace(found, clipped=clipped)
        drawn = [phrases(version.params) for version in found.versions]
        notes = [*texts, *about_values([found], None), *geometry_notes(generator)]
        explained = conventions(phrase for one in drawn for phrase in one)
        together = [found.image, *(version.image for version in found.versions)]
        return {
            "original": _text(as_png(found.image, together)),
            "versions": [
                {"picture": _text(as_png(version.image, together)), "drawn": words}
                for version, words in zip(found.versions, drawn, strict=True)
            ],
            "notice": why_not_augmented(recipe, [found]).partition(" Pass,")[0],
            "notes": [in_one_line(note) for note in dict.fromkeys([*notes, *explained])],
        }

    def _read(self, number: int, settings: Settings) -> _Pixels:
        wanted = (number, settings.target_size, settings.interpolation)
        if self._read_last is not None and self._read_last[0] == wanted:
            return self._read_last[1]
        frozen = ImageDataGenerator()._freeze().without_cache()
        size = settings.target_size
        recipe = file_recipe(frozen, self._source, size, "rgb", settings.interpolation)
        image = stored_image(recipe, self._source, number)
        if image.shape[:2] != size:  # an array in a file is never resized
            raise BadImageError(
                f"The array has shape {image.shape}, and arrays are not resized: batches need "
                f"target_size={image.shape[:2]}."
            )
        name = str(self._source.filenames[number])
        pixels = _Pixels(image, clipped_share(recipe, self._source, name, image))
        self._read_last = wanted, pixels
        return pixels


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Yields a list of what the library warns of in this thread: it is about what the page shows."""
    texts: list[str] = []
    thread = threading.get_ident()

    def listen(message: str, file: str, line: int) -> None:
        del file, line
        if threading.get_ident() == thread:
            texts.append(message)

    listeners.append(listen)
    try:
        yield texts
    finally:
        listeners.remove(listen)
