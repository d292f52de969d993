"""mixup and cutmix: what Keras' layers make of the batches, and in which order of events."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator, preview
from imageloom._imaging.mixing import MixOptions, Mixture, draw_mixture
from imageloom._pipeline.seeds import StreamPurpose

pd = pytest.importorskip("pandas")

SEED = 5
SIZE = (12, 8)
SAMPLES = 10
BATCH = 4
MIXED: list[dict[str, Any]] = [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": (0.5, 1)}]
DRAWN: dict[str, Any] = {
    "rotation_range": 20, "zoom_range": 0.2, "horizontal_flip": True, "brightness_range": (0.5, 1),
    "contrast_range": (0.5, 1), "noise": "gauss", "geometry": "corrected", "rescale": 1 / 255,
}  # fmt: skip
X = np.random.default_rng(0).integers(0, 256, (SAMPLES, *SIZE, 3)).astype(np.float32)
Y = np.eye(SAMPLES, dtype=np.float32)


def generator(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(**{"executor": "serial", **DRAWN, **options})


def batches(count: int = 3, **options: Any) -> list[Any]:
    flow = {name: options.pop(name) for name in ("x", "y", "sample_weight") if name in options}
    arguments = {"x": X, "y": Y, **flow, "batch_size": BATCH, "seed": SEED}
    with generator(**options).flow(**arguments) as it:
        return [next(it) for _ in range(count)]


def mixture_of(position: int, count: int, options: dict[str, Any], size: Any = SIZE) -> Mixture:
    cutmix = options.get("cutmix")
    bounds = cutmix if isinstance(cutmix, tuple) or cutmix is None else (0.0, cutmix)
    random = np.random.Generator(np.random.PCG64((SEED + position, StreamPurpose.MIXTURE)))
    return draw_mixture(MixOptions(options.get("mixup", 0.0), bounds), random, count, size)


def keras_transformation(mixture: Mixture, shape: tuple[int, ...]) -> dict[str, Any]:
    """What was drawn, as Keras' layers keep it."""
    found: dict[str, Any] = {
        "mix_weight": mixture.weights.astype(np.float32),
        "permutation_order": mixture.partners,
    }
    if mixture.boxes is not None:
        masks = np.zeros(shape, bool)
        for mask, (top, bottom, left, right) in zip(masks, mixture.boxes, strict=True):
            mask[top:bottom, left:right] = True
        found["batch_masks"] = masks
    return found


@pytest.mark.parametrize("options", MIXED, ids=str)
def test_keras_layers_make_the_same_of_the_batches_without_mixing(options: dict[str, Any]) -> None:
    layers = pytest.importorskip("keras").layers
    kinds = set()
    for position, (plain, mixed) in enumerate(zip(batches(6), batches(6, **options), strict=True)):
        (x, y), (mixed_x, mixed_y) = plain, mixed
        mixture = mixture_of(position, len(x), options)
        kinds.add(mixture.boxes is None)
        layer = layers.MixUp() if mixture.boxes is None else layers.CutMix()
        drawn = keras_transformation(mixture, x.shape)
        np.testing.assert_allclose(mixed_x, np.asarray(layer.transform_images(x, drawn)), atol=1e-6)
        np.testing.assert_allclose(mixed_y, np.asarray(layer.transform_labels(y, drawn)), atol=1e-6)
    assert kinds == ({True} if "cutmix" not in options else {False} if "mixup" not in options else
                     {True, False})  # fmt: skip


def test_the_shares_of_a_box_are_exact() -> None:
    plain, mixed = batches(30), batches(30, cutmix=1.0)
    for (x, y), (mixed_x, mixed_y) in zip(plain, mixed, strict=True):
        for one, label, new, target in zip(x, y, mixed_x, mixed_y, strict=True):
            same = (one == new).all(axis=-1).mean()
            assert target[label.argmax()] == pytest.approx(same, abs=1e-6)


def test_weights_have_the_distribution_of_keras_layer() -> None:
    random = np.random.default_rng(0)
    drawn = [draw_mixture(MixOptions(0.3), random, 50, SIZE) for _ in range(40)]
    weights = np.concatenate([mixture.weights for mixture in drawn])
    expected = np.random.default_rng(1).beta(0.3, 0.3, 2000)
    quantiles = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(
        np.quantile(weights, quantiles), np.quantile(expected, quantiles), atol=0.07
    )
    boxes = [draw_mixture(MixOptions(0, (0, 1)), random, 50, (64, 64)) for _ in range(40)]
    assert np.mean([mixture.weights.mean() for mixture in boxes]) == pytest.approx(0.5, abs=0.05)
    edges = np.concatenate([mixture.boxes for mixture in boxes if mixture.boxes is not None])
    assert edges.min() == 0
    assert edges.max() == 64
    assert (edges[:, 1] >= edges[:, 0]).all()
    assert all(sorted(mixture.partners) == list(range(50)) for mixture in drawn + boxes)


@pytest.mark.parametrize("options", MIXED, ids=str)
def test_random_access_gives_the_same_batches(options: dict[str, Any]) -> None:
    expected = batches(3, **options)
    it = generator(**options).flow(X, Y, batch_size=BATCH, seed=SEED)
    for index in (2, 0, 1):
        for one, other in zip(it[index], expected[index], strict=True):
            np.testing.assert_array_equal(one, other)
    fresh = generator(**options).flow(X, Y, batch_size=BATCH, seed=SEED)
    next(it)
    fresh.load_state_dict(it.state_dict())
    np.testing.assert_array_equal(next(fresh)[0], expected[1][0])
    with pytest.raises(ValueError, match=r"(mixup|cutmix) was"):
        generator().flow(X, Y, batch_size=BATCH, seed=SEED).load_state_dict(it.state_dict())


@pytest.mark.parametrize("executor", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_workers_mix_the_same(executor: str) -> None:
    for options in MIXED:
        expected = batches(4, sample_weight=np.arange(10.0), **options)
        found = batches(4, sample_weight=np.arange(10.0), executor=executor, cores=2, **options)
        for one, other in zip(expected, found, strict=True):
            for mine, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_targets_of_every_kind_are_mixed_by_the_same_weights() -> None:
    options = {"mixup": 0.4}
    mixture = mixture_of(0, BATCH, options)
    rows = np.arange(SAMPLES)
    for y in (rows.astype(np.float64), rows % 2, (rows % 2).astype(bool), np.stack([rows] * 3, 1)):
        plain, mixed = batches(1, y=y)[0][1], batches(1, y=y, **options)[0][1]
        np.testing.assert_allclose(mixed, mixture.mix_rows(plain))
        assert mixed.dtype == (np.float64 if y.dtype == np.float64 else np.float32)
    images, further = batches(1, x=(X, [np.arange(10.0)]), y=None, **options)[0]
    plain = batches(1, x=(X, [np.arange(10.0)]), y=None)[0]
    np.testing.assert_allclose(further, mixture.mix_rows(plain[1]))
    mixture.mix(plain[0])
    np.testing.assert_array_equal(images, plain[0])


def test_numbers_that_keras_draws_and_those_of_other_options_stay() -> None:
    """Without mixing partners the batch is that without the option: a batch of one."""
    for options in MIXED:
        with generator(**options).flow(X, Y, batch_size=1, seed=SEED) as it:
            mixed = [next(it) for _ in range(4)]
        with generator().flow(X, Y, batch_size=1, seed=SEED) as it:
            for one in mixed:
                for mine, plain in zip(one, next(it), strict=True):
                    np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64"])
def test_batches_keep_their_dtype(dtype: str) -> None:
    off = {"rescale": None, "dtype": dtype, "noise": None}
    for options in MIXED[:2]:
        mixture = mixture_of(0, BATCH, options)
        plain, mixed = batches(1, **off)[0][0], batches(1, **off, **options)[0][0]
        expected = plain.astype(np.float64)
        mixture.mix(expected)
        assert mixed.dtype == dtype
        np.testing.assert_allclose(mixed, expected, atol=0.5001 if dtype == "uint8" else 0.13)


def test_channels_first_is_the_same_picture() -> None:
    for options in MIXED:
        last = batches(2, **options)
        first = batches(2, x=np.moveaxis(X, -1, 1), data_format="channels_first", **options)
        for (one, y), (other, same) in zip(last, first, strict=True):
            np.testing.assert_allclose(np.moveaxis(other, 1, -1), one, atol=1e-6)
            np.testing.assert_array_equal(y, same)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("mixed")
    for number, label in itertools.product(range(5), "ab"):
        (place / label).mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(place / label / f"{number}.png")
        Image.fromarray(pixels[..., 0] % 3).save(place / f"{label}{number}_mask.png")
    return place


def flow(folder: Path, class_mode: Any, **options: Any) -> Any:
    return generator(**options).flow_from_directory(
        folder, SIZE, classes=["a", "b"], class_mode=class_mode, batch_size=BATCH, seed=SEED, verbose=0
    )


def test_class_modes_of_folders(folder: Path) -> None:
    options = {"mixup": 0.4}
    mixture = mixture_of(0, BATCH, options)
    for class_mode in ("categorical", "binary"):
        plain, mixed = (next(flow(folder, class_mode, **more))[1] for more in ({}, options))
        np.testing.assert_allclose(mixed, mixture.mix_rows(plain))
    x, y = next(flow(folder, "input", **options))
    np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(x, next(flow(folder, None, **options)))
    for made in (options, {"cutmix": 1.0}):
        with pytest.raises(ValueError, match=r'class_mode="sparse".*pass class_mode="categorical"'):
            flow(folder, "sparse", **made)


def test_masks_are_mixed_with_their_images(folder: Path) -> None:
    names = [f"{label}/{number}.png" for number, label in itertools.product(range(5), "ab")]
    masks = [f"{name[0]}{name[2]}_mask.png" for name in names]
    frame = pd.DataFrame({"image": names, "mask": masks})

    def first(**options: Any) -> NDArray[Any]:
        return next(  # type: ignore[no-any-return]
            generator(**options).flow_from_dataframe(
                frame, folder, "image", "mask", target_size=SIZE, class_mode="image",
                batch_size=BATCH, seed=SEED, verbose=0,
            )
        )[1]  # fmt: skip

    for options in MIXED[:2]:
        mixture, expected = mixture_of(0, BATCH, options), first()
        dtype = np.float32 if "mixup" in options else np.uint8
        expected = expected.astype(dtype)
        mixture.mix(expected)
        mixed = first(**options)
        np.testing.assert_allclose(mixed, expected, atol=1e-6)
        assert mixed.dtype == dtype


def test_a_replaced_image_is_mixed_with_its_own_target(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for path in folder.glob("[ab]/*.png"):
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="is replaced by"):
        read = [
            [next(it) for _ in range(3)]
            for it in (
                flow(tmp_path, "categorical", on_bad_image="replace", **o) for o in ({}, MIXED[0])
            )
        ]
    for position, (plain, mixed) in enumerate(zip(*read, strict=True)):
        mixture = mixture_of(position, len(plain[0]), MIXED[0])
        mixture.mix(plain[0])
        np.testing.assert_array_equal(mixed[0], plain[0])
        np.testing.assert_allclose(mixed[1], mixture.mix_rows(plain[1]))


def test_a_subset_without_augmentation_is_not_mixed() -> None:
    options = {"validation_split": 0.5, "validation_augmentation_enabled": False}
    for off in (options, {"random_transforms_enabled": False, "validation_split": 0.5}):
        gen = generator(mixup=1.0, **off)
        y = np.arange(SAMPLES)  # class numbers, which are not mixed either
        it = gen.flow(X, y, subset="validation", shuffle=False, ignore_class_split=True)
        images, targets = next(it)
        np.testing.assert_allclose(images, X[:5] / 255, atol=1e-6)
        assert targets.tolist() == list(range(5))


def test_statistics_are_those_of_images_that_are_not_mixed() -> None:
    found = []
    for options in ({}, {"mixup": 1.0}):
        gen = ImageDataGenerator(featurewise_center=True, executor="serial", **options)
        gen.fit(ImageDataGenerator(executor="serial", **options).flow(X, Y), verbose=0)
        found.append(gen.mean)
    np.testing.assert_array_equal(*found)


def test_the_signature_for_tensorflow_is_that_of_mixed_batches() -> None:
    tf = pytest.importorskip("tensorflow")
    y = np.arange(SAMPLES) % 2
    data = generator(mixup=0.3).flow(X, y, batch_size=BATCH, seed=SEED).to_tf_dataset()
    assert data.element_spec[1].dtype == tf.float32
    assert sum(len(batch[0]) for batch in data) == SAMPLES


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.arange(SAMPLES), "whole numbers such as 9, which are class numbers"),
        (np.arange(SAMPLES).astype(str), "cannot be mixed: pass rows with a one for the class"),
    ],
)
def test_targets_that_cannot_be_mixed_are_refused_at_once(y: Any, words: str) -> None:
    for options in MIXED:
        with pytest.raises((ValueError, TypeError), match=words):
            generator(**options).flow(X, y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mixup": -0.1}, "`mixup` must be the alpha"),
        ({"mixup": "much"}, "`mixup` must be"),
        ({"mixup": True}, "`mixup` must be"),
        ({"mixup": np.inf}, "`mixup` must be"),
        ({"cutmix": 1.5}, "`cutmix` must be a number in 0..1"),
        ({"cutmix": (0.9, 0.1)}, "`cutmix` must be a number in 0..1"),
        ({"cutmix": (0.1, 0.2, 0.3)}, "`cutmix` must be a number in 0..1"),
        ({"cutmix": "box"}, "`cutmix` must be"),
        ({"mixup": 0.2, "finish": "device", "noise": None}, 'finish="device" cannot compute `mixup`'),
        ({"cutmix": 1, "get_batch_function": print}, "`get_batch_function` makes whole batches"),
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        generator(**options)


def test_previews_name_the_partner(folder: Path) -> None:
    gen = generator(mixup=1.0, noise=None, contrast_range=None, rescale=None)
    it = gen.flow_from_directory(folder, SIZE, classes=["a", "b"], verbose=0)
    for sheet in (it.preview(versions=6), preview(gen, it), preview(gen, str(folder / "a"))):
        captions = [version["parameters"].get("mixup") for version in sheet.info["versions"]]
        named = [caption for caption in captions if caption]
        assert 0 < len(named) < len(captions)
        assert all(" of " in caption and caption.endswith(".png") for caption in named)
        assert sheet.info["notice"] == ""
    assert "mixup=1.0" in repr(gen)
