import numpy as np


class Options(dict):  # whose keys are attributes; many programs have one
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class Raises:
    def __getattr__(self, name):
        raise RuntimeError(name)


class Lies:  # as a proxy of a web framework does outside of a request
    @property
    def __class__(self):
        raise RuntimeError("outside of a request")


class Kind(type):
    def __getattr__(cls, name):
        raise RuntimeError(name)


class OfKind(metaclass=Kind):
    GAIN = 1


options, raises, lies = Options(gain=1), Raises(), Lies()
rng = np.random.default_rng(1)


def gain(x):
    return x * 0 + options.gain + OfKind.GAIN


def noisy(x):
    return x + (lies is None) + (raises is None) + rng.normal()


class Called(Options):
    def __call__(self, x):
        return x * 0 + self.gain


called = Called(gain=10)
