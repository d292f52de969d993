"""What the tests of sheets share."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sheets import Pixels


@pytest.fixture
def coffee(colour_photo: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(colour_photo).resize((240, 120)))
