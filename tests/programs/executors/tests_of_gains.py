"""A test module of a user, which changes settings."""

import os

import numpy as np
import settings_of_tests

from imageloom import ImageDataGenerator
from imageloom._api import engine

engine._may_compute_here = lambda *_: False


def gained(x):
    assert x.shape == (4, 4, 1)
    return x * 0 + settings_of_tests.GAIN


def test_it(fixture_of_conftest):
    settings_of_tests.GAIN = 5
    for executor in os.environ["EXECUTORS"].split():
        for function in (gained, fixture_of_conftest):
            generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=function)
            with generator.flow(np.zeros((8, 4, 4, 1)), batch_size=2) as it:
                assert next(it).max() == 5
                assert it.report().fallback is None
