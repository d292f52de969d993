"""Flows with a cache that is a directory, next to flows without."""

import os

from telling import FLOW, FOLDER

from imageloom import ImageDataGenerator

KEPT = os.environ["KEPT"]


def flow(**options):
    generator = ImageDataGenerator(**{"executor": "serial", "rotation_range": 20, **options})
    return generator.flow_from_directory(FOLDER, **FLOW)


def same(kept, epochs=2):
    plain = flow()
    return all(bool((next(kept)[0] == next(plain)[0]).all()) for _ in range(epochs * len(plain)))
