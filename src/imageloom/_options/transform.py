"""The options of random transforms, as frozen records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

from imageloom._checks.values import check_choice, check_number
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options.steps import (
    COLOURING_STEPS,
    STEP_NAMES,
    Blur,
    Bounds,
    Crop,
    Elastic,
    Erasing,
    Perspective,
    RandAugment,
)
from imageloom._public import public

__all__ = ["NOISE_NAMES", "Noise", "ShiftRange", "TransformOptions", "seeded"]

ShiftRange = float | Sequence[float] | None

NOISE_NAMES: Final = ("gauss", "poisson", "s&p", "speckle")
_TWO_LEVELS: Final = 1e-3  # the share of pixels that may be off by two grey levels
_STEPS: Final = 32  # of brightness, to compute means
_AFTER_THE_CROP: Final = tuple(name for name in STEP_NAMES if name != "random_crop")
# Asked for each small batch: a loop over names would take longer than its pixels.
_recolouring: Final = attrgetter(*COLOURING_STEPS)
_stepping: Final = attrgetter(*_AFTER_THE_CROP)
_NO_RECOLOURING: Final = (None,) * len(COLOURING_STEPS)
_NO_STEPS: Final = (None,) * len(_AFTER_THE_CROP)


@public
@dataclass(frozen=True, slots=True)
class Noise:
    """One kind of noise, with its parameters, for the `noise` argument.

    Amplitudes are relative to full scale = 1.0: a variance of 0.01 is a standard deviation of a
    tenth of the range, which is 25.5 grey levels for images of 0..255.

    Attributes:
        name: `"gauss"` adds normal noise; `"speckle"` adds `x * n` with uniform `n`; `"s&p"`
            replaces whole pixels with full scale or 0; `"poisson"` draws counts at 255 levels.
        mean: mean of the noise, for full scale = 1.0 (gauss, speckle).
        var: variance of the noise, for full scale = 1.0 (gauss, speckle).
        amount: share of the pixels that are replaced, 0..1 (s&p).
        salt_share: share of the replaced pixels that become full scale, 0..1 (s&p).
        seed: seed of the noise values. Leave it at None in the `noise` argument. In a drawn
            transform it is the seed of the image, so that applying the transform twice gives the
            same pixels.

    Raises:
        InvalidArgumentError: an unknown name, a negative variance, or a share outside 0..1.
        ArgumentTypeError: the name is not a string.
    """

    name: str
    mean: float = 0.0
    var: float = 0.01
    amount: float = 0.05
    salt_share: float = 0.5
    seed: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ArgumentTypeError(
                f"`noise` must be names or `Noise` records; received {self.name!r} "
                f"of type {type(self.name).__name__}."
            )
        check_choice("noise", self.name, NOISE_NAMES)
        for name in ("mean", "var", "amount", "salt_share"):
            check_number(f"{name} of noise", getattr(self, name))
        if self.var < 0:
            raise InvalidArgumentError(f"The variance of noise must be >= 0, received {self.var!r}.")
        for name, share in (("amount", self.amount), ("salt_share", self.salt_share)):
            if not 0 <= share <= 1:
                raise InvalidArgumentError(f"`{name}` of noise must be in 0..1, received {share!r}.")


def seeded(noise: Noise, seed: int) -> Noise:
    """The same noise with a seed, without checking its parameters once more for each image."""
    found = object.__new__(Noise)
    for name in _NOISE_FIELDS:
        object.__setattr__(found, name, getattr(noise, name))
    object.__setattr__(found, "seed", seed)
    return found


_NOISE_FIELDS: Final = tuple(field.name for field in fields(Noise) if field.name != "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformOptions:
    """The options of random transforms; the fields have the names of the arguments."""

    rotation_range: float
    width_shift_range: ShiftRange
    height_shift_range: ShiftRange
    brightness_range: Sequence[float] | None
    shear_range: float
    zoom_range: Sequence[float]
    channel_shift_range: float
    horizontal_flip: bool
    vertical_flip: bool
    contrast_range: Sequence[float] | None
    noise: tuple[Noise, ...]
    random_transforms_enabled: bool
    fill_mode: str
    cval: float
    interpolation_order: int
    corrected_geometry: bool
    random_crop: Crop | None = None
    perspective: Perspective | None = None
    elastic: Elastic | None = None
    rand_augment: RandAugment | None = None
    hue_range: Bounds | None = None
    saturation_range: Bounds | None = None
    grayscale: float | None = None
    blur: Blur | None = None
    jpeg_quality_range: tuple[int, int] | None = None
    random_erasing: Erasing | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether every image stays as it is, whatever is drawn."""
        flips = self.horizontal_flip or self.vertical_flip
        still = self.only_flips and not flips and self.random_crop is None
        return not self.random_transforms_enabled or still

    @property
    def only_flips(self) -> bool:
        """Whether images are flipped at most."""
        shifts = (self.width_shift_range, self.height_shift_range)
        moves = self.turns_or_scales or any(not isinstance(s, (int, float)) or s != 0 for s in shifts)
        plain = not self.recolours and self.channel_shift_range == 0
        return plain and not moves and not self.has_steps

    @property
    def turns_or_scales(self) -> bool:
        """Whether rotation, shear or zoom may be drawn."""
        low, high = self.zoom_range
        return bool(self.rotation_range or self.shear_range or not low == high == 1)

    @property
    def needs_exact_pixels(self) -> bool:
        """Whether a step may enlarge a difference of one grey level in any image."""
        return self.interpolation_order > 1

    @property
    def differing_share(self) -> float:
        """The share of pixels that may be off by one grey level before the colour steps.

        Brightness and contrast may make two levels of one. A power of 1/2, so that similar options have
        the same.
        """
        factors = [1.0]
        for low, high in filter(None, (self.brightness_range, self.contrast_range)):
            steps = [low + (high - low) * (step + 0.5) / _STEPS for step in range(_STEPS)]
            factors = [factor * step for factor in factors for step in steps]
        doubled = sum(min(max(abs(factor) - 1, 0), 1) for factor in factors) / len(factors)
        return 0.5 ** max(0, math.ceil(math.log2(doubled / _TWO_LEVELS))) if doubled else 1.0

    @property
    def recolours(self) -> bool:
        """Whether steps may be drawn that assume values of 0..255."""
        own: bool = _recolouring(self) != _NO_RECOLOURING
        return own or bool(self.brightness_range or self.contrast_range or self.noise)

    @property
    def crops(self) -> bool:
        """Whether windows are cut at random."""
        return self.random_crop is not None and self.random_transforms_enabled

    @property
    def has_steps(self) -> bool:
        """Whether there are steps that Keras' generator lacks, beside crops, contrast and noise."""
        some: bool = _stepping(self) != _NO_STEPS
        return some
