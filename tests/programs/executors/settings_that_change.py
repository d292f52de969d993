"""Settings of all kinds, which tests change after they were imported."""

import argparse
import dataclasses
import enum
import threading
from pathlib import Path

import numpy as np

GAIN = 1
WHERE = Path("here")
NO_ARGUMENTS = argparse.Namespace()
NONE = None
TEXT = "1"
OPTIONS = {"a": {"b": [1]}}
TABLE = np.ones(300)
LARGE = np.ones(300_000)
CHOSEN = {1}
SCALAR = np.float32(1)
LOG = threading.Lock()


class Mode(enum.Enum):
    OFF = 1
    ON = 5


MODE = Mode.OFF


class Settings:
    GAIN = 1

    class Inner:
        GAIN = 1


@dataclasses.dataclass
class Options:
    gain: int = 1
    more: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    gain: int = 1


class Bag(dict):
    pass


options = Options()
frozen = Frozen()
bag = Bag(gain=1)


def set_gain(gain):
    global GAIN  # noqa: PLW0603 - as users do it
    GAIN = gain
    with LOG:
        pass
