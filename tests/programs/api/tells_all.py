"""Reads two epochs with the logger's most talkative level, and kills the worker between them."""

import os
import sys
import time

import psutil

import imageloom
from imageloom._api import engine

engine._may_compute_here = lambda *_: False  # workers start at once
imageloom.set_verbosity("debug")
generator = imageloom.ParallelImageDataGenerator(cores=1)
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=8) as it:
    for _ in range(len(it)):
        next(it)
    for child in psutil.Process(os.getpid()).children():
        child.kill()
    until = time.monotonic() + 60
    while not it.report().restarts and time.monotonic() < until:
        pass  # all batches of the next epoch may be there already, so that nobody needs the worker
    for _ in range(len(it)):
        next(it)
