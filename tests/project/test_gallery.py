"""The gallery shows every option that changes pixels, as the code on its page draws it."""

from __future__ import annotations

import inspect
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from document_blocks import PAGES, ROOT
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._checks.depth import COLOUR_CHANNELS
from imageloom._options import FILL_MODES, INTERPOLATIONS
from imageloom._options.transform import NOISE_NAMES

PAGE = ROOT / "docs" / "gallery.md"
METHODS = ("__init__", "flow", "flow_from_directory", "flow_from_dataframe")
VALUES = {
    "fill_mode": FILL_MODES,
    "interpolation": INTERPOLATIONS,
    "color_mode": tuple(COLOUR_CHANNELS),
    "noise": NOISE_NAMES,
    "geometry": ("keras", "corrected"),
    "depth": ("keras", "native"),
    "decode": ("exact", "scaled"),
}

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    """The tool that draws it."""
    spec = spec_from_file_location("write_gallery", ROOT / "tools" / "write_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    """What stands below the heading of an option."""
    return page.partition(f"\n### `{name}`\n")[2].partition("\n##")[0]


def test_every_option_has_a_strip_or_a_reason_for_none(page: str) -> None:
    shown = re.findall(r"^### `(\w+)`$", page, re.MULTILINE)
    rows = re.findall(r"^\| (`.*?) \| (.{10,}) \|$", page, re.MULTILINE)
    reasons = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    options = {
        name
        for method in METHODS
        for name, parameter in inspect.signature(getattr(ImageDataGenerator, method)).parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    assert sorted([*shown, *reasons]) == sorted(options)
    assert [name for name in shown if f"](gallery/{name}.webp)" not in section(page, name)] == []
    assert [name for name in shown if name not in section(page, name)] == []


@pytest.mark.parametrize("name", VALUES)
def test_every_value_with_a_name_is_drawn(page: str, name: str) -> None:
    captions = re.split("[;,] ", " ".join(re.findall(r"!\[(.*)\]", section(page, name)))) + re.findall(
        r'"([\w&-]+)"', section(page, name)
    )
    assert set(VALUES[name]) <= set(captions)


def test_the_page_is_light(gallery: ModuleType, page: str) -> None:
    files = {path.name: path.stat().st_size for path in gallery.FOLDER.iterdir()}
    assert sorted(files) == sorted(re.findall(r"\]\(gallery/(\S+)\)", page))
    assert max(files.values()) < 40_000
    assert sum(files.values()) < 1_500_000


def test_the_table_of_arguments_leads_to_the_strips(gallery: ModuleType, page: str) -> None:
    names = re.findall(r"^### `(\w+)`$", page, re.MULTILINE)
    arguments = gallery.ARGUMENTS.read_text(encoding="utf-8")
    assert gallery.linked(arguments, names) == arguments
    assert [name for name in names if f"(gallery.md#{name})" not in arguments] == []


@pytest.mark.slow
def test_the_pictures_are_what_the_page_draws(gallery: ModuleType, page: str, tmp_path: Path) -> None:
    """`python tools/write_gallery.py` draws them anew."""
    for needed in ("skimage", "scipy"):
        pytest.importorskip(needed)
    blocks = [
        block
        for block in gallery.blocks_of(page)
        # These take longer than all others together, and the examples of the documents run them.
        if not re.search("keras.applications|whitened", block.code)
    ]
    drawn = []
    for block, strip in gallery.strips_of(blocks):
        assert block.image == gallery.line_of(block, strip), block.name
        gallery.save(gallery.drawn(strip), tmp_path / "strip.webp")
        with Image.open(tmp_path / "strip.webp") as new, Image.open(block.file) as kept:
            assert new.size == kept.size, block.name
            differences = np.abs(np.subtract(new, kept, dtype=np.float32))
        # Old decoders are a level off, of which Poisson noise makes more.
        assert differences.mean() < 3, block.name
        drawn.append(block.name)
    assert len(drawn) == page.count("](gallery/") - 3
