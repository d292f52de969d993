"""Every code block of the documents runs, in order, as it would for a reader."""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from document_blocks import DOCUMENTS, PAGES, ROOT, blocks_of, name_of, run_page
from pictures import photograph
from PIL import Image
from programs import PROGRAMS, environment_of
from releases import release_of
from s3_support import upload

# README's model has ten outputs.
CLASSES = [
    "astronaut", "camera", "chelsea", "clock", "coffee", "coins", "moon", "page", "retina", "rocket",
]  # fmt: skip
IMAGES_PER_CLASS = 5
# Blocks that are no code: page -> why, by the first line of each.
NOT_RUN = {
    "ARCHITECTURE.md": {
        "_api         the user's arguments, checked and frozen, become an iterator": "a drawing",
        "__main__": "the list of layers",
    },
    "docs/how-to/data-parallel.md": {
        "data = strategy.distribute_datasets_from_function(lambda context: train.to_tf_dataset())": (
            "several machines with TensorFlow"
        ),
    },
}
# What a page needs beyond the group `test-core`; it is skipped where that is not installed.
NEEDS = {
    "docs/how-to/albumentations.md": "albumentations",
    "docs/how-to/cores-and-cache.md": "torch",
    "docs/how-to/data-parallel.md": "torch",
    "docs/how-to/devices.md": "tensorflow",
    "docs/how-to/ray.md": "ray",
    "docs/how-to/tinyml.md": "tensorflow",
    "docs/remote-files.md": "moto",
}
# The Keras that a page needs, where the oldest supported one is not enough.
NEEDS_KERAS = {"docs/how-to/data-parallel.md": (3, 11)}
# The tutorial writes its own photographs.
WITHOUT_PHOTOS = {"docs/tutorial.md"}

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a reader of the documents is supposed to have."""
    root = tmp_path_factory.mktemp("documents") / "photos"
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for variant in range(IMAGES_PER_CLASS):
            image = Image.fromarray(photograph(name, 60, 80, "RGB", variant))
            image.save(root / name / f"{variant}.jpg", quality=90)
    return root


@pytest.fixture
def place(
    request: pytest.FixtureRequest, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where a page runs: a folder of its own, with the photographs."""
    if name_of(request.getfixturevalue("path")) not in WITHOUT_PHOTOS:
        shutil.copytree(photos, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """Global names of a page."""
    names: dict[str, Any] = {"__name__": "__main__"}
    yield names
    names.clear()
    gc.collect()  # iterators and their workers


def with_smaller_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building and compiling README's model takes minutes: a small one of its shape is trained."""
    import keras

    signature = inspect.signature(keras.applications.MobileNetV3Small)

    def build_another(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments  # the call must be right all the same
        head = keras.layers.Dense(given["classes"], activation="softmax")
        layers = [keras.Input(given["input_shape"]), keras.layers.GlobalAveragePooling2D(), head]
        return keras.Sequential(layers)

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", build_another)


@pytest.mark.timeout(300)
# Keras on JAX saves weights in a way that NumPy warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.usefixtures("global_numpy_state", "place")
@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_block_runs(
    path: Path,
    namespace: dict[str, Any],
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    page = name_of(path)
    if page in NEEDS and find_spec(NEEDS[page]) is None:
        pytest.skip(f"{NEEDS[page]} is not installed")
    if release_of("keras") < NEEDS_KERAS.get(page, ()):
        pytest.skip("needs Keras {}.{} or newer".format(*NEEDS_KERAS[page]))
    code = "".join(block.code for block in blocks_of(path))
    if "s3://my-bucket/" in code:
        request.getfixturevalue("s3_server")
        upload(photos, "photos", "my-bucket")
    if "KERAS_BACKEND" in code:
        left = run_elsewhere(path)
    else:
        if "import keras" in code:
            pytest.importorskip("keras")  # which fails without its backend
        if "keras.applications" in code:
            with_smaller_model(monkeypatch)
        left = [block.first_line for block in run_page(path, namespace)]
    assert sorted(left) == sorted(NOT_RUN.get(page, {}))


def run_elsewhere(path: Path) -> list[str]:
    """Runs a page that chooses Keras' backend, which can be done once in a process."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "project/run_page.py"), str(path)],
        env=environment_of(environment), text=True, capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_blocks_that_do_not_run_are_there() -> None:
    for page, blocks in NOT_RUN.items():
        assert set(blocks) <= {block.first_line for block in blocks_of(ROOT / page)}


# What makes a document fail


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "it printed\n1"),
        ("1. A list\n\n   ```python\n   assert 1 == 2, 'so'\n   ```\n", "so"),
        ("```console\n$ imageloom inspect photos\n7 images\n```\n", "50 images of 10 classes"),
        ("```sh\nimageloom inspect nowhere\n```\n", "nowhere"),
        ("```sh\npip install imageloom[none]\n```\n", r"imageloom\[none\]"),
        ("```sh\nmake nonsense\n```\n", "nonsense"),
    ],
)
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("path", [ROOT / "README.md"])
def test_what_is_not_true_is_noticed(text: str, wrong: str, path: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=wrong):
        list(run_page(page, {}))


@pytest.mark.parametrize("language", ["", "yaml", "text", "pycon"])
def test_blocks_of_other_kinds_are_not_passed_over(language: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Words.\n\n```{language}\nfirst\nsecond\n```\n\n    indented\n", encoding="utf-8")
    assert [block.first_line for block in run_page(page, {})] == ["first", "indented"]


# The site


def test_what_is_wrong_with_a_site_is_noticed(tmp_path: Path) -> None:
    spec = spec_from_file_location("check_site", ROOT / "tools" / "check_site.py")
    assert spec is not None
    assert spec.loader is not None
    check_site = module_from_spec(spec)
    spec.loader.exec_module(check_site)
    assert check_site.problems_of(tmp_path)
    (tmp_path / "right.html").write_text('<p id="here"><a href="#here">x</a>', encoding="utf-8")
    assert check_site.problems_of(tmp_path) == []
    (tmp_path / "wrong.html").write_text(
        '<a href="gone.html">x</a><a href="right.html#nowhere">x</a><a href="right.html#here">x</a>'
        '<a href="https://example.org">x</a><script src="https://example.org/x.js"></script>',
        encoding="utf-8",
    )
    (tmp_path / "wrong.css").write_text("@import 'https://example.org/x.css'", encoding="utf-8")
    found = "\n".join(check_site.problems_of(tmp_path))
    assert found.count("\n") == 3
    for part in ("gone.html", "#nowhere", "loads https://example.org/x.js", "wrong.css"):
        assert part in found
