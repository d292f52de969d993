"""The site in a real browser, at the width of a desk and of a phone, in light and in dark.

Each page is loaded once and looked at four times. What it looks like is kept in `build/screenshots`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread

import pytest
from browsers import Browser, browser_at, skip_without_browser
from programs import PROGRAMS
from sites import ROOT, built_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DESK, PHONE = 1280, 390
SHOTS = ROOT / "build" / "screenshots"
# Pages of each kind; `make test-long` looks at all.
REPRESENTATIVE = [
    "index",
    "installation",
    "how-to/devices",
    "performance",
    "notebooks/slow-run",
    "reference/errors",
    "search",
]
STILL = "*, *::before, *::after { transition: none !important; animation: none !important }"


@pytest.fixture(scope="module")
def site() -> Path:
    skip_without_browser()
    return built_site()


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Browser]:
    with browser_at((site / "index.html").as_uri()) as browser:
        yield browser


@pytest.fixture(scope="module")
def axe() -> str:
    found = find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("there is no axe: pip install --no-deps --group axe")
    return Path(found.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")


def open_page(browser: Browser, address: str, style: str = STILL) -> None:
    assert browser.ask("open", address), address
    browser.do(
        "const style = document.createElement('style');"
        f"style.textContent = {json.dumps(style)}; document.head.append(style)"
    )


def show(browser: Browser, width: int, theme: str) -> None:
    """Another width and theme; returns when they are drawn."""
    browser.ask("shape", width, 900)
    browser.do(f"document.body.dataset.theme = {theme!r}")
    browser.wait_for(f"innerWidth === {width}")
    browser.do(
        "window.drawn = 0; requestAnimationFrame(() => requestAnimationFrame(() => window.drawn = 1))"
    )
    browser.wait_for("window.drawn")


def look(browser: Browser, site: Path, page: str, axe: str) -> list[str]:
    """What is wrong with a page."""
    open_page(browser, (site / f"{page}.html").as_uri())
    browser.do(axe)
    code = (PROGRAMS / "project" / "look_at_page.js").read_text(encoding="utf-8")
    wrong = []
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width in (DESK, PHONE):
        for theme in ("light", "dark"):
            show(browser, width, theme)
            name = f"{page.replace('/', '-')}-{width}-{theme}"
            assert browser.ask("picture", str(SHOTS / f"{name}.png"))
            alone = "false" if theme == "light" else "true"
            browser.do(code.replace("CONTRAST_ALONE", alone))
            found = browser.wait_for("window.found")
            assert "error" not in found, found
            assert found["looks"] > 3, "nothing was looked at"
            if found["page"] > 0:
                wrong.append(f"{name}: {found['page']} pixels wider than the window")
            wrong += [
                f"{name}: {kind}: {one}"
                for kind in ("wide", "scrolling", "broken", "axe")
                for one in found[kind]
            ]
    wrong += [f"{page} says {one}" for one in browser.ask("told")]
    foreign = [one for one in browser.ask("asked") if not one.startswith(("file:", "data:", "about:"))]
    return wrong + [f"{page} asks for {one}" for one in foreign]


@pytest.mark.parametrize("page", REPRESENTATIVE)
def test_pages_of_each_kind_look_right(browser: Browser, site: Path, axe: str, page: str) -> None:
    assert look(browser, site, page, axe) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_all_pages_look_right(browser: Browser, site: Path, axe: str) -> None:
    pages = [path.relative_to(site).with_suffix("").as_posix() for path in sorted(site.rglob("*.html"))]
    assert len(pages) > 40
    wrong = [one for page in pages if page != "404" for one in look(browser, site, page, axe)]
    assert wrong == []


def test_what_is_wrong_with_a_page_is_noticed(
    browser: Browser, site: Path, axe: str, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(
        "<title>x</title><article><h1 style='color: #999; background: #fff'>Pale words</h1>"
        "<table><tr><td style='min-width: 2000px'>wide</td></tr></table><p>one</p>"
        "<p style='font-size: 9px'>two</p><p style='font-size: 8px'>three</p>"
        "<img src='gone.png'></article>",
        encoding="utf-8",
    )
    told = "\n".join(look(browser, tmp_path, "page", axe))
    for part in (
        "wider than the window",
        ": wide: <table",
        "color-contrast",
        "image-alt",
        "broken",
        "html-has-lang",
    ):
        assert part in told, part


def test_one_choice_of_a_tab_is_that_of_all(browser: Browser, site: Path) -> None:
    open_page(browser, (site / "installation.html").as_uri())
    shown = "document.querySelectorAll('.tab:not([hidden]) > .tab-label')"
    panels = f"[...{shown}].map((one) => one.textContent)"
    assert browser.run(panels) == ["pip", "pip"]
    browser.do("document.querySelectorAll('.tab-list button')[1].click()")
    assert browser.run(panels) == ["uv", "uv"]
    open_page(browser, (site / "installation.html").as_uri())
    assert browser.run(panels) == ["uv", "uv"], "another page, and another day"
    browser.do("document.querySelector('[role=tab]').click()")


def test_drawings_follow_the_switch_of_the_site(browser: Browser, site: Path) -> None:
    open_page(browser, (site / "how-it-works.html").as_uri())
    ink = "getComputedStyle(document.querySelector('svg.drawing text')).fill"
    shown = {}
    for theme in ("light", "dark"):
        browser.do(f"document.body.dataset.theme = {theme!r}")
        shown[theme] = browser.run(ink)
    assert shown["light"] != shown["dark"]


def test_code_can_be_copied(browser: Browser, site: Path) -> None:
    open_page(browser, (site / "installation.html").as_uri())
    browser.wait_for("document.querySelectorAll('button.copybtn[aria-label]').length > 5")


def test_a_page_leads_to_other_versions_of_itself(browser: Browser, site: Path, tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    for name in ("index.html", "installation.html", "objects.inv", "404.html"):
        shutil.copy(site / name, tmp_path / "built")
    shutil.copytree(site / "_static", tmp_path / "built" / "_static")
    spec = spec_from_file_location("site_versions", ROOT / "tools" / "site_versions.py")
    assert spec is not None
    assert spec.loader is not None
    site_versions = module_from_spec(spec)
    spec.loader.exec_module(site_versions)
    for name in ("1.10.0", "latest", "1.9.0"):
        versions = site_versions.publish(tmp_path / "built", tmp_path / "all", name)
    assert [one["folder"] for one in versions] == ["1.10.0", "1.9.0", "latest"]
    assert 'url=1.10.0/"' in (tmp_path / "all" / "index.html").read_text(encoding="utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "all"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        open_page(browser, f"http://127.0.0.1:{server.server_port}/1.9.0/installation.html")
        browser.wait_for("document.querySelectorAll('#version-choice option').length === 3")
        assert browser.run("document.getElementById('version-choice').value") == "1.9.0"
        assert "1.10.0" in browser.wait_for("document.querySelector('.other-version')?.textContent")
        browser.do(
            "const choice = document.getElementById('version-choice'); choice.value = 'latest';"
            "choice.dispatchEvent(new Event('change'))"
        )
        assert browser.answer() is True, "another page"
        assert browser.run("location.pathname") == "/latest/installation.html"
        server.shutdown()
    open_page(browser, (site / "index.html").as_uri())
    assert browser.run("document.getElementById('version-choice').hidden"), "a file knows no others"
    browser.ask("told"), browser.ask("asked")
