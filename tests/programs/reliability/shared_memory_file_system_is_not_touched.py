import contextlib
import os
from pathlib import Path

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
kept = [next(it) for _ in range(6)]
found = []
for pid in (os.getpid(), *workers()):
    found += [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/dev/shm" in line]
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            found += [str(link.readlink())] if "/dev/shm" in str(link.readlink()) else []
tell(found=found, seen=len(workers()) > 0, workers=workers())
