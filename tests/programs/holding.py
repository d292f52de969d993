"""A hook that stops for ever. Workers import this module, so it does nothing else."""

import os
import threading


def hold_on(x, files_before=1, **named):
    """Stops, and says so, once some files have been seen."""
    folder = os.environ["SIGNALS"]
    seen = os.path.join(folder, "seen")
    with open(seen, "a") as file:
        file.write("x")
    if os.path.getsize(seen) > files_before:
        open(os.path.join(folder, "held"), "w").close()
        threading.Event().wait(120)
    return x
