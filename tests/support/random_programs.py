"""Random but repeatable programs: how an iterator is made, and what is then done with it, line by line.

Each line is a statement as people write it, with the names `gen`, `it`, `x`, `table` and `folder`.
"""

from __future__ import annotations

import random
from typing import Final

_TRANSFORMS: Final = {
    "rotation_range": ["20", "np.int64(90)", "-10", "0"],
    "width_shift_range": ["0.2", "3", "[-2, 2]", "1"],
    "height_shift_range": ["0.1", "(1, 3)"],
    "zoom_range": ["0.2", "[0.8, 1.2]", "(1, 1)"],
    "channel_shift_range": ["10", "50.0", "0"],
    "horizontal_flip": ["True", "1"],
    "vertical_flip": ["True"],
    "brightness_range": ["[0.5, 1.5]", "(1, 1)"],
    "fill_mode": ["'constant'", "'reflect'"],
    "cval": ["100", "np.float32(7)"],
}
_STEPS: Final = {
    "rescale": ["1 / 255", "0", "None", "np.float32(0.5)"],
    "preprocessing_function": ["np.sqrt", "abs", "lambda x: x[..., ::-1]", "lambda x: x * 0.5"],
    "samplewise_center": ["True"],
    "samplewise_std_normalization": ["True"],
    "featurewise_center": ["True"],
    "dtype": ["'float64'", "None", "np.float32"],
    "interpolation_order": ["0", "1"],
}
_ARRAYS: Final = {
    "y": ["y", "list(y)", "np.eye(9)", "[str(i) for i in y]", "pd.Series(y)", "None"],
    "sample_weight": ["np.linspace(1, 2, 9)", "[1] * 9"],
}
_FILES: Final = {
    "target_size": ["(8, 10)", "[16, 16]"],
    "color_mode": ["'rgba'", "'grayscale'", "'rgb'"],
    "interpolation": ["'bilinear'", "'lanczos'", "'box'"],
    "class_mode": ["'sparse'", "'binary'", "'input'", "None", "'categorical'"],
}
_FRAMES: Final = [
    {"class_mode": "'raw'", "y_col": "'number'"},
    {"class_mode": "'raw'", "y_col": "['number', 'weight']", "weight_col": "'weight'"},
    {"class_mode": "'multi_output'", "y_col": "['number', 'class']"},
    {"class_mode": "'categorical'", "classes": "['dogs', 'cats', 'dogs']"},
    {"class_mode": "'binary'", "weight_col": "'weight'"},
    {"class_mode": "None", "validate_filenames": "False"},
]
_READ: Final = [
    "next(it)", "it.__next__()", "list(itertools.islice(it, len(it) + 1))", "list(zip(range(3), it))",
    "len(it)", "it.batch_index", "it.total_batches_seen", "it.index_array", "it.n // it.batch_size",
    "iter(it) is it", "bool(it)", "it.image_data_generator is gen",
]  # fmt: skip
_ASK: Final = [
    "it.filenames", "it.filepaths", "it.class_indices", "it.classes", "it.labels", "it.samples",
    "it.num_classes", "it.x.shape", "it.y", "it.sample_weight", "it.directory",
    "it[99]", "it['a']", "gen.mean", "it.white_list_formats", "it.split", "it.dtype", "it.x_misc",
]  # fmt: skip
_OF_THE_GENERATOR: Final = [
    "gen.get_random_transform((8, 8, 3), seed=5)", "gen.get_random_transform((8, 8, 3))",
    "gen.random_transform(x[0].astype('float32'), seed=3)", "gen.standardize(x[0].astype('float32'))",
    "gen.standardize(x[:4].astype('float64'))", "gen.apply_transform(x[0], {})",
    "gen.apply_transform(x[0].astype('float32'), {'flip_horizontal': True, 'brightness': 1.2})",
    "gen.fit(x)", "gen.fit(x, augment=True, rounds=2, seed=1)", "gen = copy.deepcopy(gen)",
]  # fmt: skip
_CHANGE: Final = [
    "it.batch_size = 2", "it.shuffle = False", "it.seed = 9", "it.batch_index = 0",
    "it.total_batches_seen = 5", "it.class_mode = None", "it.target_size = (9, 9)",
    "it.classes[0] = 1", "it._filepaths = it._filepaths[::-1]", "it.dtype = 'float64'",
    "it.y = it.y[::-1]", "it.x = it.x[:5]", "it.class_indices = {'a': 0, 'b': 1}",
    "it.image_data_generator = type(gen)(rescale=2.0)", "it.foo = 3", "it.foo",
    "gen.rescale = 0.25", "gen.horizontal_flip = True", "gen.rotation_range = 0",
    "gen.mean = np.zeros(3)", "gen.preprocessing_function = lambda x: x - 3",
    "gen.samplewise_center = True", "gen.zoom_range = [1, 1]", "gen.brightness_range = None",
    "it._get_batches_of_transformed_samples(np.array([0, 1, 1]))",
]  # fmt: skip


def random_program(number: int) -> list[str]:
    """The lines of a program; the number says it all."""
    rng = random.Random(f"program {number}")
    lines = [f"gen = Generator({_some(rng, _TRANSFORMS | _STEPS, 0.2)})", _flow(rng)]
    if rng.random() < 0.3:
        lines.insert(rng.choice([1, 2]), "gen.fit(x)")
    for _ in range(rng.randint(4, 10)):
        (kind,) = rng.choices([_READ, _ASK, _OF_THE_GENERATOR, _CHANGE], [5, 2, 1, 2])
        lines.append(rng.choice(kind))
    return lines


def _some(rng: random.Random, choices: dict[str, list[str]], share: float, **further: str) -> str:
    drawn = {name: rng.choice(some) for name, some in choices.items() if rng.random() < share}
    return ", ".join(f"{name}={value}" for name, value in {**drawn, **further}.items())


def _flow(rng: random.Random) -> str:
    batches = {
        "batch_size": rng.choice(["1", "3", "4", "32", "np.int64(3)"]),
        "seed": rng.choice(["0", "1", "42"]),
        "shuffle": rng.choice(["True", "False"]),
    }
    kind = rng.choice(["arrays", "directory", "frame"])
    if kind == "arrays":
        given = rng.choice(["x", "(x, y)", "[x, [y, np.eye(9)]]", "x.astype('float32')", "list(x)"])
        return f"it = gen.flow({given}, {_some(rng, _ARRAYS, 0.6, **batches)})"
    if kind == "directory":
        return f"it = gen.flow_from_directory(folder, {_some(rng, _FILES, 0.4, **batches)})"
    files: dict[str, list[str]] = {k: v for k, v in _FILES.items() if k != "class_mode"}
    arguments = _some(rng, files, 0.4, **rng.choice(_FRAMES), **batches)
    return f"it = gen.flow_from_dataframe(table, folder, {arguments})"
