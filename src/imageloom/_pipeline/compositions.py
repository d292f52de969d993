"""Compositions of other libraries as hooks: recognised, seeded for each sample, given all of it.

A composition of albumentations, or of `torchvision.transforms.v2`, is called in the convention of its
library with the image, and with the sample's masks, boxes or points. It is recognised by its class, so
that nothing has to be imported.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.compositions import albumentations, torchvision
from imageloom._adapters.compositions.parts import Convention, SampleParts
from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.carried import find_generators
from imageloom._pipeline.random_sources import Source, global_source

__all__ = ["BYTE", "Composition", "as_bytes", "check_takes", "recognised"]

BYTE: Final = 255

# Of the classes that transforms derive from, the module and the names.
_BASES: Final = (
    ("albumentations.core.", ("BaseCompose", "BasicTransform"), albumentations.CONVENTION),
    ("torchvision.transforms.v2", ("Transform",), torchvision.CONVENTION),
)


class Composition:
    """A transform of another library.

    Attributes:
        convention: How it is called.
    """

    def __init__(self, name: str, function: Any, convention: Convention) -> None:
        """`name` is the argument that it was given as."""
        self.convention = convention
        self._name, self._function = name, function
        self._sources: dict[str, Source] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Another process has generators of its own."""
        return {**vars(self), "_sources": None}

    def seed(self, entropy: tuple[int, ...]) -> None:
        """Seeds all that it draws from, for one sample; `entropy` is that of the sample's hooks."""
        for path, source in self._all_sources().items():
            # Longer than the seed of `params.rng`, so it is never the same.
            words = np.random.SeedSequence((*entropy, zlib.crc32(path.encode()))).generate_state(1)
            source.seed(int(words[0]))

    def _all_sources(self) -> dict[str, Source]:
        if self._sources is None:
            self._sources = dict(find_generators([(self._name, self._function)]).carried)
        used = {name: global_source(name) for name in self.convention.draws_from}
        return self._sources | {name: source for name, source in used.items() if source is not None}

    def __call__(self, parts: SampleParts) -> SampleParts:
        """Calls it; the image gets three axes again, if it has lost one."""
        found = self.convention.call(self._function, parts)
        if getattr(found.image, "ndim", 3) == 2:
            found.image = found.image[:, :, None]
        return found

    def image(self, x: NDArray[Any]) -> Any:
        """Calls it with an image alone."""
        return self(SampleParts(image=x)).image

    def box_format(self) -> str | None:
        """The format of boxes that it wants; None if it takes none."""
        return self.convention.box_format(self._function)

    def point_format(self) -> str | None:
        """The format of points that it wants; None if it takes none."""
        return self.convention.point_format(self._function)

    def words(self, applied: Sequence[str]) -> list[str]:
        """The library and the steps that were applied, for a caption."""
        return [f"{self.convention.package}:", *(applied or ["nothing"])]


def as_bytes(x: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels of 0..255 as bytes, of which these libraries know the scale; they take floats as 0..1."""
    rounded: NDArray[np.uint8] = np.clip(np.rint(x), 0, BYTE).astype(np.uint8)
    return rounded


def recognised(name: str, function: Any) -> Composition | None:
    """The composition that a hook is; None if it is a function like any other."""
    for base in type(function).__mro__:
        for module, names, convention in _BASES:
            if str(base.__module__).startswith(module) and base.__name__ in names:
                return Composition(name, function, convention)
    return None


def check_takes(name: str, composition: Composition | None, options: CoordinateOptions | None) -> None:
    """Raises if a composition would move the pixels and leave boxes or points behind.

    Raises:
        InvalidArgumentError: it would.
    """
    if composition is None or options is None:
        return
    form = composition.box_format() if options.is_boxes else composition.point_format()
    if form is None:
        advice = composition.convention.advice[0 if options.is_boxes else 1]
        raise InvalidArgumentError(
            f"`{name}` is a transform of {composition.convention.package} that takes no "
            f'{options.kind}, which class_mode="{options.kind}" has for each image: pass {advice}.'
        )
