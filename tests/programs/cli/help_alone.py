import sys
from contextlib import suppress

import imageloom._cli

sys.argv[1:] = ["bench", "--help"]
with suppress(SystemExit):
    imageloom._cli.main()
heavy = {"numpy", "PIL", "cv2", "tqdm", "multiprocessing"} & set(sys.modules)
assert not heavy, heavy
