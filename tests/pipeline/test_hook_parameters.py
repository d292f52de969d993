"""What hooks receive travels to workers by its public name, and nothing heavy travels with it."""

from __future__ import annotations

import json
import subprocess
import sys

from imageloom import ParallelProcessParams
from imageloom._pipeline.hooks import params_for_sample

LOAD = """
import json, pickle, sys
found = pickle.loads(b"cimageloom\\nParallelProcessParams\\n.")
print(json.dumps([found.__qualname__, sorted(sys.modules)]))
"""
HEAVY = {"PIL", "cv2", "jax", "keras", "pandas", "ray", "tensorflow", "torch"}


def params() -> ParallelProcessParams:
    return ParallelProcessParams(
        image_data_generator=None,
        data_format="channels_last",
        dtype="float32",
        validation_split=0.0,
        preprocessing_function=None,
        noaug_preprocessing_function=None,
        get_batch_function=None,
    )


def test_unpickling_by_the_public_name_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    name, modules = json.loads(done.stdout)
    assert name == "ParallelProcessParams"
    assert not HEAVY & set(modules)
    assert not [module for module in modules if module.startswith("imageloom._api")]


def test_each_sample_has_a_random_stream_of_its_own_that_repeats() -> None:
    common = params()
    first, second, again = (params_for_sample(common, entropy) for entropy in [(1, 0), (1, 1), (1, 0)])
    drawn = [one.rng.random(4).tolist() for one in (first, second, again)]
    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]


def test_no_machinery_is_public() -> None:
    functions = {name for name in dir(ParallelProcessParams) if not name.startswith("_")}
    assert "for_sample" not in functions
