"""`imageloom bench`: what it measures, and what it advises."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from imageloom._cli.measuring import Configuration, Rate, advise, configurations


@pytest.mark.slow
def test_bench_measures_and_advises(folder: Path) -> None:
    (folder / "coffee" / "broken.png").write_bytes(b"")
    words = ("bench", folder, "--seconds", 0.1, "--size", 24, 24, "--batch-size", 4, "--cores", 1)
    found = json.loads(run(*words, "--json").stdout)
    kinds = [(rate["executor"], rate["cores"], rate["cache"]) for rate in found["rates"]]
    assert kinds == [
        ("serial", 1, False), ("threads", 1, False), ("processes", 1, False), ("processes", 1, True),
    ]  # fmt: skip
    for rate in found["rates"]:
        assert 0 < rate["low"] <= rate["median"] <= rate["high"]
        assert rate["images"] >= 5
        assert rate["seconds"] >= 0.1
    assert (found["use"]["executor"], found["use"]["cores"], found["use"]["cache"]) in kinds
    assert found["use"]["reasons"]


def test_bench_in_words(folder: Path) -> None:
    words = ("bench", folder / "coffee", "--seconds", 0.1, "--size", 24, 24, "--executor", "serial")
    lines = run(*words, "--no-cache").stdout.splitlines()
    assert "5 images" in lines[0]
    assert lines[2].startswith("serial ")
    assert "Use executor='serial', cores=1" in lines
    assert any(line.startswith("  - the fastest") for line in lines)


def rate(executor: str, cores: int, images: float, *, cache: bool = False, spread: float = 1) -> Rate:
    return Rate(
        Configuration(executor, cores, cache), images, images - spread, images + spread, 100, 1.0, 0.1,
        {"read": 3.0, "transform": 1.0},
    )  # fmt: skip


def test_advice_is_the_cheapest_that_is_about_as_fast() -> None:
    plain = [rate("serial", 1, 100), rate("processes", 1, 110), rate("processes", 2, 210)]
    cached = rate("processes", 2, 900, cache=True)
    advice = advise(plain, cached_nbytes=10, free_nbytes=100)
    assert advice.configuration == Configuration("processes", 2)
    text = "; ".join(advice.reasons)
    assert "the fastest: 210" in text
    assert "2 cores are 1.9 times as fast as one" in text
    assert "75%" in text
    assert "'read'" in text
    assert "overlap" not in text
    advice = advise([*plain, cached], cached_nbytes=5 * 10**8, free_nbytes=10**9)
    assert advice.configuration == cached.configuration
    assert any("0.5 GB" in reason for reason in advice.reasons)
    advice = advise([*plain, cached], cached_nbytes=10**10, free_nbytes=10**9)
    assert advice.configuration == Configuration("processes", 2)
    assert any("more than the free memory" in reason for reason in advice.reasons)
    close = [rate("threads", 1, 195, spread=20), rate("processes", 2, 210, spread=20)]
    advice = advise(close, cached_nbytes=10, free_nbytes=100)
    assert advice.configuration == Configuration("threads", 1)
    assert any("less than 15% ahead" in reason for reason in advice.reasons)
    assert any("overlaps with 1 other" in reason for reason in advice.reasons)


def test_what_is_measured() -> None:
    def kinds(*arguments: Any, **options: Any) -> list[tuple[str, int]]:
        return [(s.executor, s.cores) for s in configurations(*arguments, **options) if not s.cache]

    both = [(kind, count) for kind in ("threads", "processes") for count in (1, 2, 4, 6)]
    assert kinds(6) == [("serial", 1), *both]
    assert kinds(1) == [("serial", 1), ("threads", 1), ("processes", 1)]
    assert kinds(8, ["threads"], [3]) == [("threads", 3)]
    cached = [s for s in configurations(6) if s.cache]
    assert cached == [Configuration("processes", 1, True), Configuration("processes", 6, True)]
    assert configurations(4, ["serial"]) == [
        Configuration("serial", 1),
        Configuration("serial", 1, True),
    ]
    assert not [s for s in configurations(6, cache=False) if s.cache]


def test_a_cache_is_measured_with_few_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["imageloom._cli.bench"]  # the package has the command under this name
    monkeypatch.setattr(module, "_CACHED_IMAGES", 8)
    opener = module._Opener(
        folder, {}, {"size": (9, 9), "color_mode": "rgb", "interpolation": "bilinear", "batch_size": 2}
    )
    assert opener.flow(Configuration("serial", 1)).n == opener.images > 8
    assert opener.flow(Configuration("serial", 1, cache=True)).n == 8
    assert opener.nbytes == opener.images * 9 * 9 * 3
