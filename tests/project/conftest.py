"""Images that give warnings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of small images: of "cats" one cannot be read, of "dogs" there are none."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("cats/1.png", "cats/2.png", "cups/1.png", "cups/2.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / name)
    (folder / "cats/1.png").write_bytes(b"no image")
    (folder / "dogs").mkdir()
    return folder
