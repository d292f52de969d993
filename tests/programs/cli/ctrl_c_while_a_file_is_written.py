import os
import signal
import sys
from pathlib import Path

from imageloom._storage.atomic import replacing

try:
    with replacing(Path(sys.argv[1])) as draft:
        draft.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
except KeyboardInterrupt:
    print("interrupted")
