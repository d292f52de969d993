"""Reads two batches with a trace and ends without closing anything."""

import sys

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(executor="threads", cores=1)
it = generator.flow_from_directory(sys.argv[1], (8, 8), verbose=0)
it.trace(sys.argv[2])
next(it)
next(it)
