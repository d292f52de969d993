"""What an iterator says whose batches are computed here although its executor has workers elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from executor_support import assert_same_batches, take
from holding_hooks import STAYS, flow_with, in_closure
from PIL import Image, ImageFile
from ray_support import needs_ray

from imageloom import ImageDataGenerator
from imageloom._addresses import address_line

HOLDING = in_closure(cv2.createCLAHE(), lambda clahe: clahe.getClipLimit())
SIDE = 24
PLUGIN = "program's plug-in of Pillow for PLAIN (Image.OPEN)"


@pytest.fixture(params=["processes", pytest.param("ray", marks=needs_ray)])
def far(request: pytest.FixtureRequest) -> str:
    """An executor that computes in other processes."""
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


# report()


def test_the_report_says_so(far: str, crops: Path) -> None:
    with flow_with(crops, kind=far, **HOLDING) as it:
        assert it.report().fallback is None, "nothing has been computed yet"
        with pytest.warns(UserWarning, match=STAYS) as caught:
            take(it, 4)
        report = it.report()
    assert f"{report.fallback}\n{address_line('IL501')}" == str(caught[0].message)
    assert report.workers == 2
    assert not report.serial
    *_, last = str(report).splitlines()
    assert last == f"Computed in this process, not by the executor's workers: {report.fallback}"


def test_the_report_advises_to_mend_it(crops: Path) -> None:
    with flow_with(crops, **HOLDING) as it:
        with pytest.warns(UserWarning, match=STAYS):
            take(it, 5)
        assert "let the generator's own workers compute" in it.report().verdict


@pytest.mark.parametrize("kind", ["processes", "threads", "serial"])
def test_who_does_not_fall_back_says_nothing(kind: str, crops: Path) -> None:
    with flow_with(crops, kind=kind, preprocessing_function=lambda x: x + 1) as it:
        take(it, 3)
        assert it.report().fallback is None
        assert "Computed in this process" not in str(it.report())


# Plug-ins of Pillow


@pytest.fixture
def registered() -> Iterator[None]:
    """A plug-in that holds what cannot travel, until the end of the test."""
    own, order = dict(Image.OPEN), Image.ID.copy()
    reader = cv2.createCLAHE()

    class PlainFile(ImageFile.ImageFile):
        format = "PLAIN"

        def _open(self) -> None:
            assert self.fp.read(5) == b"PLAIN"
            assert reader.getClipLimit() == 40
            self._size, self._mode = (SIDE, SIDE), "L"
            self.tile = [ImageFile._Tile("raw", (0, 0, SIDE, SIDE), 5, ("L", 0, 1))]

    Image.register_open("PLAIN", PlainFile, lambda prefix: prefix.startswith(b"PLAIN"))
    yield
    Image.OPEN.clear()
    Image.OPEN.update(own)
    Image.ID[:] = order


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder with two files of the plug-in's format."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    for number in range(2):
        pixels = np.full(SIDE * SIDE, 50 * number, np.uint8).tobytes()
        (tmp_path / "data" / "a" / f"{number}.png").write_bytes(b"PLAIN" + pixels)
    return tmp_path / "data"


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "options", [{}, {"preprocessing_function": lambda x: x + 1}], ids=["alone", "with a function"]
)
def test_a_plugin_that_cannot_travel_is_named(far: str, options: dict[str, Any], plain: Path) -> None:
    expected = take(flow_with(plain, kind="serial", **options), 3)
    with warnings.catch_warnings(record=True) as caught, flow_with(plain, kind=far, **options) as it:
        warnings.simplefilter("always")
        assert_same_batches(take(it, 3), expected)
    [warning] = [str(one.message) for one in caught]
    assert warning.startswith(f"The {PLUGIN} {STAYS}, because `reader`, an object of type cv2.CLAHE")
    assert "define the plug-in in a module" in warning
    assert "hook" not in warning
    assert ("take turns" in warning) == bool(options)


@pytest.mark.usefixtures("registered")
def test_fit_with_such_a_plugin(plain: Path) -> None:
    found = []
    for kind in ("serial", "processes"):
        generator = ImageDataGenerator(featurewise_center=True, executor=kind, cores=1)
        it = generator.flow_from_directory(plain, (SIDE, SIDE))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            generator.fit(it)
        assert len(caught) == (kind == "processes")
        found.append(generator.mean)
    np.testing.assert_array_equal(*found)
