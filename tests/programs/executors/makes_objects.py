"""Makes an object that cannot travel, and notes that it has."""

ready, made = False, None


class Maker:
    ready, made = False, None

    @classmethod
    def get(cls):
        if not cls.ready:
            cls.made, cls.ready = iter([7] * 99), True
        return next(cls.made)


def make(x):
    global ready, made
    if not ready:
        made, ready = iter([7] * 99), True
    return x * 0 + next(made)


def make_for_class(x):
    return x * 0 + Maker.get()
