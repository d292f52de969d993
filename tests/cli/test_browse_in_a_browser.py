"""The page of `imageloom browse` in a real browser, as a user sees and uses it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import Browser, browser_at, skip_without_browser
from browsing import browsing
from PIL import Image

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=document.title='broken'>"
DRAWN = "!document.getElementById('versions').classList.contains('stale')"
PICTURES = "[...document.querySelectorAll('#versions figcaption')].map((one) => one.textContent).join()"


@pytest.fixture(scope="module", autouse=True)
def _with_a_browser() -> None:
    skip_without_browser()


@pytest.fixture(scope="module")
def photos(class_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs; a broken file whose name is markup; one copy; a class of more than one page."""
    folder = Path(shutil.copytree(class_folder, tmp_path_factory.mktemp("browsed") / "photos"))
    (folder / "coffee" / f"{MARKUP}.png").write_bytes(b"no image")
    shutil.copy(folder / "coffee" / "one.png", folder / "coins" / "copy.png")
    (folder / MARKUP).mkdir()
    for level in range(130):
        Image.new("L", (8, 8), level).save(folder / MARKUP / f"{level:03}.png")
    return folder


@pytest.fixture(scope="module")
def page(photos: Path) -> Iterator[Browser]:
    """The page; at the end, nothing went wrong in it."""
    with browsing(photos, "--no-open") as (_, client), browser_at(client.url) as browser:
        browser.wait_for("document.querySelectorAll('#grid li').length > 0")
        yield browser
        assert browser.ask("told") == [], "no error, and nothing that the policy forbids"
        assert browser.run("document.title").endswith("imageloom browse"), "no name was markup"


def click(page: Browser, selector: str) -> None:
    page.do(f"document.querySelector({selector!r}).click()")


def move(page: Browser, name: str, value: float) -> None:
    """Moves a slider."""
    page.do(
        f"const slider = document.getElementById({name!r}); slider.value = {value};"
        "slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )


def code(page: Browser) -> str:
    page.wait_for(DRAWN)
    return str(page.run("document.getElementById('code').textContent"))


def pixels(page: Browser) -> str:
    """What the second picture shows, as the browser draws it."""
    page.wait_for(f"{DRAWN} && document.querySelectorAll('#versions img').length === 6")
    page.do(
        "const image = document.querySelectorAll('#versions img')[1];"
        "const canvas = document.createElement('canvas');"
        "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        "canvas.getContext('2d').drawImage(image, 0, 0); window.pixels = canvas.toDataURL()"
    )
    return str(page.run("window.pixels"))


def test_thumbnails_appear_when_they_are_in_sight(page: Browser) -> None:
    click(page, "#tab-images")
    click(page, "#classes button")
    assert page.run("document.querySelectorAll('#grid li').length") == 60
    page.wait_for("document.querySelectorAll('#grid img').length > 5")
    assert page.run("document.querySelectorAll('#grid .picture:empty').length") > 5, "not all at once"
    page.do("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for("document.querySelector('#grid li:last-child img')")
    texts = page.run("[...document.querySelectorAll('#grid img')].map((image) => image.alt)")
    assert all("class" in text for text in texts), "each picture has a text"
    page.do("window.scrollTo(0, 0)")


def test_a_class_and_its_pages(page: Browser) -> None:
    click(page, "#tab-images")
    name = page.run("document.querySelectorAll('#classes button')[1].firstChild.textContent")
    assert name == MARKUP, "as a text"
    page.do("document.querySelectorAll('#classes button')[1].click()")
    page.wait_for("document.getElementById('position').textContent === '1–60 of 130 images'")
    assert page.run("document.querySelector('#classes [aria-pressed=true] span').textContent") == MARKUP
    click(page, "#next")
    page.wait_for("document.getElementById('position').textContent.startsWith('61–120')")
    click(page, "#next")
    page.wait_for("document.querySelectorAll('#grid li').length === 10")
    assert page.run("document.getElementById('next').disabled")
    page.do("document.getElementById('class-filter').value = 'COF';"
            "document.getElementById('class-filter').dispatchEvent(new Event('input'))")  # fmt: skip
    shown = "[...document.querySelectorAll('#classes li:not([hidden]) button')]"
    assert page.run(f"{shown}.map((one) => one.firstChild.textContent)") == ["All images", "coffee"]


def test_a_broken_file_says_why(page: Browser) -> None:
    click(page, "#tab-images")
    page.do("document.querySelectorAll('#classes button')[3].click()")
    why = page.wait_for("document.querySelector('#grid .bad')?.textContent")
    assert "not an image" in why
    assert MARKUP in page.run("document.querySelector('#grid li:has(.bad)').textContent")


def test_findings_appear_and_lead_to_their_images(page: Browser) -> None:
    page.wait_for("document.getElementById('progress').hidden")
    click(page, "#tab-findings")
    texts = page.run("[...document.querySelectorAll('#remarks summary')].map((one) => one.textContent)")
    assert any(text.startswith("Unreadable") for text in texts)
    assert page.run("document.getElementById('counts').textContent").count("PNG") == 1
    page.do(
        "[...document.querySelectorAll('#remarks details')]"
        ".find((one) => one.textContent.includes('copy.png')).querySelector('button').click()"
    )
    page.wait_for("document.getElementById('position').textContent === '1–2 of 2 images'")
    assert not page.run("document.getElementById('images').hidden")


def test_a_slider_changes_the_pictures_and_the_code(page: Browser) -> None:
    click(page, "#tab-images")
    page.do("document.querySelectorAll('#classes button')[2].click()")
    page.wait_for("document.getElementById('shown-title').textContent === 'Class chelsea'")
    click(page, "#grid button")
    before = pixels(page)
    assert "ImageDataGenerator()" in code(page)
    assert "No augmentation" in page.run("document.getElementById('notice').textContent")
    move(page, "rotation_range", 30)
    page.wait_for(f"{PICTURES}.includes('rotate')")
    turned = pixels(page)
    assert turned != before
    assert "rotation_range=30," in code(page)
    assert page.run("document.getElementById('rotation_range-value').textContent") == "30"
    move(page, "seed", 5)
    page.wait_for(f"{DRAWN} && {PICTURES} !== ''")
    assert pixels(page) != turned
    for number in range(31, 60):  # quickly, as a hand does: the last one counts
        move(page, "rotation_range", number)
    page.wait_for("document.getElementById('code').textContent.includes('rotation_range=59,')")
    click(page, "#horizontal_flip")
    page.wait_for("document.getElementById('code').textContent.includes('horizontal_flip=True')")
    page.do("document.getElementById('fill_mode').value = 'reflect';"
            "document.getElementById('settings').dispatchEvent(new Event('input'))")  # fmt: skip
    page.wait_for("""document.getElementById('code').textContent.includes('fill_mode="reflect"')""")
    move(page, "height", 96)
    page.wait_for("document.querySelector('#versions img')?.naturalHeight === 96")
    click(page, "#settings [type=reset]")
    page.wait_for("document.getElementById('code').textContent.includes('ImageDataGenerator()')")
    assert pixels(page) == before


def test_the_keyboard_is_enough(page: Browser) -> None:
    page.do(
        "document.getElementById('tab-images').click();document.getElementById('tab-images').focus()"
    )
    page.ask("press", "Right")
    page.wait_for("!document.getElementById('findings').hidden")
    page.ask("press", "Right")
    page.wait_for("!document.getElementById('augmentation').hidden")
    page.ask("press", "Tab")
    page.wait_for("document.activeElement.id === 'main' || document.activeElement.closest('main')")
    page.do("document.getElementById('shear_range').focus()")
    page.ask("press", "Right", "Right", "Right")
    page.wait_for("document.getElementById('code').textContent.includes('shear_range=3,')")
    click(page, "#settings [type=reset]")
    page.wait_for("document.getElementById('code').textContent.includes('ImageDataGenerator()')")


def test_everything_has_a_name(page: Browser) -> None:
    """Whoever does not see the page hears what each control is for."""
    nameless = page.run(
        "[...document.querySelectorAll('input, select, button, img, progress')].filter((one) => !("
        "one.labels?.length || one.alt || one.textContent.trim() || one.getAttribute('aria-labelledby')"
        ")).map((one) => one.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize("view", ["images", "findings", "augmentation"])
def test_it_fits_a_phone(page: Browser, view: str) -> None:
    page.ask("shape", 360, 740)
    try:
        click(page, f"#tab-{view}")
        page.wait_for("innerWidth === 360")
        assert page.run("document.documentElement.scrollWidth") <= 360
    finally:
        page.ask("shape", 1100, 800)


def luminance(colour: str) -> float:
    """As the guidelines for accessible content define it (WCAG 2)."""
    levels = [int(level) / 255 for level in re.findall(r"\d+", colour)[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Elements with text, each with its colour and with the colour behind it.
COLOURS = """
[...document.querySelectorAll("h1, .faint, .bad, button:enabled, label, output, code, figcaption")].map(
  (one) => {
    let behind = one;
    const style = (element) => getComputedStyle(element);
    while (style(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    return [one.outerHTML, style(one).color, style(behind).backgroundColor];
  })
""".strip()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_and_the_end_is_told(photos: Path, scheme: str) -> None:
    with (
        browsing(photos, "--no-open") as (process, client),
        browser_at(client.url, scheme=scheme) as page,
    ):
        page.wait_for("document.querySelectorAll('#classes button').length === 6")
        page.do("document.querySelectorAll('#classes button')[3].click()")
        page.wait_for("document.querySelector('#grid .bad')")
        click(page, "#tab-augmentation")
        page.wait_for("document.querySelector('#versions figcaption')")
        colours = page.run(COLOURS)
        paper = page.run("getComputedStyle(document.body).backgroundColor")
        assert (luminance(paper) > 0.5) == (scheme == "light")
        assert len(colours) > 30
        for element, ink, ground in colours:
            low, high = sorted((luminance(ink), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, element
        process.kill()
        process.wait()
        click(page, "#file-after")
        page.wait_for("document.getElementById('trouble').textContent.includes('has ended')")
