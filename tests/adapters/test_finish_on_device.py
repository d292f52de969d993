"""`finish="device"` gives the pixels of the serial executor; the CPU takes the part of the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from device_support import (
    TORCH_DEVICE,
    arrays_of,
    assert_equal_batches,
    on_host,
    photographs,
    structure,
)
from executor_support import BATCHES, flow_with, take
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._adapters import keras_device
from imageloom._options import FILL_MODES

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Keras exchanges two axes"),
    pytest.mark.filterwarnings("ignore:IL105"),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),  # of torch's own modules
    pytest.mark.slow,  # JAX compiles a function for each set of options
]

MOVES: dict[str, Any] = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.3,
    "zoom_range": 0.4,
    "shear_range": 10,
    "horizontal_flip": True,
    "vertical_flip": True,
    "geometry": "corrected",
}
both = pytest.mark.parametrize("framework", ["torch", "jax"])


def on_device(it: Any, framework: str) -> list[Any]:
    dataset = it.to_torch_dataset(device=TORCH_DEVICE) if framework == "torch" else it.to_jax()
    return list(dataset)


def flows(x: NDArray[Any], options: dict[str, Any], *labels: Any, **flow_options: Any) -> list[Any]:
    """The same flow, finished by the host and by a device."""
    usual = {"batch_size": 6, "seed": 5} | flow_options
    return [
        ImageDataGenerator(executor="serial", finish=finish, **options).flow(x, *labels, **usual)
        for finish in ("host", "device")
    ]


def assert_close(received: list[Any], expected: list[Any], scale: float = 1.0) -> None:
    """Within 1.5 grey levels for 99.9 % of the pixels, and with the same structure."""
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        assert structure(one) == structure(other)
        for part, right in zip(arrays_of(one), arrays_of(other), strict=True):
            error = np.abs(part.astype(float) - right.astype(float)) / scale
            assert (error > 1.5).mean() <= 0.001, error.max()


def compare(x: NDArray[Any], options: dict[str, Any], framework: str, scale: float = 1.0) -> None:
    host, device = flows(x, options)
    assert_close(on_device(device, framework), list(host.to_torch_dataset()), scale)


@both
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_fill_modes(framework: str, order: int, fill_mode: str) -> None:
    options = MOVES | {"fill_mode": fill_mode, "interpolation_order": order, "cval": 77.0}
    compare(photographs(), options, framework)


@both
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"horizontal_flip": True, "vertical_flip": True},
        {"random_transforms_enabled": False, "rotation_range": 40},
        MOVES | {"geometry": "keras"},
        {"width_shift_range": 3, "height_shift_range": [-5, 2], "fill_mode": "constant"},
        MOVES | {"brightness_range": (0.3, 1.8)},
        {"contrast_range": (0.0, 1.9)},
        MOVES
        | {"channel_shift_range": 60.0, "brightness_range": (0.5, 1.2), "contrast_range": (0.5, 1.4)},
    ],
)
def test_transforms(framework: str, options: dict[str, Any]) -> None:
    compare(photographs(), options, framework)


@both
@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({"rescale": 1 / 255}, 1 / 255),
        ({"samplewise_center": True, "samplewise_std_normalization": True}, 1 / 64),
        ({"featurewise_center": True, "featurewise_std_normalization": True}, 1 / 64),
        ({"featurewise_center": True, "zca_whitening": True}, 1 / 64),
        ({"data_format": "channels_first", "samplewise_center": True}, 1.0),
        ({"data_format": "channels_first", "featurewise_center": True}, 1.0),
        ({"dtype": "uint8"}, 1.0),
        ({"dtype": "float16"}, 1.0),
        ({"dtype": "bfloat16"}, 1.0),
    ],
)
def test_normalisation_layouts_and_dtypes(
    framework: str, options: dict[str, Any], scale: float
) -> None:
    x = photographs()[:, :12, :10]
    if options.get("data_format") == "channels_first":
        x = np.moveaxis(x, -1, 1).copy()
    iterators = flows(x, options | {"rotation_range": 20})
    for it in iterators:
        if "featurewise_center" in options:
            it.image_data_generator.fit(x)
    host, device = iterators
    received, expected = on_device(device, framework), take(host, 1)
    kinds = {str(batch.dtype).removeprefix("torch.") for batch in received}
    assert kinds == {options.get("dtype", "float32")}
    if framework == "torch":
        received = [batch.float() for batch in received]
    assert_close(received, [np.asarray(batch, np.float32) for batch in expected], scale)


@both
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("low", [0, -40])
@pytest.mark.parametrize("name", ["brightness_range", "contrast_range"])
def test_channels_and_values_beyond_bytes(framework: str, channels: int, low: int, name: str) -> None:
    """With both, the second step cuts off the fractions of what the first has rounded to a level."""
    x = photographs().astype(np.float32)[..., [0, 1, 2, 0][:channels]] * 1.1 + low
    compare(x, MOVES | {name: (0.5, 1.3)}, framework)


@both
@pytest.mark.frameworks("keras")
@pytest.mark.parametrize("module", ["resnet", "resnet_v2", "densenet", "efficientnet"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_scaling_of_keras_models(framework: str, module: str, data_format: str) -> None:
    import keras

    x = photographs()
    if data_format == "channels_first":
        x = np.moveaxis(x[:, :, :3], -1, 1).copy()  # three rows: Keras' own layout is the last one
        x = np.ascontiguousarray(x)
    function = getattr(keras.applications, module).preprocess_input
    options = {"preprocessing_function": function, "rotation_range": 20, "data_format": data_format}
    compare(x, options, framework, 1 / 64)


ranges = st.one_of(st.none(), st.tuples(st.floats(0, 1.9), st.floats(0, 1.9)).map(sorted))


@settings(max_examples=30)
@given(
    options=st.fixed_dictionaries(
        {
            "rotation_range": st.floats(0, 180),
            "width_shift_range": st.one_of(st.floats(0, 2), st.integers(0, 9)),
            "height_shift_range": st.one_of(st.floats(0, 2), st.lists(st.integers(-9, 9), min_size=1)),
            "shear_range": st.floats(0, 40),
            "zoom_range": st.floats(0, 0.9),
            "channel_shift_range": st.floats(0, 90),
            "horizontal_flip": st.booleans(),
            "vertical_flip": st.booleans(),
            "brightness_range": ranges,
            "contrast_range": ranges,
            "fill_mode": st.sampled_from(FILL_MODES),
            "cval": st.floats(0, 255),
            "interpolation_order": st.sampled_from([0, 1]),
            "geometry": st.sampled_from(["keras", "corrected"]),
            "rescale": st.sampled_from([None, 1 / 255]),
        }
    ),
    seed=st.integers(0, 2**31),
)
def test_random_arguments(options: dict[str, Any], seed: int) -> None:
    """In torch, which compiles nothing here; JAX computes the same operations."""
    scale = options["rescale"] or 1.0
    host, device = flows(photographs(), options, seed=seed)
    expected = list(host.to_torch_dataset())
    assert_close(on_device(device, "torch"), expected, scale)


@both
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("class_mode", ["sparse", "input"])
def test_files_and_executors(crops: Path, framework: str, executor: str, class_mode: str) -> None:
    options = MOVES | {"rescale": 1 / 255, "class_mode": class_mode, "cache": "memory"}
    expected = take(flow_with(crops, "serial", **options), 2 * BATCHES)
    with flow_with(crops, executor, finish="device", **options) as it:
        received = on_device(it, framework) + on_device(it, framework)
        assert_close(received, expected, 1 / 255)
        layout = it._stream.supply._stream._channel
        assert layout is not None
    images = received[0][0]
    if class_mode == "input" and framework == "torch":
        assert images.data_ptr() != received[0][1].data_ptr()


@both
def test_masks_several_inputs_and_weights(crops: Path, class_folder: Path, framework: str) -> None:
    x, more = photographs(), np.arange(6, dtype=np.float32)
    host, device = flows(x, MOVES, np.eye(6, dtype=np.float32), sample_weight=np.ones(6, np.float32))
    assert_close(on_device(device, framework), take(host, 1))
    host, device = (
        ImageDataGenerator(executor="serial", finish=finish, **MOVES).flow(
            (x, more), batch_size=4, seed=1
        )
        for finish in ("host", "device")
    )
    assert_close(on_device(device, framework), take(host, 2))
    names = sorted(str(p.relative_to(class_folder)) for p in class_folder.glob("*/*.png"))
    frame = pd.DataFrame({"filename": names, "mask": names})
    host, device = (
        ImageDataGenerator(executor="serial", finish=finish, **MOVES).flow_from_dataframe(
            frame,
            class_folder,
            y_col="mask",
            class_mode="image",
            batch_size=2,
            target_size=(30, 40),
            seed=1,
        )
        for finish in ("host", "device")
    )
    received, expected = on_device(device, framework), list(host.to_torch_dataset())
    assert_close(received, expected)
    for (_, mask), (_, right) in zip(received, expected, strict=True):
        np.testing.assert_array_equal(on_host(mask), right)


@both
def test_a_hook_before_the_transforms_runs_in_the_workers(framework: str) -> None:
    options = MOVES | {"noaug_preprocessing_function": lambda x: x / 2}
    compare(photographs(), options, framework)


def test_users_may_draw_themselves() -> None:
    class Generator(ImageDataGenerator):
        def get_random_transform(self, img_shape: Any, seed: Any = None) -> dict[str, Any]:
            return {"theta": 90, "brightness": 0.5, "flip_horizontal": True}

    received, expected = (
        list(Generator(executor="serial", finish=finish).flow(photographs(), seed=1).to_jax())
        for finish in ("device", "host")
    )
    assert_close(received, expected)


def test_other_ways_of_reading_finish_in_the_workers(crops: Path) -> None:
    options = MOVES | {"brightness_range": (0.5, 1.5)}
    expected = take(flow_with(crops, "serial", **options), 2 * BATCHES)
    with flow_with(crops, "threads", finish="device", **options) as it:
        assert_equal_batches(take(it, 2), expected[:2])
        it.reset()
        assert_equal_batches([it[index] for index in range(BATCHES)], expected[:BATCHES])
        it.on_epoch_end()
        assert_equal_batches(list(it.to_torch_dataset()), expected[BATCHES:])


def test_all_ways_of_reading_share_one_position(crops: Path) -> None:
    options = MOVES | {"rescale": 1 / 255}
    expected = take(flow_with(crops, "serial", **options), 4 * BATCHES)
    with flow_with(crops, "processes", finish="device", **options) as it:
        received = [*it.to_jax(), *take(it, BATCHES)]
        received += list(it.to_torch_dataset(device=TORCH_DEVICE))
        state = it.state_dict()
        batches = iter(it.to_jax())
        received += [next(batches)]
        assert "batches" in str(it.report())
        it.batch_size = 5
        assert len(next(it)[0]) == 5
    assert_close(received, expected[: 3 * BATCHES + 1], 1 / 255)
    with flow_with(crops, "serial", **options) as it:  # whoever finishes, it is the same stream
        it.load_state_dict(state)
        assert_equal_batches(take(it, BATCHES), expected[3 * BATCHES :])


@pytest.mark.frameworks("keras")
def test_keras_gets_finished_batches(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def losses(finish: str) -> list[float]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "categorical_crossentropy")
        with flow_with(crops, "threads", finish=finish, rescale=1 / 255, **MOVES) as it:
            return [float(loss) for loss in model.fit(it, epochs=2, verbose=0).history["loss"]]

    expected = losses("host")
    monkeypatch.setattr(keras_device, "accelerator", lambda: ("jax", None))
    assert losses("device") == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("order", [0, 1])
def test_torch_can_compile_it_as_one_function(monkeypatch: pytest.MonkeyPatch, order: int) -> None:
    """As on CUDA, but with torch's own operations in the place of compiled ones."""
    from imageloom._adapters import torch_device
    from imageloom._adapters.finish.torch_finish import compiled, torch_finish

    made = []

    def compiled_finish(steps: Any, device: Any) -> Any:
        made.append(steps)
        return compiled(torch_finish(steps, device), backend="eager", fullgraph=True)

    monkeypatch.setattr(torch_device, "torch_finish", compiled_finish)
    options = MOVES | {
        "brightness_range": (0.5, 1.3), "contrast_range": (0.5, 1.3), "channel_shift_range": 9.0,
        "interpolation_order": order, "fill_mode": "constant", "samplewise_center": True,
        "samplewise_std_normalization": True, "featurewise_center": True,
    }  # fmt: skip
    host, device = flows(photographs(), options, batch_size=4)
    for it in (host, device):
        it.image_data_generator.fit(photographs())
    assert_close(on_device(device, "torch"), list(host.to_torch_dataset()), 1 / 64)
    assert len(made) == 1


def test_a_compiler_that_is_missing_leaves_the_plain_function() -> None:
    from imageloom._adapters.finish.torch_finish import _Compiled

    finish = _Compiled(lambda x, geometry, colours: x + 1)

    def missing(*_: Any) -> Any:
        raise RuntimeError("no compiler")

    finish._compiled = missing
    assert [finish(x, None, None) for x in (1, 2)] == [2, 3]
    assert finish._compiled is None
