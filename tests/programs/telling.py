"""What programs with workers share: a flow, and how they tell the test about themselves."""

import json
import os
import signal
import sys
import warnings

import psutil

from imageloom._api import engine
from imageloom._executors.workers import staffing

staffing.LINGER_SECONDS = 0.2
# Worker processes compute from the first batch on. Few images would never reach them.
engine._may_compute_here = lambda *_: False
# Whoever started the tests may have switched Ctrl-C off for all that comes.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Newer Pythons warn of any fork beside threads; here it is on purpose.
warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
ARGUMENTS = [json.loads(text) for text in sys.argv[1:]]
FOLDER = os.environ["CROPS"]
SIGNALS = os.environ["SIGNALS"]
FLOW = {"target_size": (24, 24), "batch_size": 4, "seed": 11}


def tell(**what):
    print("TOLD " + json.dumps(what), flush=True)


def workers():
    return sorted(child.pid for child in psutil.Process().children())
