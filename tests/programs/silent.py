"""How programs tell something that may have lost their standard streams."""

import json
import os

from telling import SIGNALS


def tell(**what):
    with open(os.path.join(SIGNALS, "told"), "a") as file:
        file.write(json.dumps({**what, "workers": len(what["workers"])}) + "\n")
