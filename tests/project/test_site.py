"""The files of the site: names of the reference, links to the repository, the weight of pages."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from PIL import Image
from sites import ROOT, built_site

import imageloom
import imageloom.image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first one may build the site

# Bytes of a page with all that it loads, uncompressed, and of the page alone. The script of the search
# and the pictures of a gallery, which are loaded when they come into sight, have limits of their own.
WHOLE, ALONE, PICTURES = 700_000, 450_000, 1_500_000


@pytest.fixture(scope="module")
def site() -> Path:
    return built_site()


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


@pytest.fixture(scope="module")
def names(site: Path) -> dict[str, str]:
    """What other projects' documents can link to: name -> address."""
    *_, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    rows = [line.split(" ", 4) for line in zlib.decompress(packed).decode().splitlines()]
    return {row[0]: row[3].replace("$", row[0]) for row in rows if row[1].startswith("py:")}


def test_every_public_name_is_indexed_as_users_write_it(site: Path, names: dict[str, str]) -> None:
    wanted = {f"imageloom.{name}" for name in imageloom.__all__}
    wanted |= {f"imageloom.image.{name}" for name in imageloom.image.__all__}
    assert wanted <= set(names)
    assert "imageloom.ImageDataGenerator.flow_from_directory" in names
    assert [name for name in names if "._" in name.replace(".__", "")] == []
    index = (site / "genindex.html").read_text(encoding="utf-8")
    for name in wanted:
        assert f'{names[name]}"' in index, name
        page, _, anchor = names[name].partition("#")
        assert f'id="{anchor}"' in (site / page).read_text(encoding="utf-8")


def test_the_reference_shows_no_private_module(site: Path) -> None:
    for path in [*site.glob("reference/*.html"), site / "genindex.html"]:
        text = re.sub(r'(?:href|id)="[^"]*"', "", path.read_text(encoding="utf-8"))
        assert re.findall(r"imageloom\._\w+\.[\w.]+", text) == [], path


def test_sources_are_linked_where_they_are(site: Path) -> None:
    text = (site / "reference" / "generator.html").read_text(encoding="utf-8")
    links = re.findall(r"/blob/[\w.]+/(src/[\w./]+)#L(\d+)-L(\d+)", text)
    assert len(links) > 10
    for path, first, last in links:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(first) - 1 : int(last)]
        assert re.match(r"\s*(?:def|class|@)", lines[0]), (path, first)
    (whole,) = [
        one for one in links if one[0].endswith("_api/generator.py") and int(one[2]) - int(one[1]) > 200
    ]
    assert any(
        "class ImageDataGenerator" in line for line in (ROOT / whole[0]).read_text("utf-8").splitlines()
    )


def test_every_page_can_be_changed_where_it_is_written(site: Path) -> None:
    for path in pages(site):
        if path.stem in ("404", "genindex", "search", "py-modindex"):
            continue
        (target,) = set(re.findall(r"/edit/main/([^\"]+)", path.read_text(encoding="utf-8")))
        assert (ROOT / target).is_file(), target


def test_pages_say_what_they_are_to_those_who_link_to_them(site: Path) -> None:
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        tags = dict(re.findall(r'<meta property="(og:[\w:]+)" content="([^"]*)"', text))
        assert {"og:title", "og:type", "og:url", "og:image", "og:image:alt"} <= set(tags), path
        assert tags["og:url"].startswith("https://")
        card = site / "_static" / tags["og:image"].rpartition("/")[2]
        assert card.stat().st_size < 300_000
        with Image.open(card) as picture:
            assert (
                picture.size
                == (int(tags["og:image:width"]), int(tags["og:image:height"]))
                == (1200, 630)
            )


def test_pages_are_light(site: Path) -> None:
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        assert len(text.encode()) < ALONE, path
        loaded = re.findall(r'<(?:script|link rel="stylesheet")[^>]*?(?:src|href)="([^"?#]+)', text)
        pictures = re.findall(r'<img[^>]*?src="([^":?#]+)"', text)
        near = [one for one in (*loaded, *pictures) if not one.startswith("/")]
        sizes = {one: (path.parent / one).stat().st_size for one in near}
        search = "searchindex.js"
        at_once = [one for one in loaded if one in sizes and search not in one]
        assert len(text.encode()) + sum(sizes[one] for one in at_once) < WHOLE, path
        assert sum(sizes[one] for one in set(pictures) if one in sizes) < PICTURES, path
        for tag in re.findall(r"<img[^>]*>", text)[1:]:
            assert 'loading="lazy"' in tag or "data:" in tag, (path, tag)


def test_cells_know_their_columns(site: Path) -> None:
    """On a phone, a row is a list of names and values."""
    text = (site / "installation.html").read_text(encoding="utf-8")
    assert re.search(r'<td role="cell" data-label="for">', text)


def test_notebooks_look_as_all_pages(site: Path) -> None:
    """The names of columns and of the index stand in one row, and pictures are described."""
    text = (site / "notebooks" / "slow-run.html").read_text(encoding="utf-8")
    assert "dataframe" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert text.count('<th role="columnheader" class="head">name</th>') == 1
    assert (
        '<td role="cell" data-label="name">batch</td><td role="cell" data-label="count">20</td>' in text
    )
    for page in (site / "tour.html", *(site / "notebooks").glob("*.html")):
        for tag in re.findall(r'<img[^>]*src="data:image/jpeg[^>]*>', page.read_text("utf-8")):
            assert len(re.findall(r'alt="([^"]*)"', tag)[0]) > 20, page


def test_tabs_come_from_plain_words(site: Path) -> None:
    text = (site / "installation.html").read_text(encoding="utf-8")
    assert text.count('<div class="tabs" data-name="installer">') == 2
    assert '<p class="tab-label"><strong>uv</strong></p>' in text
