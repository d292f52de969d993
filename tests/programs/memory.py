"""Batches that need much memory, and systems that have another kind of it."""

import os

from telling import FOLDER

from imageloom import ImageDataGenerator

LARGE = {"target_size": (512, 512), "batch_size": 64, "seed": 1}


def forget_memfd():
    """Makes this process one of a system without anonymous memory files."""
    if hasattr(os, "memfd_create"):
        del os.memfd_create


def fails():
    """What kind of error a large batch is, and what it says."""
    it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **LARGE)
    try:
        next(it)
    except (OSError, MemoryError) as error:
        return {"kind": type(error).__name__, "text": str(error)}
    return {"kind": None}
