"""Goes on from the state in a file, with worker processes."""

import json
import sys
from pathlib import Path

import numpy as np
from executor_support import AUGMENTED, BATCH, SIZE

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=2, **AUGMENTED)
flow = generator.flow_from_directory(sys.argv[1], target_size=SIZE, batch_size=BATCH)
with flow as it:
    it.load_state_dict(json.loads(Path("state.json").read_text()))
    arrays = [part for _ in range(5) for part in next(it)]
    np.savez("rest.npz", *arrays)
