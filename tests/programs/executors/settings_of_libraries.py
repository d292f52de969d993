"""Changes settings of libraries, and tells what functions see of them."""

import importlib
import json
import os

from telling import ARGUMENTS, FOLDER, SIGNALS, tell

import imageloom

executor, *names = ARGUMENTS
if executor == "ray":
    import ray

    ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=200 * 2**20)


def of_sys(module, change):
    if change:
        module.setrecursionlimit(4321)
        module.set_int_max_str_digits(9876)
    return module.getrecursionlimit(), module.get_int_max_str_digits()


def of_socket(module, change):
    if change:
        module.setdefaulttimeout(7.5)
    return module.getdefaulttimeout()


def of_decimal(module, change):
    context = module.getcontext()
    if change:
        context.prec, context.rounding = 7, module.ROUND_UP
        context.traps[module.Inexact] = True
        context.traps[module.DivisionByZero] = False
    traps = [context.traps[signal] for signal in (module.Inexact, module.DivisionByZero)]
    return context.prec, context.rounding, traps


def of_numpy(module, change):
    if change:
        module.seterr(divide="ignore", invalid="raise")
        module.set_printoptions(precision=2, suppress=True)
    return str(module.array([1e-9, 1.23456])), module.geterr()


def of_keras(module, change):
    backend = module.backend
    if change:
        backend.set_floatx("float64")
        backend.set_epsilon(1e-3)
        backend.set_image_data_format("channels_first")
        module.utils.disable_interactive_logging()
    silent = not module.utils.is_interactive_logging_enabled()
    return backend.floatx(), backend.epsilon(), backend.image_data_format(), silent


def of_torch(module, change):
    if change:
        module.set_grad_enabled(False)
        module.set_default_dtype(module.float64)
        module.use_deterministic_algorithms(True)
        module.set_float32_matmul_precision("high")
    one = module.ones(1) * module.nn.Parameter(module.ones(1))
    return one.requires_grad, str(one.dtype), module.are_deterministic_algorithms_enabled()


def of_jax(module, change):
    if change:
        module.config.update("jax_enable_x64", True)
        module.config.update("jax_numpy_dtype_promotion", "strict")
    return str(module.numpy.arange(3.0).dtype), str(module.config.jax_numpy_dtype_promotion)


LOOKS = {
    "sys": of_sys,
    "socket": of_socket,
    "decimal": of_decimal,
    "numpy": of_numpy,
    "keras": of_keras,
    "tf_keras": of_keras,
    "torch": of_torch,
    "jax": of_jax,
}


def state(change=False):
    # In a worker, most of them are imported by this.
    return {name: LOOKS[name](importlib.import_module(name), change) for name in names}


def look(x):
    draft = os.path.join(SIGNALS, f"{os.getpid()}.draft")
    with open(draft, "w") as file:
        json.dump(state(), file)
    os.replace(draft, os.path.join(SIGNALS, "seen.json"))
    return x


before = json.loads(json.dumps(state()))
expected = json.loads(json.dumps(state(change=True)))
generator = imageloom.ImageDataGenerator(
    executor=executor,
    cores=1,
    preprocessing_function=look,
    data_format="channels_last",
    dtype="float32",
)
with generator.flow_from_directory(FOLDER, (24, 24), batch_size=4, seed=11) as it:
    next(it)
    with open(os.path.join(SIGNALS, "seen.json")) as file:
        seen = json.load(file)
    tell(
        same=[name for name in names if before[name] == expected[name]],
        differs={name: (expected[name], seen[name]) for name in names if seen[name] != expected[name]},
        fallback=it.report().fallback,
    )
